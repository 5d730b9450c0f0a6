"""The tags of a page of HTML, in one pass: the time is in proportion to the page's length, whatever the page is.

Python's own parser goes over parts of hostile pages again and again: 1 MB of them takes it minutes. On the pages that
indexes have, this one sees what that one sees.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from typing import NamedTuple

_NAME = re.compile(r"[a-zA-Z][^\s/>]*")
_ATTRIBUTE = re.compile(r"""[\s/]*([^\s/>][^\s/>=]*)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s>"'][^\s>]*))?)?""")
_RAW = re.compile(r"</(?:script|style)", re.IGNORECASE)
_MOST_ATTRIBUTES = 100


class Tag(NamedTuple):
    """A tag: where it starts and ends, and its name in lower case, after ``/`` of an end tag or ``!`` of a declaration.

    Of an attribute that is there twice the last counts, as for pip. Comments and instructions are called ``!--``.
    """

    start: int
    end: int
    name: str
    attributes: dict[str, str]


def tags(text: str) -> Iterator[Tag]:
    """Yield the tags of a page. One that does not end is none."""
    at = 0
    while (start := text.find("<", at)) >= 0:
        mark = text[start + 1] if text[start + 1 : start + 2] in ("/", "!", "?") else ""
        name = _NAME.match(text, start + 1 + len(mark))
        if name is None and not mark:
            at = start + 1
            continue
        if name is None or mark == "?":
            comment = text.startswith("<!--", start)
            at = _after(text, "-->", start + 4) if comment else _after(text, ">", start)
            yield Tag(start, at, "!--", {})
            continue
        end, attributes = _attributes(text, name.end())
        if (closed := text.find(">", end)) < 0:
            return
        at = closed + 1
        word = mark + name[0].lower()
        yield Tag(start, at, word, attributes)
        if word in ("script", "style"):  # nothing in it is a tag
            raw = _RAW.search(text, at)
            at = raw.start() if raw else len(text)


def _attributes(text: str, at: int) -> tuple[int, dict[str, str]]:
    """Return the attributes that begin at an offset, and where they end."""
    found: dict[str, str] = {}
    while one := _ATTRIBUTE.match(text, at):
        at = one.end()
        if len(found) < _MOST_ATTRIBUTES:
            found[one[1].lower()] = unescape(one[2] or one[3] or one[4] or "")
    return at, found


def _after(text: str, mark: str, at: int) -> int:
    """Return where a mark ends; the end of the text where there is none."""
    found = text.find(mark, at)
    return len(text) if found < 0 else found + len(mark)
