"""Write patches and series: diffs in one normal form, and a folder that changes in one step."""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.files import content_of, exchange, make_folder, scratch, write_whole
from workbench.patches.series import PatchFile, read_series

_NOISE = (b"index ", b"similarity index ", b"dissimilarity index ")
_RENAME = re.compile(rb"rename (from|to) (.*)\n")
_ONE_NAME = re.compile(rb"diff --git a/(.*) b/\1\n")
_ONLY_MADE = re.compile(rb"(new|deleted) file mode 100644\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class WrittenPatch:
    """A patch as it is to lie on the disk: its `name`, its whole `text`, and quilt's `options` behind the name."""

    name: str
    text: bytes
    options: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """Its line in the series."""
        return " ".join((self.name, *self.options))


def fingerprint(patches: Sequence[PatchFile | WrittenPatch]) -> str:
    """Return a hash (sha256, hex) of what a series does: names, options and texts of its patches in their order."""
    found = hashlib.sha256()
    for each in patches:
        found.update(f"{each.name} {each.options} {len(each.text)}\n".encode())
        found.update(each.text)
    return found.hexdigest()


def write_series(folder: Path, patches: Sequence[WrittenPatch]) -> bool:
    """Make a folder's series exactly these patches, in one step; return whether that changed anything.

    What else lies in the folder stays. Raises OSError, and then the folder is as it was.
    """
    before = read_series(folder)
    series = folder / "series"
    old = (content_of(series) or b"").decode()
    text = _series_text(old, patches)
    if text == old and fingerprint(before) == fingerprint(patches):
        return False
    folder.parent.mkdir(parents=True, exist_ok=True)
    with scratch(folder.parent, ".writing-") as place:
        fresh = place / folder.name
        if folder.is_dir():
            shutil.copytree(folder, fresh, symlinks=True)
        make_folder(fresh)
        for gone in {each.name for each in before} - {each.name for each in patches}:
            (fresh / gone).unlink()
        for each in patches:
            if content_of(fresh / each.name) != each.text:
                write_whole(fresh / each.name, each.text)
        write_whole(fresh / "series", text)
        read_series(fresh)
        if folder.is_dir():
            exchange(fresh, folder)
        else:
            fresh.rename(folder)
    return True


def normal_diff(diff: bytes) -> bytes:
    """Return what ``git diff`` writes without what changes by itself, and without what plain quilt does not need.

    That is the hashes of the index and, where no file has more to tell than ``---`` and ``+++`` do, ``diff --git`` and
    its modes. With a rename, a mode or an empty file all of them keep it: patch(1) takes the names of the next file for
    those of one that has no hunks.
    """
    sections = [_parted(each) for each in re.split(rb"^(?=diff --git )", diff, flags=re.MULTILINE) if each]
    if all(body and all(map(_ONLY_MADE.fullmatch, header[1:])) for header, body in sections):
        return b"".join(line for _, body in sections for line in body)
    return b"".join(line for header, body in sections for line in (*_quoted(header), *body))


def _parted(section: bytes) -> tuple[list[bytes], list[bytes]]:
    """Return git's own lines of a file, without the noise, and what plain patches have as well."""
    lines = re.findall(rb"[^\n]*\n|[^\n]+", section)
    body = next((n for n, line in enumerate(lines) if line.startswith((b"--- ", b"@@ "))), len(lines))
    return [line for line in lines[:body] if not line.startswith(_NOISE)], lines[body:]


def _quoted(header: list[bytes]) -> list[bytes]:
    """Return git's own lines with names in quotes that have a blank: patch(1) reads such a name up to the blank."""
    renamed = [found for line in header if (found := _RENAME.fullmatch(line))]
    if len(renamed) == len(("from", "to")):
        old, new = (each[2] for each in renamed)
        git, *others = header
        if b" " in old + new:
            old, new = (name if name.startswith(b'"') else b'"%b"' % name for name in (old, new))
            others = [line for line in others if not _RENAME.fullmatch(line)]
            git = b'diff --git "a/%b "b/%b\n' % (old[1:], new[1:])
            others += [b"rename from %b\n" % old, b"rename to %b\n" % new]
        return [git, *others]
    if header and (found := _ONE_NAME.fullmatch(header[0])) and b" " in found[1]:
        return [b'diff --git "a/%b" "b/%b"\n' % (found[1], found[1]), *header[1:]]
    return header


def _series_text(before: str, patches: Sequence[WrittenPatch]) -> str:
    """Return the text of a series that lists some patches: what it said of each that stays stays above it.

    The comment at the top, up to the first blank line, belongs to the series as a whole.
    """
    top, above, end = _comments(before)
    lines = [*top]
    for each in patches:
        comments, line = above.get(each.name, ([], ""))
        words = line.partition("#")[0].split()
        lines += [*comments, line if words[1:] == list(each.options) and line else each.line]
    text = "\n".join((*lines, *end))
    return f"{text}\n" if text else ""


def _comments(series: str) -> tuple[list[str], Mapping[str, tuple[list[str], str]], list[str]]:
    """Return a series' lines at its top, those above each patch with the patch's own, and those at the end."""
    lines = series.splitlines()
    top: list[str] = []
    if lines and lines[0].startswith("#"):
        end = next((n for n, line in enumerate(lines) if not line.startswith("#")), len(lines))
        if end < len(lines) and not lines[end].strip():
            top, lines = lines[: end + 1], lines[end + 1 :]
    above: dict[str, tuple[list[str], str]] = {}
    waiting: list[str] = []
    for line in lines:
        if words := line.partition("#")[0].split() if not line.lstrip().startswith("#") else []:
            above[words[0]] = (waiting, line)
            waiting = []
        else:
            waiting.append(line)
    return top, above, waiting
