"""What of a site's workflows is there already, as it should be or otherwise, and how they are written."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from workbench.ci.workflows import MARK
from workbench.errors import UsageError
from workbench.files import content_of, write_whole

if TYPE_CHECKING:
    from workbench.ci.workflows import WorkflowFile
    from workbench.paths import Paths

FileState = Literal["same", "missing", "differs", "somebody else's"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A file that is wanted beside what lies in its place; `diff` is a unified diff from the one to the other."""

    wanted: WorkflowFile
    state: FileState
    diff: str = ""


def compare(files: Iterable[WorkflowFile], paths: Paths) -> tuple[Compared, ...]:
    """Return how each file stands in a site. Raises OSError."""
    return tuple(_compared(each, content_of(paths.root / each.path)) for each in files)


def write_workflows(compared: Iterable[Compared], paths: Paths, *, replace: bool = False) -> None:
    """Write what is missing or differs. Raises UsageError, and writes nothing, where a file is somebody else's.

    With `replace` such a file is written over as well.
    """
    changed = [each for each in compared if each.state != "same"]
    others = [each.wanted.path for each in changed if each.state == "somebody else's"]
    if others and not replace:
        raise UsageError(
            f"{', '.join(others)}: not written by ci.write, so left as it is, and nothing was written: move it, or "
            "--replace it (--dry-run shows the difference)"
        )
    for each in changed:
        write_whole(paths.root / each.wanted.path, each.wanted.text)


def _compared(wanted: WorkflowFile, found: bytes | None) -> Compared:
    if found == wanted.text.encode():
        return Compared(wanted=wanted, state="same")
    text = (found or b"").decode(errors="replace")
    diff = difflib.unified_diff(
        text.splitlines(keepends=True),
        wanted.text.splitlines(keepends=True),
        "/dev/null" if found is None else f"a/{wanted.path}",
        f"b/{wanted.path}",
    )
    state: FileState = "missing" if found is None else "differs"
    if found is not None and MARK not in text.partition("\n")[0]:
        state = "somebody else's"
    return Compared(wanted=wanted, state=state, diff="".join(diff))
