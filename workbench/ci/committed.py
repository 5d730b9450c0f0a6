"""What of a site's workflows is there already, as it should be or otherwise, and how they are written."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from workbench.ci.workflows import MARK
from workbench.errors import UsageError
from workbench.files import content_of, write_whole
from workbench.process import run

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.ci.workflows import WorkflowFile
    from workbench.paths import Paths

FileState = Literal["same", "missing", "differs", "no longer wanted", "somebody else's"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A file that is wanted beside what lies in its place; `diff` is a unified diff from the one to the other."""

    wanted: WorkflowFile
    state: FileState
    diff: str = ""


def expect_top(root: Path) -> None:
    """Raise UsageError for a site that is a folder of a repository: a CI service reads what lies at the top alone."""
    told = run(["git", "-C", root, "rev-parse", "--show-cdup"], check=False, stdout_only=True)
    if told.status == 0 and (up := told.output.strip()):
        raise UsageError(
            f"{root} is a folder of the repository {(root / up).resolve()}, and a CI service reads workflows at its "
            "top alone: give the site a repository of its own ('git init')"
        )


def compare(files: Iterable[WorkflowFile], paths: Paths) -> tuple[Compared, ...]:
    """Return how each file stands in a site, but for those that are not to be there, and are not. Raises OSError."""
    found = ((each, content_of(paths.root / each.path)) for each in files)
    return tuple(
        _compared(each, content) for each, content in found if each.text is not None or _is_ours(content)
    )


def write_workflows(compared: Iterable[Compared], paths: Paths, *, replace: bool) -> None:
    """Write what is missing or differs, and remove what is no longer wanted.

    Raises UsageError, and writes nothing, where a file is somebody else's; with `replace` it is written over as well.
    """
    changed = [each for each in compared if each.state != "same"]
    others = [each.wanted.path for each in changed if each.state == "somebody else's"]
    if others and not replace:
        raise UsageError(
            f"{', '.join(others)}: not written by ci.write, so left as it is, and nothing was written: move it, or "
            "--replace it (--dry-run shows the difference)"
        )
    for each in changed:
        place = paths.root / each.wanted.path
        if each.wanted.text is None:
            place.unlink(missing_ok=True)
        else:
            write_whole(place, each.wanted.text)


def _is_ours(content: bytes | None) -> bool:
    return content is not None and MARK.encode() in content.partition(b"\n")[0]


def _compared(wanted: WorkflowFile, found: bytes | None) -> Compared:
    before, after = (found or b"").decode(errors="replace"), wanted.text or ""
    if before == after:
        return Compared(wanted=wanted, state="same")
    diff = difflib.unified_diff(
        before.splitlines(keepends=True),
        after.splitlines(keepends=True),
        "/dev/null" if found is None else f"a/{wanted.path}",
        "/dev/null" if wanted.text is None else f"b/{wanted.path}",
    )
    state: FileState = "missing" if found is None else "differs" if _is_ours(found) else "somebody else's"
    if wanted.text is None:
        state = "no longer wanted"
    return Compared(wanted=wanted, state=state, diff="".join(diff))
