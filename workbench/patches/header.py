"""What a patch says that it does, in the header above its first change (DEP-3, git's mails, quilt's free text)."""

from __future__ import annotations

import re

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


def description_of(preamble: bytes) -> str:
    """Return the line that describes a patch, out of the text before its first change; empty where none does.

    It is the Description of DEP-3 or the Subject of a mail, and else the first line of free text.
    """
    lines = preamble.decode(errors="replace").splitlines()
    is_mail = bool(lines and _MAIL.match(lines[0]))
    fields: list[tuple[str, list[str]]] = []
    free = ""
    in_field = in_text = False
    for line in lines[is_mail:]:
        # "---" ends the message and begins git's diffstat; "Index: " is quilt's
        if line == "---" or line.startswith("Index: "):
            break
        field = _FIELD.fullmatch(line)
        if field and not in_text and _KNOWN.fullmatch(field[1]):
            fields.append((field[1].lower(), [_decoded(field[2])]))
            in_field = True
        elif in_field and line.startswith((" ", "\t")):
            # a mail folds a long line; in DEP-3 the synopsis ends with its line
            fields[-1][1].extend([_decoded(line.strip())] if is_mail else [])
        else:
            in_field, in_text = False, bool(line.strip())
            free = free or line.strip()
    said = [(key, " ".join(value)) for key, value in fields]
    named = (value for name in ("description", "subject") for key, value in said if key == name)
    described = next((each for each in named if not _PLACEHOLDER.fullmatch(each)), "")
    return _without_tag(described or free).strip()


def _without_tag(subject: str) -> str:
    """Return a subject without what git puts before it: ``[PATCH 2/3]``."""
    tag, bracket, rest = subject.partition("]")
    return rest if bracket and tag.startswith("[") and "PATCH" in tag else subject


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
