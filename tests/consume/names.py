"""Names of real wheels, as those who publish them wrote them (seen in November 2026)."""

from __future__ import annotations

from pathlib import Path

RELEASED = Path(__file__).parent / "release-names.tsv"
"""1,366 names of 1,783 files in the releases of one source, grouped: name and version, and all tags of these."""


def released() -> list[str]:
    """Return the names of one source's wheels."""
    lines = (line.split("\t") for line in RELEASED.read_text().splitlines())
    return [f"{start}-{tags}.whl" for start, all_tags in lines for tags in all_tags.split()]


def many(count: int) -> list[str]:
    """Return so many names: the real ones, and the same with other versions."""
    names = released()
    found = list(names)
    while len(found) < count:
        post = len(found) // len(names)
        for name in names:
            start, _, rest = name.partition("+")
            found.append(f"{start.partition('.post')[0]}.post{100 + post}+{rest}")
    return found[:count]
