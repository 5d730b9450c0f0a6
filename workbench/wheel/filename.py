"""Wheel filenames, with the variant label that may stand at their end (PEP 825, a draft)."""

from __future__ import annotations

import re
from math import prod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from packaging.tags import Tag
    from packaging.utils import BuildTag, NormalizedName
    from packaging.version import Version

PLAIN_DASHES = 4
"""In the name of a wheel with neither a build tag nor a variant label."""

MOST_TAGS = 500
"""Sound wheels have up to some dozens; a name of 255 characters can say 70,000."""

_LABELLED = re.compile(
    r"(?P<plain>[^-]+-[^-]+(?:-[0-9][^-]*)?-[^-0-9][^-]*-[^-]+-[^-]+)-(?P<label>[0-9a-z_.]{1,16})\.whl"
)


def label(filename: str) -> str | None:
    """Return a wheel's variant label; None where it has none. A build tag, which starts with a digit, is none."""
    if filename.count("-") <= PLAIN_DASHES:
        return None
    found = _LABELLED.fullmatch(filename)
    return found["label"] if found else None


def parse_wheel(filename: str) -> tuple[NormalizedName, Version, BuildTag, frozenset[Tag]]:
    """Return name, version, build tag and tags of a wheel, as `packaging` does, with a variant label or without.

    Raises `packaging.utils.InvalidWheelFilename`, also for a name with more than `MOST_TAGS` tags.
    """
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    found = _LABELLED.fullmatch(filename) if filename.count("-") > PLAIN_DASHES else None
    plain = f"{found['plain']}.whl" if found else filename
    sets = plain.removesuffix(".whl").split("-")[-3:]  # each of Pythons, of ABIs, of platforms
    if prod(each.count(".") + 1 for each in sets) > MOST_TAGS:
        raise InvalidWheelFilename(f"{filename:.100}…: more than {MOST_TAGS} tags")
    return parse_wheel_filename(plain)
