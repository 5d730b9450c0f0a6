"""Text for people: amounts in words, times, releases, and others' text in which nothing commands a terminal."""

from __future__ import annotations

from datetime import UTC, datetime

from workbench.url import mask

LAYOUT = "\n\t"
"""The control characters that a text of several lines may have."""


def shown(text: str, *, keep: str = "") -> str:
    """Return a text in which escapes stand for what a terminal does not show, or obeys, and ``***`` for secrets.

    Characters to `keep` stay.
    """
    text = mask(text)
    if text.isprintable():
        return text
    return "".join(
        each if each.isprintable() or each in keep else each.encode("unicode_escape").decode()
        for each in text
    )


def timestamp(when: datetime) -> str:
    """Write a time as registries and statements do: UTC, RFC 3339, whole seconds."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def duration(seconds: float) -> str:
    """Write seconds as people do: ``0.4 s``, ``12.3 s``, ``4 min 05 s``."""
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s"


def file_size(count: int) -> str:
    """Write bytes in decimal units, as package indexes do: ``217.4 kB``."""
    size = float(count)
    for unit in ("B", "kB", "MB"):
        if size < 1000:  # noqa: PLR2004 - decimal units
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.2f} GB"


def counted(count: int, noun: str) -> str:
    """Write how many there are of something: ``1 wheel``, ``2 wheels``, ``2 patches``."""
    plural = f"{noun}es" if noun.endswith("ch") else f"{noun}s"
    return f"{count} {noun if count == 1 else plural}"


def minor(release: str) -> str:
    """Return X.Y of a release X.Y.Z, whatever it was built for: 2.11 of 2.11.0+cu130."""
    return ".".join(release.partition("+")[0].split(".")[:2])
