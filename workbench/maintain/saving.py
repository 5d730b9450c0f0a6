"""Commits become a series: what has not changed keeps its bytes, and all of it is applied strictly before it counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import PatchError
from workbench.events import note
from workbench.files import temporary
from workbench.patches.apply import apply_series
from workbench.patches.message import Message, file_name, kept_header, message_of
from workbench.patches.series import PatchFile
from workbench.patches.writing import WrittenPatch

if TYPE_CHECKING:
    from workbench.maintain.repository import Commit, Index, Repository


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPatch:
    """A patch of a series that was made from commits; `kept` says that its diff is the one that it had before."""

    patch: WrittenPatch
    kept: bool


def series_of(
    repository: Repository,
    base: str,
    commits: Sequence[Commit],
    before: Mapping[str, PatchFile],
    others: Iterable[str] = (),
) -> tuple[SavedPatch, ...]:
    """Return the series that some commits on `base` are.

    `before` has the patches as they are, by name; `others` are names that no new patch may have. A commit without a
    change is left out. Raises PatchError for what a patch cannot hold (binary files, symbolic links, a file that is
    left empty), naming the patch.
    """
    saved: list[SavedPatch] = []
    taken = {*others, *(name for each in commits if (name := Message.parse(each.message).name))}
    with temporary() as place, repository.index() as index:
        tree = place / "source"
        repository.export(base, tree)
        index.git("read-tree", base)
        reached = repository.tree(base)
        for commit in commits:
            message = Message.parse(commit.message)
            name = message.name or fresh_name(message.subject, taken)
            taken.add(name)
            if commit.tree == reached:
                note(f"{name} changes nothing (yet), and is not in the series")
                continue
            old = before.get(name)
            if old and _applies(old, tree, index, commit):
                saved.append(SavedPatch(patch=_kept(old, message), kept=True))
            else:
                text = _header(old, message, commit) + repository.diff(reached, commit.tree)
                patch = PatchFile.parse(text, name=name, path=Path(name))
                _restore(index, tree, reached)
                if index.update(tree, apply_series([patch], tree)) != commit.tree:
                    raise PatchError(f"{name}: what it changes cannot be said in a patch that quilt applies")
                saved.append(SavedPatch(patch=WrittenPatch(name=name, text=text), kept=False))
            reached = commit.tree
    return tuple(saved)


def _applies(patch: PatchFile, tree: Path, index: Index, commit: Commit) -> bool:
    """Apply a patch to the files below a folder, and say whether they are those of a commit then."""
    try:
        return index.update(tree, apply_series([patch], tree)) == commit.tree
    except PatchError:
        return False


def _restore(index: Index, tree: Path, reached: str) -> None:
    """Have the files below a folder be those of a tree again."""
    index.git("--work-tree", tree, "read-tree", "--reset", "-u", reached)


def _kept(old: PatchFile, message: Message) -> WrittenPatch:
    """Return a patch with the diff that it has; with its header too, unless somebody has written that anew."""
    if message == message_of(old.header, old.name):
        return WrittenPatch(name=old.name, text=old.text, options=old.options)
    start = len(old.header) + 1 if old.header else 0
    return WrittenPatch(name=old.name, text=message.header() + old.text[start:], options=old.options)


def _header(old: PatchFile | None, message: Message, commit: Commit) -> bytes:
    """Return the header of a patch whose diff is written anew."""
    if old and message == message_of(old.header, old.name):
        kept = kept_header(old.header)
        return kept + b"\n" * bool(kept and not kept.endswith(b"\n"))
    if message.field("Author", "From"):
        return message.header()
    told = (*message.fields, ("Author", commit.author), ("Last-Update", commit.date[:10]))
    return Message(subject=message.subject, body=message.body, fields=told).header()


def fresh_name(subject: str, taken: set[str]) -> str:
    """Return a name for a patch that none has yet."""
    name = file_name(subject)
    stem = name.removesuffix(".patch")
    numbered = (f"{stem}-{number}.patch" for number in range(2, len(taken) + 3))
    return name if name not in taken else next(each for each in numbered if each not in taken)
