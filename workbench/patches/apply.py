"""Apply a patch series strictly: each hunk matches exactly at its line, or nothing is written.

No fuzz and no offset: a hunk that has drifted may still apply, at the wrong one of two similar places. The
whole series is computed in memory first, so a tree is either unpatched or patched.
"""

from __future__ import annotations

import glob
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from workbench.errors import PatchError
from workbench.text import counted

if TYPE_CHECKING:
    from workbench.patches.diff import FileChange, Hunk
    from workbench.patches.series import PatchFile

_EXECUTE = 0o111

_MOST_COMPARED = 10**7
"""Lines that are compared at most to say where a hunk would match."""


@dataclass(frozen=True, slots=True)
class File:
    """A file's bytes and permission bits."""

    content: bytes
    mode: int


def apply_series(patches: Sequence[PatchFile], tree: Path) -> tuple[str, ...]:
    """Apply patches to the files below `tree` and return the paths that changed, in order.

    Raises PatchError, naming the patch, the file and the hunk, and then leaves the tree as it was.
    """
    overlay = _Overlay(tree)
    for patch in patches:
        # a patch is judged against the tree before it, so that "already applied" can be told
        before = _Overlay(tree, dict(overlay.files))
        try:
            for change in patch.changes:
                _apply(change, overlay)
            overlay.check()
        except _Differs as differs:
            if _undone_by_reverse(patch, before):
                raise PatchError(
                    f"{patch.path}: already applied: the source has every change of it (the first: "
                    f"{patch.changes[0].path}); remove it from the series"
                ) from None
            raise PatchError(f"{patch.path}: {differs}") from None
        except _Refused as refused:
            raise PatchError(f"{patch.path}: {refused}") from None
    return overlay.write()


class _Refused(Exception):
    """A change that is not made, and why."""


class _Differs(_Refused):
    """A change that does not fit: the source is not what the patch was made for."""


@dataclass(frozen=True, slots=True)
class _Overlay:
    """The files of a tree as they will be: what is on the disk, and the changes so far on top."""

    tree: Path
    files: dict[str, File | None] = field(default_factory=dict)

    def get(self, path: str) -> File | None:
        if path in self.files:
            return self.files[path]
        place = self.tree
        for part in path.split("/"):
            place /= part
            if place.is_symlink():
                link = place.relative_to(self.tree)
                raise _Refused(f"{path}: {link} is a symbolic link; nothing is patched through one")
        if place.is_dir():
            raise _Refused(f"{path} is a folder in the source")
        try:
            return File(place.read_bytes(), place.stat().st_mode & 0o7777)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def check(self) -> None:
        """Raise _Refused where a file and a folder would have one name."""
        folders = {
            folder for path, file in self.files.items() if file for folder in PurePosixPath(path).parents
        }
        for folder in map(str, folders):
            if self.files[folder] if folder in self.files else (self.tree / folder).is_file():
                raise _Refused(
                    f"{folder} is a file, and the patch would create files in a folder of that name"
                )

    def instead(self, path: str) -> str:
        """Say where a file is that a patch without a prefix (git's diff.noprefix) may mean."""
        for found in self.tree.glob(f"*/{glob.escape(path)}"):
            there = found.relative_to(self.tree)
            return f"; {there} is there: a patch without a/ and b/ in front needs -p0 behind its name in the series"
        return ""

    def write(self) -> tuple[str, ...]:
        for path, file in self.files.items():
            place = self.tree / path
            if file is None:
                place.unlink(missing_ok=True)
                folder = place.parent
                while folder != self.tree and folder.is_dir() and not any(folder.iterdir()):
                    folder.rmdir()
                    folder = folder.parent
        for path, file in self.files.items():
            if file is not None:
                place = self.tree / path
                place.parent.mkdir(parents=True, exist_ok=True)
                # sdists may hold read-only files, and copies may be hard links
                place.unlink(missing_ok=True)
                place.write_bytes(file.content)
                place.chmod(file.mode)
        return tuple(self.files)


