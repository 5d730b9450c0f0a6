"""The header of a patch: who changed what, why, and where it was sent (DEP-3, and git's mails)."""

from __future__ import annotations

import re
from dataclasses import dataclass

_FIELD = re.compile(r"([A-Za-z][A-Za-z-]*(?:<Vendor>)?): ?(.*)")
_MAIL = re.compile(r"From [0-9a-f]{40,64} ")
_PLACEHOLDER = re.compile(r"(\d{4}-\d\d-\d\d )?<[^<>@]*[ |][^<>@]*>(, <[^<>@]*>)?")
"""What the templates of quilt and dpkg have where somebody is to write something."""

_LONGEST_LINE = 998
"""Characters of a mail's line (RFC 5322)."""

_KNOWN = re.compile(
    r"description|subject|author|from|origin|bug(-[a-z]+|-<vendor>)*|forwarded|reviewed-by|acked-by|last-update"
    r"|applied-upstream|date|mime-version|content-type|content-transfer-encoding|signed-off-by",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a patch says of itself, by DEP-3; every part may be empty.

    `description` is one line, `long_description` what follows it. `bugs` are pairs of the field's name
    (``Bug``, ``Bug-Debian``) and a URL. `last_update` is as written, usually YYYY-MM-DD.
    """

    description: str = ""
    long_description: str = ""
    author: str = ""
    origin: str = ""
    bugs: tuple[tuple[str, str], ...] = ()
    forwarded: str = ""
    reviewed_by: tuple[str, ...] = ()
    last_update: str = ""
    applied_upstream: str = ""


def parse_header(preamble: bytes) -> Header:
    """Return the header that stands before a patch's first change. Free text is the description."""
    fields, free = _split(preamble.decode(errors="replace"))
    fields = [(key, value) for key, value in fields if not _PLACEHOLDER.fullmatch(value.split("\n", 1)[0])]

    def first(*names: str) -> str:
        return next((value for name in names for key, value in fields if key.lower() == name), "")

    def every(*names: str) -> tuple[str, ...]:
        return tuple(value for key, value in fields if key.lower() in names)

    described = first("description", "subject").split("\n", 1)
    paragraphs = [*described[1:], *free]
    if not described[0] and free:
        described = free[0].split("\n", 1)
        paragraphs = [*described[1:], *free[1:]]
    return Header(
        description=_without_tag(described[0]).strip(),
        long_description="\n\n".join(paragraphs).strip(),
        author=first("author", "from"),
        origin=first("origin"),
        bugs=tuple((key, value) for key, value in fields if re.fullmatch("(?i)bug(-[a-z]+)*", key)),
        forwarded=first("forwarded"),
        reviewed_by=every("reviewed-by", "acked-by"),
        last_update=first("last-update"),
        applied_upstream=first("applied-upstream"),
    )


def _split(text: str) -> tuple[list[tuple[str, str]], list[str]]:
    """Split a header into its fields and its paragraphs of free text."""
    lines = text.splitlines()
    is_mail = bool(lines and _MAIL.match(lines[0]))
    if is_mail:
        lines.pop(0)
    fields: list[tuple[str, list[str]]] = []
    paragraphs: list[list[str]] = [[]]
    in_field = False
    for line in lines:
        # "---" ends the message and begins git's diffstat; "Index: " is quilt's
        if line == "---" or line.startswith("Index: "):
            break
        field = _FIELD.fullmatch(line)
        if field and not paragraphs[-1] and _KNOWN.fullmatch(field[1]):
            fields.append((field[1], [_decoded(field[2])]))
            in_field = True
        elif in_field and line.startswith((" ", "\t")):
            fields[-1][1].append(_decoded(line.strip()) if is_mail else _unindented(line))
        else:
            in_field = False
            if line.strip():
                paragraphs[-1].append(line)
            else:
                paragraphs.append([])
    free = ["\n".join(paragraph) for paragraph in paragraphs if paragraph]
    # a mail folds a long line; in DEP-3 the synopsis ends with its line
    return [(name, (" " if is_mail else "\n").join(value)) for name, value in fields], free


def _without_tag(subject: str) -> str:
    """Return a subject without what git puts before it: ``[PATCH 2/3]``."""
    tag, bracket, rest = subject.partition("]")
    return rest if bracket and tag.startswith("[") and "PATCH" in tag else subject


def _unindented(line: str) -> str:
    """Return a continuation line's text; a lone full stop stands for an empty line."""
    return "" if line.strip() == "." else line[1:]


def _decoded(value: str) -> str:
    """Decode a mail header's encoded words (RFC 2047)."""
    if "=?" not in value or len(value) > _LONGEST_LINE:
        return value
    from email.errors import MessageError
    from email.header import decode_header, make_header

    try:
        return str(make_header(decode_header(value)))
    except (MessageError, LookupError, ValueError):
        return value
