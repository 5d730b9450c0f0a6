"""What a program answered once, kept in a file for as long as all that it depends on is the same."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def recall(file: Path | None, key: Sequence[str] | None) -> Any:  # noqa: ANN401 - whatever JSON can say
    """Return what is kept in a file under this very key; None where nothing is."""
    if file is None or key is None:
        return None
    try:
        kept = orjson.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
    return kept.get("said") if isinstance(kept, dict) and kept.get("key") == list(key) else None


def keep(file: Path | None, key: Sequence[str] | None, said: object) -> None:
    """Keep an answer under a key, in place of what the file has. A full or read-only disk is no error."""
    from workbench.files import write_whole

    if file and key:
        with suppress(OSError):
            write_whole(file, orjson.dumps({"key": key, "said": said}), private=True)
