"""Unified diffs into values, strictly, and in bytes: patched files may be in any encoding.

Understood is what ``quilt refresh``, ``diff -u``, ``git diff`` and ``git format-patch`` write: timestamps, several
mails in one file, git's extended headers for new, deleted, renamed and executable files. Copies, binary changes,
symlinks and submodules are refused by name, and so is a hunk whose lines are not as many as its header says.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NoReturn

from workbench.errors import PatchError

_DEV_NULL = b"/dev/null"

_HUNK = re.compile(rb"@@ -(\d{1,9})(?:,(\d{1,9}))? \+(\d{1,9})(?:,(\d{1,9}))? @@.*")
_EPOCH = re.compile(rb"(1970-01-01|1969-12-31) ")
_EXTENDED = re.compile(
    rb"(old mode|new mode|new file mode|deleted file mode|rename from|rename to|copy from|copy to"
    rb"|similarity index|dissimilarity index|index) (.*)"
)
_BINARY = re.compile(rb"GIT binary patch|Binary files .* differ")
_QUOTED = re.compile(rb'"(?:[^"\\]|\\(?:[0-3][0-7]{2}|[abtnvfr"\\]))*"')
_ESCAPE = re.compile(rb"\\([0-7]{3}|.)")
_ESCAPED = dict(zip(b"abtnvfr", b"\a\b\t\n\v\f\r", strict=True))
_LONGEST_PATH, _LONGEST_NAME = 2048, 255
_MODES = {b"100644": 0o644, b"100755": 0o755}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hunk:
    r"""One hunk: lines `old`, from line `old_start` on (counted from 1), become `new`.

    Lines keep their ends, ``\n`` or ``\r\n``; the last of a file may have none. The file must end with a hunk that is
    `at_end`: context before the change and none after says so, as git reads it. `number` counts from 1 in its file;
    `header` is its ``@@ … @@``.
    """

    number: int
    header: str
    old_start: int
    new_start: int
    old: tuple[bytes, ...]
    new: tuple[bytes, ...]
    at_end: bool

    @property
    def old_index(self) -> int:
        """Where `old` begins, counted from 0. A hunk without old lines names the line that it comes after."""
        return self.old_start - 1 if self.old else self.old_start


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """What a patch does to one file. Paths are relative to the source's top, with ``/``.

    `old` is None for a file that the patch creates, `new` for one that it deletes. Modes are permission bits
    (0o644, 0o755), None where the patch does not speak of them.
    """

    old: str | None
    new: str | None
    hunks: tuple[Hunk, ...] = ()
    old_mode: int | None = None
    new_mode: int | None = None

    @property
    def path(self) -> str:
        """The file's path after the change, or before its deletion."""
        return self.new or self.old or ""

    def reversed(self) -> FileChange:
        """Return the change that undoes this one."""
        hunks = tuple(
            replace(hunk, old_start=hunk.new_start, new_start=hunk.old_start, old=hunk.new, new=hunk.old)
            for hunk in self.hunks
        )
        return FileChange(
            old=self.new, new=self.old, hunks=hunks, old_mode=self.new_mode, new_mode=self.old_mode
        )


def parse_diff(data: bytes, *, where: str, strip: int = 1) -> tuple[bytes, tuple[FileChange, ...]]:
    """Return the text before the first change, and the changes in order.

    `where` names the patch in errors; of each file name the first `strip` folders are left out. Raises PatchError, with
    the line, for what is not a unified diff, is cut off, miscounted or refused, for a path that leaves the source, and
    for a patch that changes nothing.
    """
    return _Reader(data, where, strip).patch()


