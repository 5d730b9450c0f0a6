"""A program that stands where a test wants it: it reads a named pipe, into which nobody writes."""

from __future__ import annotations

import errno
import os
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def read_by_somebody(pipe: Path) -> Iterator[None]:
    """Wait until a program reads a pipe; it gets nothing while the block runs, and the end of the file after it."""
    until = time.monotonic() + 400
    while True:
        try:
            end = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            break
    try:
        yield
    finally:
        os.close(end)
