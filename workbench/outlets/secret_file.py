"""``.env``: names and values, one to a line, that only its owner can read."""

from __future__ import annotations

import os
import re
import stat
from shlex import quote
from typing import TYPE_CHECKING

from workbench.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

_LINE = re.compile(
    r"""\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*"""
    r"""(?:"([^"]*)"|'([^']*)'|((?:[^\s#"']|(?<!\s)\#)*))\s*(?:(?<=[\s"'])\#.*)?"""
)
OTHERS = stat.S_IRWXG | stat.S_IRWXO
"""What anybody but a file's owner may do with it."""


def read_private(path: Path) -> dict[str, str]:
    """Return the names and values of a file; nothing where there is none. A ``$`` in a value is a ``$``.

    A comment begins with a ``#`` that stands behind a space, or behind a value in quotes.

    Raises SettingsError for a file that anybody but its owner, who is this user, can read or write; for a folder; for
    one that is not UTF-8; for a line that is not NAME=VALUE, without showing it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return {}
    found = os.fstat(descriptor)
    if stat.S_ISDIR(found.st_mode):
        os.close(descriptor)
        raise SettingsError(f"{path} is a folder: write a file of NAME=VALUE there, or move it away")
    with os.fdopen(descriptor, encoding="utf-8-sig") as file:
        if found.st_mode & OTHERS or found.st_uid != os.geteuid():
            raise SettingsError(
                f"{path} is refused: it holds secrets, and others than its owner can read or write it "
                f"(mode {stat.S_IMODE(found.st_mode):04o}): run 'chmod 600 {quote(str(path))}'"
            )
        try:
            lines = file.read().splitlines()
        except UnicodeDecodeError:
            # the error would quote it
            raise SettingsError(f"{path} is not UTF-8: save it as UTF-8") from None
    values = {}
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None:
            raise SettingsError(f"{path}:{number}: write NAME=VALUE, in quotes where the value has a space")
        values[match[1]] = next(part for part in match.groups()[1:] if part is not None)
    return values