class _Reader:
    """A cursor over the lines of one patch."""

    def __init__(self, data: bytes, where: str, strip: int) -> None:
        self.lines = data.split(b"\n")
        if not self.lines[-1]:
            self.lines.pop()
        self.where = where
        self.strip = strip
        self.at = 0

    def fail(self, why: str, *, at: int | None = None) -> NoReturn:
        """Refuse the patch for what stands at the cursor, or on the line of index `at`."""
        line = min(self.at if at is None else at, len(self.lines) - 1) + 1
        raise PatchError(f"{self.where}:{line}: {why}")

    @property
    def line(self) -> bytes | None:
        return self.lines[self.at] if self.at < len(self.lines) else None

    def patch(self) -> tuple[bytes, tuple[FileChange, ...]]:
        changes: list[FileChange] = []
        preamble = 0
        in_text = True
        while (line := self.line) is not None:
            if self.at_git_header():
                read: Callable[[], FileChange] = self.git_change
            elif self.at_names():
                read = self.plain_change
            else:
                in_text = self.pass_stray(line, in_text=in_text)
                continue
            if not changes:
                preamble = self.at
            # on its way the whole patch got CRLF line ends: patch(1) and git undo it too
            if line.endswith(b"\r"):
                self.lines = [each.removesuffix(b"\r") for each in self.lines]
            changes.append(read())
            in_text = False
        if not changes:
            raise PatchError(f"{self.where}: holds no change: no '--- a/…' and '+++ b/…' lines in it")
        return b"\n".join(self.lines[:preamble]), tuple(changes)

    def pass_stray(self, line: bytes, *, in_text: bool) -> bool:
        """Go past a line of no change, and say whether text follows: a mail's, or what stands below its signature.

        Before that, what looks like a hunk's line is one that its header does not count.
        """
        self.refuse_binary(line)
        if _HUNK.fullmatch(line):
            self.fail("a hunk that belongs to no file: '--- a/…' and '+++ b/…' must stand before it")
        in_text = in_text or line.rstrip() == b"--"
        like_a_hunk = line[:1] in (b"+", b"-", b" ", b"\\")
        if like_a_hunk and not in_text:
            self.fail("the hunk above has not as many lines as its header counts; run 'quilt refresh'")
        self.at += 1
        return in_text or (bool(line.strip()) and not like_a_hunk)

    def refuse_binary(self, line: bytes) -> None:
        if _BINARY.fullmatch(line):
            what = line.decode(errors="replace")
            self.fail(f"{what}: binary changes cannot be applied; write the file in a hook")

    def following(self, count: int) -> bytes:
        """Return the line that stands `count` lines below."""
        return self.lines[self.at + count] if self.at + count < len(self.lines) else b""

    def at_git_header(self) -> bool:
        """Say whether a change of git's begins here, and not a text that speaks of one."""
        after = self.following(1).removesuffix(b"\r")
        return (self.line or b"").startswith(b"diff --git ") and bool(
            after.startswith(b"--- ") or _EXTENDED.fullmatch(after) or _BINARY.fullmatch(after)
        )

    def at_names(self) -> bool:
        """Say whether the names of a file stand here, and not two lines of a text that look like them."""
        old, new = self.following(0), self.following(1)
        named = old.startswith(b"--- ") and new.startswith(b"+++ ")
        return named and (self.following(2).startswith(b"@@ ") or (b"/" in old and b"/" in new))

    def plain_change(self) -> FileChange:
        start = self.at
        old, new = self.names()
        if old and new and old != new:
            old = new = self.copy_or_file(old, new, at=start)
        if not old and not new:
            self.fail("names no file: both sides are /dev/null", at=start)
        return FileChange(old=old, new=new, hunks=self.hunks())

    def copy_or_file(self, old: str, new: str, *, at: int) -> str:
        """Return the file that is meant where the other name is that of its copy, ``x.c.orig``, as patch(1) does."""
        file, copy = sorted((old, new), key=len)
        if not re.fullmatch(r"[.~-].*", copy.removeprefix(file)):
            self.fail(f"names two files, {old} and {new}: only git's 'rename from' may do that", at=at)
        return file

    def git_change(self) -> FileChange:
        start, header = self.at, self.lines[self.at].removeprefix(b"diff --git ")
        self.at += 1
        modes: dict[bytes, int] = {}
        renames: dict[bytes, str] = {}
        while (line := self.line) is not None and (found := _EXTENDED.fullmatch(line)):
            key, value = found[1], found[2]
            if key.startswith(b"copy"):
                self.fail(f"copies are refused ({line.decode(errors='replace')}): create the file instead")
            if key.endswith(b"mode"):
                modes[key] = self.mode(value)
            elif key.startswith(b"rename"):
                renames[key] = self.checked(self.unquoted(value))
            self.at += 1
        self.refuse_binary(line or b"")
        old, new = self.paths_of(header, start, modes, renames)
        hunks = self.hunks() if self.pass_names(old, new) else ()
        if not (modes or renames or hunks):
            self.fail("a 'diff --git' line that no change follows", at=start)
        return FileChange(
            old=old,
            new=new,
            hunks=hunks,
            old_mode=modes.get(b"old mode", modes.get(b"deleted file mode")),
            new_mode=modes.get(b"new mode", modes.get(b"new file mode")),
        )

    def paths_of(
        self, header: bytes, start: int, modes: dict[bytes, int], renames: dict[bytes, str]
    ) -> tuple[str | None, str | None]:
        """Return the old and the new path of a git change, None on the side of /dev/null."""
        if {b"rename from", b"rename to"} <= renames.keys():
            return renames[b"rename from"], renames[b"rename to"]
        # "a/x b/x": blanks are not quoted, but the two halves are of one length
        half = len(header) // 2
        first, second = (self.unquoted(part) for part in (header[:half], header[half + 1 :]))
        if self.strip and first == second:
            self.fail(
                "the names have no a/ and b/ before them (git's diff.noprefix): write -p0 behind the patch's name in "
                "the series",
                at=start,
            )
        path = self.stripped(first, at=start)
        if path != self.stripped(second, at=start):
            self.fail("names two files: only git's 'rename from' may do that", at=start)
        return None if b"new file mode" in modes else path, None if b"deleted file mode" in modes else path

    def pass_names(self, old: str | None, new: str | None) -> bool:
        """Go past the ``---`` and ``+++`` of a git change, if these are not the next change's."""
        start = self.at
        if self.line is not None and self.at_names() and self.names() == (old, new):
            return True
        self.at = start
        return False

    def mode(self, text: bytes) -> int:
        if text not in _MODES:
            kind = {b"120000": "a symbolic link", b"160000": "a submodule"}.get(text, "unknown")
            self.fail(
                f"file mode {text.decode(errors='replace')} ({kind}) is refused: 100644 and 100755 are known"
            )
        return _MODES[text]

    def names(self) -> tuple[str | None, str | None]:
        return self.name(b"--- "), self.name(b"+++ ")

    def name(self, marker: bytes) -> str | None:
        text = self.lines[self.at].removeprefix(marker)
        if text.startswith(b'"'):
            name, stamp = self.unquoted(text[: text.rindex(b'"') + 1]), b""
        else:
            name, _, stamp = text.partition(b"\t")
        # diff -N names a file that is not there by the time 0
        path = None if name == _DEV_NULL or _EPOCH.match(stamp) else self.stripped(name)
        self.at += 1
        return path

    def stripped(self, name: bytes, *, at: int | None = None) -> str:
        *stripped, path = name.split(b"/", self.strip)
        if len(stripped) < self.strip or name.startswith(b"/"):
            bare = os.fsdecode(name.lstrip(b"/"))
            self.fail(
                f"{os.fsdecode(name)}: not at strip level {self.strip}: write a/{bare} ('quilt refresh -p ab' does), "
                "or its level (-p0) behind the patch's name in the series",
                at=at,
            )
        return self.checked(path, at=at)

    def checked(self, path: bytes, *, at: int | None = None) -> str:
        parts = path.split(b"/")
        too_long = len(path) > _LONGEST_PATH or len(max(parts, key=len)) > _LONGEST_NAME
        if b"\0" in path or too_long or {b"", b".", b"..", b".git"} & set(parts):
            self.fail(
                f"{os.fsdecode(path[:100])!r}: a path that leaves the source or is not plain is refused",
                at=at,
            )
        return os.fsdecode(path)

    def hunks(self) -> tuple[Hunk, ...]:
        hunks: list[Hunk] = []
        while (line := self.line) is not None and line.startswith(b"@@"):
            start = self.at
            hunk = self.hunk(len(hunks) + 1)
            if hunks and hunk.old_index < hunks[-1].old_index + len(hunks[-1].old):
                self.fail(
                    f"hunk #{hunk.number} ({hunk.header}) does not come after the one before it", at=start
                )
            hunks.append(hunk)
        if not hunks:
            self.fail("the file's names, and no hunk follows them", at=self.at - 1)
        return tuple(hunks)

    def hunk(self, number: int) -> Hunk:
        line = self.lines[self.at]
        found = _HUNK.fullmatch(line)
        if not found:
            self.fail(f"{line[:100].decode(errors='replace')!r} is not a hunk header: @@ -12,7 +12,8 @@")
        title = line[: line.index(b"@@", 2) + 2].decode()
        counts = [1 if count is None else int(count) for count in (found[2], found[4])]
        self.at += 1
        body: list[tuple[bytes, bytes]] = []
        left = list(counts)
        while left != [0, 0]:
            sign, text = self.body_line(number, title)
            body.append((sign, text))
            left[0] -= sign in b" -"
            left[1] -= sign in b" +"
            if min(left) < 0:
                self.fail(
                    f"hunk #{number} ({title}) has other lines than its header counts; run 'quilt refresh'"
                )
            if (line_after := self.line) is not None and line_after.startswith(b"\\ "):
                body[-1] = (sign, text[:-1])
                self.at += 1
        signs = [sign for sign, _ in body]
        changed = [i for i, sign in enumerate(signs) if sign != b" "] or [0]
        return Hunk(
            number=number,
            header=title,
            old_start=int(found[1]),
            new_start=int(found[3]),
            old=tuple(text for sign, text in body if sign in b" -"),
            new=tuple(text for sign, text in body if sign in b" +"),
            at_end=changed[0] > 0 and changed[-1] == len(signs) - 1,
        )

    def body_line(self, number: int, title: str) -> tuple[bytes, bytes]:
        line = self.line
        if line is None:
            self.fail(f"hunk #{number} ({title}) is cut off: its header counts more lines than there are")
        sign = line[:1] or b" "  # editors strip the blank of an empty context line
        if sign not in b" +-":
            self.fail(f"hunk #{number} ({title}) has fewer lines than its header counts; run 'quilt refresh'")
        self.at += 1
        return sign, line[1:] + b"\n"

    def unquoted(self, name: bytes) -> bytes:
        r"""Undo git's quoting of names with special characters: ``"a/\303\244"``."""
        if not name.startswith(b'"'):
            return name
        if not _QUOTED.fullmatch(name):
            self.fail(f"{name.decode(errors='replace')}: not quoted as git quotes names")
        return _ESCAPE.sub(
            lambda found: bytes(
                [int(found[1], 8) if len(found[1]) > 1 else _ESCAPED.get(found[1][0], found[1][0])]
            ),
            name[1:-1],
        )
