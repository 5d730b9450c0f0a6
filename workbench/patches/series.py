"""Read a patch series in quilt's layout: ``patches/<package>/series`` and one file a change."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from workbench.errors import PatchError, nearest
from workbench.patches.diff import parse_diff
from workbench.patches.header import description_of

if TYPE_CHECKING:
    from workbench.patches.diff import FileChange

REVERSED = "-R"
_OPTION = re.compile(r"-R|-p(\d|ab)")
_USUAL = ("-p1", "-pab")

SUFFIXES = (".patch", ".diff")
"""Files of these names belong in the series; others (a README) may lie beside it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchFile:
    """One patch: its `name` in the series, `sha256` (hex) of its `text`, what it says that it does and what it changes.

    `path` is where it was read; errors name it. `options` are quilt's behind the name, those that change anything;
    `header` is the text before the first change.
    """

    name: str
    sha256: str
    description: str
    text: bytes
    changes: tuple[FileChange, ...]
    path: Path
    options: tuple[str, ...] = ()
    header: bytes = b""

    @classmethod
    def parse(cls, text: bytes, *, name: str, path: Path, options: tuple[str, ...] = ()) -> PatchFile:
        """Return the patch that a text is. Raises PatchError with the line."""
        level = next((int(option[2:]) for option in options if option.startswith("-p")), 1)
        header, changes = parse_diff(text, where=str(path), strip=level)
        if REVERSED in options:
            changes = tuple(change.reversed() for change in reversed(changes))
        return cls(
            options=options,
            name=name,
            sha256=hashlib.sha256(text).hexdigest(),
            description=description_of(header),
            header=header,
            text=text,
            changes=changes,
            path=path,
        )


def read_series(folder: Path) -> tuple[PatchFile, ...]:
    """Return the patches of a folder in the order of its ``series``: none without a series.

    Raises PatchError, with file and line, for an unknown option, a patch that is listed twice, missing, outside the
    folder or not in the series, and for one that cannot be read.
    """
    series = folder / "series"
    there = {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.suffix in SUFFIXES and path.is_file()
    }
    names = _names(series, there)
    if unlisted := sorted(there - set(names)):
        raise PatchError(
            f"{series}: does not list {', '.join(unlisted)}: add a line for it where it belongs, or remove it"
        )
    return tuple(
        PatchFile.parse((folder / name).read_bytes(), name=name, path=folder / name, options=options)
        for name, options in names.items()
    )


def _names(series: Path, there: set[str]) -> dict[str, tuple[str, ...]]:
    """Return the patches that a series lists, each with its options, in order."""
    try:
        lines = series.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError as error:
        raise PatchError(f"{series}: not UTF-8: {error.reason} at byte {error.start}") from error
    names: dict[str, tuple[str, ...]] = {}
    listed: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        # a comment begins at the line's start or after a blank, as in quilt
        name, *options = [*takewhile(lambda word: not word.startswith("#"), line.split())] or [""]
        if not name:
            continue
        where = f"{series}:{number}"
        for option in options:
            if not _OPTION.fullmatch(option):
                raise PatchError(
                    f"{where}: unknown option {option}: there are -p0, -p1 (the default), … and -R"
                )
        pure = PurePosixPath(name)
        if pure.is_absolute() or ".." in pure.parts or pure.as_posix() != name:
            raise PatchError(f"{where}: {name}: a patch lies below the folder of its series")
        if name in names:
            raise PatchError(f"{where}: {name} is listed already, on line {listed[name]}")
        path = series.parent / name
        if not path.is_file():
            instead = "a folder, not a patch" if path.is_dir() else f"no such patch in {series.parent}"
            raise PatchError(f"{where}: {name}: {instead}{nearest(name, there)}")
        names[name], listed[name] = tuple(option for option in options if option not in _USUAL), number
    return names
