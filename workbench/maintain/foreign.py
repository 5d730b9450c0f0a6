"""Commits of other repositories as commits of a work tree: with a header that says where they come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from workbench.errors import UsageError
from workbench.events import note
from workbench.maintain.saving import fresh_name
from workbench.patches.message import Message

if TYPE_CHECKING:
    from workbench.maintain.repository import Commit, Repository


def header_of(commit: Commit, origin: str, taken: set[str], *, name: str = "") -> Message:
    """Return what a commit says, as a patch's message; `origin` says where it is from (DEP-3), `taken` are names."""
    said = Message.parse(commit.message)
    name = name or fresh_name(said.subject, taken)
    taken.add(name)
    told = {
        "Author": commit.author,
        "Origin": f"{origin} commit {commit.hash}",
        "Last-Update": commit.date[:10],
    }
    fields = (*((key, value) for key, value in said.fields if key not in told), *told.items())
    return Message(subject=said.subject, body=said.body, fields=fields, name=name)


def local_commit(
    repository: Repository, commit: Commit, message: Message, there: frozenset[str], *, left_out: str = ""
) -> str:
    """Return a commit that does what another does, with a message, apart from files that `there` does not have.

    An sdist often lacks what a repository has, such as tests. What lies below a folder `left_out` is left out too;
    where nothing remains the answer is empty.
    """
    if len(commit.parents) > 1:
        raise UsageError(f"{commit.hash} is a merge: name the commits that it brings, or a range of them")
    had = files_of(repository, commit.parent)
    changed = repository.changes(commit.parent, commit.hash)
    missing = [path for path in changed if path in had and path not in there]
    if missing:
        note(f"{message.name}: without {', '.join(missing)}, which the source does not have")
    aside = [*missing, *(path for path in changed if left_out and path.startswith(f"{left_out}/"))]
    before = _without(repository, commit.parent, aside)
    after = _without(repository, commit.hash, aside)
    if before == after:
        return ""
    base = repository.commit(before, "", "before")
    return repository.commit(after, base, str(message), author=commit.author, date=commit.date)


def files_of(repository: Repository, commit: str) -> frozenset[str]:
    """Return the paths of a commit's files."""
    return frozenset(repository.git("ls-tree", "-r", "-z", "--name-only", commit).split("\0"))


def _without(repository: Repository, commit: str, paths: Sequence[str]) -> str:
    """Return the tree of a commit without some files."""
    with repository.index() as index:
        index.git("read-tree", commit)
        if paths:
            index.git("update-index", "--force-remove", "--", *paths)
        return index.git("write-tree")
