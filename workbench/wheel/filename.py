"""Wheel filenames, with the variant label that may stand at their end (PEP 825, a draft)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.tags import Tag
    from packaging.utils import BuildTag, NormalizedName
    from packaging.version import Version

PLAIN_DASHES = 4
"""In the name of a wheel with neither a build tag nor a variant label."""

LONGEST = 255
"""Characters of a filename: no file system takes more."""

MOST_TAGS = 100
"""Sound wheels have up to some dozens; a name of 255 characters can say 70,000."""

_PLATFORM = re.compile(r"(?:linux|manylinux(?:1|2010|2014|_\d+_\d+)|musllinux_\d+_\d+)_(?P<arch>\w+)")
_LABELLED = re.compile(
    r"(?P<plain>[^-]+-[^-]+(?:-[0-9][^-]*)?-[^-0-9][^-]*-[^-]+-[^-]+)-(?P<label>[0-9a-z_.]{1,16})\.whl"
)


def label(filename: str) -> str | None:
    """Return a wheel's variant label; None where it has none. A build tag, which starts with a digit, is none."""
    if filename.count("-") <= PLAIN_DASHES:
        return None
    found = _LABELLED.fullmatch(filename)
    return found["label"] if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelName:
    """What a wheel's filename says (PEP 427): normalised name, version, build tag, tags."""

    name: NormalizedName
    version: Version
    build: BuildTag
    tags: frozenset[Tag]

    @property
    def architectures(self) -> frozenset[str]:
        """The architectures of its Linux platform tags; empty for ``any``."""
        matches = (_PLATFORM.fullmatch(tag.platform) for tag in self.tags)
        return frozenset(match["arch"] for match in matches if match)

    @property
    def pure(self) -> bool:
        """Whether it claims to run on any platform."""
        return any(tag.platform == "any" for tag in self.tags)


@lru_cache(maxsize=4096)
def parse_wheel(filename: str, *, labelled: bool = False) -> WheelName:
    """Return what a wheel's filename says: this is the one parser of them.

    A name with a variant label, which no installer reads yet, is an error unless `labelled`.
    Raises `packaging.utils.InvalidWheelFilename`, also for a name that is longer than `LONGEST`, or has more than
    `MOST_TAGS` tags.
    """
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    found = _LABELLED.fullmatch(filename) if labelled and filename.count("-") > PLAIN_DASHES else None
    plain = f"{found['plain']}.whl" if found else filename
    if len(filename) > LONGEST:
        raise InvalidWheelFilename(
            f"{filename:.60}… is longer than {LONGEST} characters, which no file system takes"
        )
    sets = plain.removesuffix(".whl").split("-")[-3:]  # each of Pythons, of ABIs, of platforms
    if prod(each.count(".") + 1 for each in sets) > MOST_TAGS:
        raise InvalidWheelFilename(f"{filename:.100}…: more than {MOST_TAGS} tags")
    name, version, build, tags = parse_wheel_filename(plain)
    return WheelName(name=name, version=version, build=build, tags=tags)


def wheel_name_or_none(filename: str) -> WheelName | None:
    """Return what a filename says, or None for one that is not a wheel's."""
    from packaging.utils import InvalidWheelFilename

    try:
        return parse_wheel(filename)
    except InvalidWheelFilename:
        return None
