"""The names of many wheels, read at once: those that say the same of Python, platform, CUDA and torch are one group.

A source with ten thousand wheels has some hundred such groups, in each of which only names and versions differ.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workbench.consume.offer import Hints, OfferedWheel

_LOCAL = re.compile(r"[a-z0-9]+(?:[._][a-z0-9]+)*", re.IGNORECASE | re.ASCII)


class SameBuild(NamedTuple):
    """Wheels of a group with the same local version, as it is written; "" for those without one."""

    local: str
    offers: list[OfferedWheel]


class SameTags(NamedTuple):
    """Wheels with the same tags, Requires-Python and hints, as they are written.

    `tags` is ``cp312-cp312-linux_x86_64``. It is empty where a name is not a wheel's; then `ending`, what stands behind
    the version in a filename, says more.
    """

    tags: str
    ending: str
    requires_python: str | None
    hints: Hints
    builds: list[SameBuild]

    @property
    def pure(self) -> bool:
        """Whether the wheels take any platform."""
        return self.tags.endswith("-any")


Groups = tuple[SameTags, ...]


def group(offers: Iterable[OfferedWheel]) -> Groups:
    """Return the groups of some wheels, and of what is offered besides."""
    found: dict[tuple[str | None, Hints], defaultdict[str, list[OfferedWheel]]] = {}
    requires: str | None = None
    hints: Hints | None = None
    endings: defaultdict[str, list[OfferedWheel]] = defaultdict(list)
    for offer in offers:  # ten thousand times: what most of them share is compared by identity
        if offer.hints is not hints or offer.requires_python is not requires:
            requires, hints = offer.requires_python, offer.hints
            endings = found.setdefault((requires, hints), defaultdict(list))
        filename = offer.filename
        plus = filename.find("+")
        endings[filename[plus + 1 :] if plus > 0 else _without_local(filename)].append(offer)
    groups: list[SameTags] = []
    for (requires_python, said), by_ending in found.items():
        by_tags: dict[str, SameTags] = {}
        for ending, same in by_ending.items():
            local, _, tags = ending.partition("-")
            tags = tags.removesuffix(".whl") if tags.endswith(".whl") else ""
            key = tags or ending
            if key not in by_tags:
                by_tags[key] = SameTags(tags, ending, requires_python, said, [])
            by_tags[key].builds.append(SameBuild(local, same))
        groups += by_tags.values()
    return tuple(groups)


def _without_local(filename: str) -> str:
    return f"-{filename.partition('-')[2].partition('-')[2]}"


def name_and_version(filename: str) -> tuple[str, str]:
    """Return the name and the version in a filename, as they are written, the version without its local part.

    A version with a local part that is not valid (PEP 440) is returned whole.
    """
    name, _, rest = filename.partition("-")
    version = rest.partition("-")[0]
    public, plus, local = version.partition("+")
    return name, version if plus and not _LOCAL.fullmatch(local) else public
