"""How a program of ours ends: what it says last and its exit status, for whatever stopped it."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import sys
from dataclasses import dataclass

from workbench.errors import WorkbenchError
from workbench.process import Ended
from workbench.text import LAYOUT, shown

INTERNAL = 70
"""Exit status of a bug of ours (sysexits' EX_SOFTWARE)."""

_MAKE_ROOM = ": make room, and run the same command again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """The last message, none where nobody reads it, and the exit status."""

    message: str = ""
    status: int


def ending_of(error: BaseException) -> Ending:
    """Return how a program ends that an error stopped. Others' text in its message cannot inject escape codes."""
    status = WorkbenchError.exit_code
    match error:
        case WorkbenchError():
            message, status = f"error: {error}", error.exit_code
        case KeyboardInterrupt():
            number = error.number if isinstance(error, Ended) else signal.SIGINT
            again = "\nInterrupted. Run the same command again to go on from here."
            return Ending(message=again, status=128 + number)
        case BrokenPipeError():
            # whoever read our answer has seen enough (head); nothing more may be written, at exit neither
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return Ending(status=status)
        case shutil.Error(args=([(source, _, why), *_],)):
            # copying a folder goes on to its end, and then tells of all that could not be copied
            remedy = _MAKE_ROOM if os.strerror(errno.ENOSPC) in str(why) else ""
            message = f"error: {source} cannot be copied: {why}{remedy}"
        case OSError(errno=number, filename=name, strerror=str(why)):
            where = f"{name}: " if isinstance(name, str) else ""
            remedy = _MAKE_ROOM if number == errno.ENOSPC else ""
            message = f"error: {where}{why}{remedy}"
        case _:
            ours = "This is a bug of the workbench. WORKBENCH_DEBUG=1 shows where it happened."
            message, status = f"internal error: {type(error).__name__}: {error}\n{ours}", INTERNAL
    return Ending(message=shown(message, keep=LAYOUT), status=status)
