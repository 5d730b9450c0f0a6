"""``update-readme``: built wheels get another long description, and what is known of them says so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from workbench.errors import UsageError, VerificationFailed, WorkbenchError
from workbench.evidence import notes
from workbench.evidence.statements import write_statement
from workbench.files import expect_file, expect_wheels, scratch, sha256_of, write_whole
from workbench.text import counted
from workbench.verify.twine import check_descriptions
from workbench.wheel.describe import described, redescribe
from workbench.wheel.stream import BadBinary
from workbench.wheel.wheel import open_wheel

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from workbench.evidence.built import Built
    from workbench.evidence.signer import Signer

_TYPES = {".md": "text/markdown", ".rst": "text/x-rst", ".txt": "text/plain"}
"""The content type of a description, by its file's suffix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redescribed:
    """A wheel and its sha256 (hex) now; `changed` is false where it had this description already."""

    wheel: Path
    sha256: str
    changed: bool


def update_readme(
    wheels: Sequence[Path], file: Path, *, signer: Signer | None = None, dry_run: bool = False
) -> tuple[Redescribed, ...]:
    """Give wheels the text of a file as their long description. All are looked at before the first is changed.

    What is noted of a wheel's build goes with it and tells of the change; a statement beside it is of the older bytes,
    and is made anew where `signer` signs. Raises UsageError for a file that is not a description, or for a damaged
    wheel, and VerificationFailed for a description that an index would not show (``twine check``).
    """
    text, content_type = _description(expect_file(file))
    before = {wheel: _metadata(wheel) for wheel in expect_wheels(wheels)}
    after = {wheel: described(metadata, text, content_type) for wheel, metadata in before.items()}
    found = [finding for each in check_descriptions(after).values() for finding in each or ()]
    if found:
        raise VerificationFailed(f"{file}: an index would not show it: {found[0].what}")
    changed = [wheel for wheel in after if after[wheel] != before[wheel]]
    for wheel in () if dry_run else changed:
        _update(wheel, after[wheel], file, signer)
    return tuple(
        Redescribed(wheel=wheel, sha256=sha256_of(wheel), changed=wheel in changed) for wheel in after
    )


def _description(file: Path) -> tuple[str, str]:
    content_type = _TYPES.get(file.suffix.lower())
    if content_type is None:
        raise UsageError(f"--file {file}: which form is it? Name it .md, .rst or .txt")
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(f"--file {file}: it is not UTF-8: {error}") from error
    if not text.strip():
        raise UsageError(f"--file {file}: it is empty")
    return text, f"{content_type}; charset=UTF-8"


def _metadata(wheel: Path) -> bytes:
    try:
        with open_wheel(wheel) as opened:
            return opened.text("METADATA")
    except BadBinary as error:
        raise UsageError(f"{wheel}: not a whole wheel: {error}") from error


def _update(wheel: Path, metadata: bytes, file: Path, signer: Signer | None) -> None:
    """Put a wheel with this METADATA in the place of one, and what is known of it beside it."""
    with scratch(wheel.parent, ".readme.") as folder:
        part = folder / wheel.name
        redescribe(wheel, part, metadata)
        # first what is known of it: killed in between, the same command finds that the notes are of this file
        if (known := _known(wheel, part)) is not None:
            _note(part, known, file, signer)
            notes.unsay(wheel)
            for each in sorted(folder.iterdir()):
                if each != part:
                    each.replace(wheel.parent / each.name)
        elif notes.read(wheel) is None:  # others may have said something of it
            notes.unsay(wheel)
        part.replace(wheel)


def _known(wheel: Path, part: Path) -> Built | None:
    """Return what is known of a wheel; None where nothing is, or where it is noted of its new file already."""
    try:
        return notes.recall(wheel)
    except WorkbenchError:
        noted = notes.read(wheel)
        if noted is None or not notes.speaks_of(noted, part):
            raise
        return None


def _note(part: Path, known: Built, file: Path, signer: Signer | None) -> None:
    """Keep beside a changed wheel what is known of it, and that it was changed."""
    said = f"the long description is {file.name}, sha256 {sha256_of(file)}"
    made = replace(known.provenance, changed=said) if known.provenance else None
    notes.keep(part, build_key=known.build_key, gpu=known.gpu, facts=known.facts, provenance=made)
    if made is not None and signer is not None:
        stated = write_statement(part.name, sha256_of(part), made, [signer])
        write_whole(notes.statement_path(part), stated)


def lines(done: Sequence[Redescribed], *, dry_run: bool) -> list[str]:
    """Return what was done, as a person reads it."""
    verb = "would change" if dry_run else "changed"
    told = [
        f"{verb} {each.wheel.name}: sha256 {each.sha256}"
        if each.changed
        else f"{each.wheel.name} has this description already"
        for each in done
    ]
    return [*told, f"{verb} {counted(sum(each.changed for each in done), 'wheel')}"]
