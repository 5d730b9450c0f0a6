"""Where a wheel's members land when it is installed: names that meet, mislead, or were never meant to be there."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from workbench.wheel import record

if TYPE_CHECKING:
    from workbench.verify.archive import Contents
    from workbench.verify.report import Fault

_MISLEADING = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and those that turn the direction of text: what is shown is not what is there."""

_EDITABLE = re.compile(
    r"__editable__[^/]*|__editables?_[^/]*\.py|_editable_impl_[^/]*\.pth|_\w+_editable\.(?:py|pth)"
    r"|[^/]+\.egg-link|build/(?:lib|bdist)[^/]*/.*"
)
"""What editable installs of setuptools, hatchling and scikit-build-core leave behind, and a build in the tree."""


def check_layout(contents: Contents) -> Iterator[Fault]:
    """Find members that meet when they are installed, and those that are not part of a release."""
    files: dict[str, str] = {}
    folded: dict[str, str] = {}
    for member in contents.members:
        name = member.name
        if _MISLEADING.search(name):
            what = "its name has control characters, or some that turn the direction of text"
            yield ascii(name)[1:-1], what
        if member.entry.is_folder:
            continue
        path = record.installed(name) or name
        if _EDITABLE.fullmatch(path):
            yield name, "a leftover of an editable install, or of a build in the source tree"
        alike = unicodedata.normalize("NFC", path).casefold()
        if path in files:
            if files[path] != name:  # two of one name are damage of the archive
                yield name, f"it is installed where {files[path]} is"
        elif alike in folded:
            yield name, f"some file systems take its name for that of {folded[alike]}"
        files[path] = folded[alike] = name
    # with the separator below every other character, what lies in a folder comes right after its name
    ordered = sorted(path.replace("/", "\0") for path in files)
    for path, following in pairwise(ordered):
        if following.startswith(f"{path}\0"):
            file = path.replace("\0", "/")
            # a name that has a NUL of its own is a finding of its own
            yield files.get(file, file), "a file, and the name of a folder of other members"
