"""The tags of releases, by template: ``v{version}-{variant}``, ``{date}``."""

from __future__ import annotations

import re
import string
from datetime import UTC, datetime
from itertools import count
from typing import TYPE_CHECKING

from workbench.errors import UsageError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.outlets.outlet import Subject

USUAL = "{package}-v{version}"
"""Where no tag is named."""

FIELDS = ("date", "package", "variant", "version")

_BAD = re.compile(r"[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|^[./-]|[./]$|\.lock$|/\.")
"""What git refuses in the name of a tag (git-check-ref-format)."""


def expect_template(template: str) -> None:
    """Raise UsageError for a template that cannot become a tag, with what is wrong with it."""
    try:
        named = [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]
        for name in named:
            if name not in FIELDS:
                there_are = ", ".join(f"{{{each}}}" for each in FIELDS)
                raise UsageError(
                    f"--to github:{template}: unknown field {{{name}}}{nearest(name, FIELDS)}: there are {there_are}"
                )
        tried = template.format(**dict.fromkeys(FIELDS, "1"))
    except (ValueError, IndexError, AttributeError, KeyError) as error:
        raise UsageError(f"--to github:{template}: not a template of a tag: {error}") from error
    if not tried or _BAD.search(tried):
        raise UsageError(f"--to github:{template}: it cannot be a tag: git refuses such a name")


def tag_of(template: str, subject: Subject) -> str:
    """Return the tag for a wheel. Raises UsageError where the template names a variant and the wheel has none."""
    if "{variant}" in template and not subject.variant:
        raise UsageError(
            f"the tag {template} names the variant, and {subject.project} {subject.version} is the usual build, which "
            "has none: give a tag without {variant}"
        )
    return template.format(
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        package=subject.project,
        version=subject.version,
        variant=subject.variant,
    )


def following(tag: str) -> Iterator[str]:
    """Yield a tag, and the next ones after it: ``v1``, ``v1-2``, ``v1-3`` ..."""
    yield tag
    yield from (f"{tag}-{number}" for number in count(2))
