"""A patch's header as the message of a commit, and back: subject, text, fields, and the patch's name.

Description, its text and the other fields of DEP-3 are the subject, the body and the last paragraph, in which
``Patch:`` names the file::

    Do not tune for the build host

    Upstream compiles with -march=native, so a wheel dies of SIGILL elsewhere.

    Author: Ada Lovelace <ada@example.org>
    Origin: vendor
    Patch: portable-by-default.patch
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from workbench.patches.header import description_of

NAME = "Patch"
"""The field that names a commit's patch."""

COMMENT = ";"
"""What begins a comment in a message, in place of git's ``#``, which headers have at the start of lines."""

_LONGEST_NAME = 52
"""Characters of a name that is made from a title, as git's own names of patches have at most."""

_FIELD = re.compile(r"([A-Za-z][A-Za-z0-9-]*): (.*)")
_CONFLICTS = re.compile(rf"{COMMENT}( Conflicts:$|\t)")
_MAIL = re.compile(r"From [0-9a-f]{40,64} ")
_MIME = ("date", "mime-version", "content-type", "content-transfer-encoding", "message-id", "x-mailer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a commit says of its patch: `subject`, `body` (lines) and `fields` of DEP-3, without a name among them."""

    subject: str
    body: tuple[str, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> Message:
        """Return the message that a text is; what git adds of conflicts is left out."""
        lines = [line.rstrip() for line in text.splitlines() if not _CONFLICTS.match(line)]
        (subject, *rest), *body = _paragraphs(lines) or [[""]]
        fields = _fields(body[-1]) if body else None
        if fields is not None:
            body.pop()
        if rest:
            body.insert(0, rest)
        named = [value for key, value in fields or () if key == NAME]
        return cls(
            subject=subject,
            body=tuple("\n\n".join("\n".join(each) for each in body).splitlines()),
            fields=tuple((key, value) for key, value in fields or () if key != NAME),
            name=named[-1] if named else "",
        )

    def __str__(self) -> str:
        fields = [
            f"{key}: {value}" for key, value in (*self.fields, *([(NAME, self.name)] if self.name else []))
        ]
        parts = (self.subject, "\n".join(self.body), "\n".join(fields))
        return "\n\n".join(part for part in parts if part) + "\n"

    def field(self, *names: str) -> str:
        """Return the first field that has one of some names, or nothing."""
        wanted = [name.lower() for name in names]
        return next((value for key, value in self.fields if key.lower() in wanted), "")

    def header(self) -> bytes:
        """Return it as a patch's header (DEP-3)."""
        body = [f" {line}" if line else " ." for line in self.body]
        fields = [f"{key}: {value}" for key, value in self.fields]
        return "".join(f"{line}\n" for line in (f"Description: {self.subject}", *body, *fields)).encode()


def message_of(header: bytes, name: str) -> Message:
    """Return what a patch's header says, as the message of its commit."""
    text = kept_header(header).decode(errors="replace")
    lines = [line.rstrip() for line in text.splitlines()]
    subject = description_of(header) or name
    if lines and _MAIL.match(lines[0]):
        fields, body = _of_mail(lines[1:])
    else:
        fields, body = _of_dep3(lines, subject)
    # through the text and back, so that a message that nobody touched is the same one
    return Message.parse(str(Message(subject=subject, body=tuple(body), fields=tuple(fields), name=name)))


def kept_header(header: bytes) -> bytes:
    """Return a header without what belongs to one diff alone: a diffstat, quilt's ``Index:`` lines."""
    kept: list[bytes] = []
    for line in header.splitlines(keepends=True):
        if line.rstrip() == b"---" or line.startswith(b"Index: "):
            break
        kept.append(line)
    return b"".join(kept)


def file_name(title: str) -> str:
    """Return the name of the patch that a title describes: ``do-not-tune.patch``."""
    plain = unicodedata.normalize("NFKD", title.casefold()).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9.]+", "-", plain.replace("'", "")).strip("-.")
    return f"{words[:_LONGEST_NAME].rstrip('-.') or 'patch'}.patch"


def _of_dep3(lines: list[str], subject: str) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the fields of a DEP-3 header without its description, and the description's text below the first line."""
    fields: list[tuple[str, list[str]]] = []
    free: list[str] = []
    for line in lines:
        found = _FIELD.fullmatch(line) or re.fullmatch(r"([A-Za-z][A-Za-z0-9-]*):()", line)
        if found and not any(free):
            fields.append((found[1], [found[2].strip()]))
        elif fields and line.startswith((" ", "\t")) and not any(free):
            fields[-1][1].append("" if line.strip() == "." else line[1:])
        else:
            free.append(line)
    described = next((each for each in fields if each[0].lower() in ("description", "subject")), None)
    below = described[1][1:] if described else []
    text = free[1:] if free and free[0].strip() == subject else free
    body = "\n".join((*below, *(["", *text] if below and text else text))).strip("\n")
    others = [(key, " ".join(value).strip()) for key, value in fields if (key, value) != described]
    return [each for each in others if each[1]], body.splitlines()


def _of_mail(lines: list[str]) -> tuple[list[tuple[str, str]], list[str]]:
    """Return the fields and the text of a mail of ``git format-patch``."""
    end = lines.index("") if "" in lines else len(lines)
    named = [found for line in lines[:end] if (found := _FIELD.fullmatch(line))]
    fields = [
        ("Author" if key.lower() == "from" else key, value)
        for key, value in (found.groups() for found in named)
        if key.lower() not in (*_MIME, "subject")
    ]
    body = lines[end + 1 :]
    paragraphs = _paragraphs(body)
    if paragraphs and (trailers := _fields(paragraphs[-1])) is not None:
        fields += trailers
        body = "\n\n".join("\n".join(each) for each in paragraphs[:-1]).splitlines()
    return fields, body


def _paragraphs(lines: list[str]) -> list[list[str]]:
    found: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            found[-1].append(line)
        elif found[-1]:
            found.append([])
    return [each for each in found if each]


def _fields(paragraph: list[str]) -> list[tuple[str, str]] | None:
    """Return the fields that a paragraph is, or None for one of text."""
    found = [_FIELD.fullmatch(line) for line in paragraph]
    return [(each[1], each[2]) for each in found if each] if all(found) else None