def _apply(change: FileChange, overlay: _Overlay) -> None:
    file = File(b"", 0o644)
    if change.old is not None:
        there = overlay.get(change.old)
        if there is None:
            raise _Differs(f"{change.old}: no such file in the source{overlay.instead(change.old)}")
        file, mode = there, change.old_mode
        if mode is not None and bool(file.mode & _EXECUTE) != bool(mode & _EXECUTE):
            raise _Differs(
                f"{change.old}: the patch expects file mode 100{mode:o}, and it is 100{file.mode:o}"
            )
    if change.new not in (None, change.old) and overlay.get(change.path) is not None:
        raise _Differs(f"{change.new} is in the source already, and the patch would create it")
    content = _changed(change, file.content)
    if change.old is not None and change.new != change.old:
        overlay.files[change.old] = None
    if change.new is None:
        if content:
            lines = counted(len(content.splitlines()), "line")
            raise _Differs(f"{change.old}: the patch deletes it, but the source has {lines} more in it")
    elif change.hunks and not content:
        raise _Refused(
            f"{change.new}: the patch leaves it empty, which quilt takes for deleting it: "
            f"delete it (+++ /dev/null), or leave a line in it"
        )
    else:
        overlay.files[change.new] = File(content, file.mode if change.new_mode is None else change.new_mode)


def _changed(change: FileChange, content: bytes) -> bytes:
    """Return a file's content with a change's hunks applied. Raises _Differs at the first that is not at its line."""
    lines = io.BytesIO(content).readlines()
    result: list[bytes] = []
    done = 0
    for hunk in change.hunks:
        start = hunk.old_index
        if start < done or not _matches(lines, hunk, start):
            raise _Differs(_explain(hunk, lines, change.path))
        result += [*lines[done:start], *hunk.new]
        done = start + len(hunk.old)
    return b"".join([*result, *lines[done:]])


def _matches(lines: Sequence[bytes], hunk: Hunk, start: int) -> bool:
    end = start + len(hunk.old)
    if hunk.at_end and end != len(lines):
        return False
    return start <= len(lines) and tuple(lines[start:end]) == hunk.old


def _explain(hunk: Hunk, lines: Sequence[bytes], path: str) -> str:
    """Say what is where the hunk should be, and what to do about it."""
    title = f"hunk #{hunk.number} ({hunk.header})"
    # the hunks before this one did match, so its lines have not moved
    if hunk.new and tuple(lines[hunk.old_index : hunk.old_index + len(hunk.new)]) == hunk.new:
        return f"{title} is already applied to {path}, at line {hunk.old_index + 1}; remove it from the patch"
    starts = range(len(lines) - len(hunk.old) + 1) if len(lines) * len(hunk.old) < _MOST_COMPARED else ()
    places = [i for i in starts if hunk.old and _matches(lines, hunk, i)]
    if places:
        nearest = min(places, key=lambda place: abs(place - hunk.old_index))
        away = nearest - hunk.old_index
        lines_away = f"{counted(abs(away), 'line')} further {'down' if away > 0 else 'up'}"
        return (
            f"{title} does not match {path} at line {hunk.old_index + 1}, but {lines_away}, at line "
            f"{nearest + 1}; look whether that is the place, then run 'quilt push' and 'quilt refresh'"
        )
    for i, expected in enumerate(hunk.old):
        at = hunk.old_index + i
        found = lines[at] if at < len(lines) else None
        if found != expected:
            shown = "the end of the file" if found is None else _shown(found)
            return (
                f"{title} does not match {path} at line {at + 1}: expected {_shown(expected)}, found "
                f"{shown}; write the patch anew against this source"
            )
    return (
        f"{title} does not match {path}: it says that the file ends at line {hunk.old_index + len(hunk.old)} "
        f"(it has less context after the change than before it), and the file has {len(lines)} lines"
    )


def _shown(line: bytes) -> str:
    """Show a line with what the eye would miss: its end, where that is not a plain newline, and odd bytes."""
    text = repr(line.removesuffix(b"\n").decode(errors="backslashreplace"))
    return text if line.endswith(b"\n") else f"{text} without a newline at its end"


def _undone_by_reverse(patch: PatchFile, before: _Overlay) -> bool:
    try:
        for change in reversed(patch.changes):
            _apply(change.reversed(), before)
    except _Refused:
        return False
    return True
