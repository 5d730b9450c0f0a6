"""Work in a tree goes on: edits and resolved conflicts are taken in, and the patches that wait come on top."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from workbench.errors import PatchError, UsageError, WorkbenchError
from workbench.events import note
from workbench.files import content_of
from workbench.maintain.repository import MergeConflict, Repository
from workbench.maintain.work import Fate, WorkTree, edited_files, listed
from workbench.patches.message import Message


def _take_edits(tree: WorkTree) -> WorkTree:
    """Put what is not committed into the patch that is checked out. Raises UsageError where there is none."""
    repository = tree.repository
    if not (edited := edited_files(repository)):
        return tree
    head = repository.read(tree.head)
    if head.hash == tree.state.base:
        raise UsageError(
            f"{tree.folder}: {listed(edited)} changed, and no patch is there to take it: commit it there, with a "
            "message whose first line says what it is for"
        )
    if repository.git("ls-files", "--unmerged"):
        raise UsageError(
            f"{tree.folder}: {listed(edited)}: resolve the conflict there first, and 'git add' it"
        )
    repository.git("add", "--all")
    taken = repository.commit(
        repository.git("write-tree"), head.parent, head.message, author=head.author, date=head.date
    )
    repository.git("reset", "--quiet", "--soft", taken)
    _tell_of_ignored(repository)
    return tree


def resolved(tree: WorkTree) -> WorkTree:
    """Take what a person made of the patch that stopped at a conflict. Raises PatchError where it is still one."""
    repository, state = tree.repository, tree.state
    if not state.stopped:
        return _take_edits(tree)
    stopped, *pending = state.pending
    name = Message.parse(repository.read(stopped).message).name
    if tree.head != state.start:  # they have committed it themselves
        return _take_edits(tree.keeping(stopped=False, pending=tuple(pending)))
    if files := _unresolved(repository):
        raise PatchError(_instructions(tree, name, files))
    repository.git("add", "--all")
    there, onto = repository.read(stopped), state.start
    written = repository.git("write-tree")
    head, fates = onto, state.fates
    if written != repository.tree(onto):
        head = repository.commit(written, onto, there.message, author=there.author, date=there.date)
        fates += (Fate(name=name, outcome="refreshed", why="resolved by hand"),)
    else:
        fates += (Fate(name=name, outcome="dropped", why="nothing was left of it"),)
    return tree.at(head, stopped=False, pending=tuple(pending), fates=fates)


def replayed(tree: WorkTree) -> WorkTree:
    """Put the patches that wait onto what is checked out.

    Raises PatchError at the first that conflicts; it is then in the work tree, to be resolved there.
    """
    head, fates, pending = tree.head, tree.state.fates, tree.state.pending
    for number, waiting in enumerate(pending):
        commit = tree.repository.read(waiting)
        name = Message.parse(commit.message).name
        try:
            picked = tree.repository.pick(commit, head)
        except MergeConflict as conflict:
            stopped = tree.at(head, pending=pending[number:], fates=fates, start=head)
            _show_conflict(stopped, name, conflict)
        if picked == head:
            fates += (Fate(name=name, outcome="dropped", why="the source has all of it"),)
        head = picked
    return tree.at(head, pending=(), fates=fates)


def _show_conflict(tree: WorkTree, name: str, conflict: MergeConflict) -> NoReturn:
    """Have the conflict of the first patch that waits in the files, and raise PatchError with what to do there."""
    done = tree.repository.ask("cherry-pick", tree.state.pending[0])
    if done.status == 0:
        raise WorkbenchError(f"{done.command}\nfound no conflict where there was one")
    raise PatchError(_instructions(tree.keeping(stopped=True), name, conflict.files))


def _instructions(tree: WorkTree, name: str, files: Sequence[str]) -> str:
    return (
        f"{name} conflicts in {listed(files)}\n"
        f"Nothing of the recipe and its patches has changed. Go to {tree.folder},\n"
        f"edit what stands between <<<<<<< and >>>>>>> ('git rm' or 'git add' a file that one side deleted), then\n"
        f"  {tree.goes_on}\n"
        f"or give it up: {tree.gives_up}"
    )


def _unresolved(repository: Repository) -> list[str]:
    """Return the files of which a person has still to say what they are to be."""
    stages: dict[str, set[str]] = {}
    for entry in filter(None, repository.git("ls-files", "--unmerged", "-z").split("\0")):
        facts, _, path = entry.partition("\t")
        stages.setdefault(path, set()).add(facts.split()[2])
    return [path for path, found in stages.items() if not _is_resolved(repository.folder / path, found)]


def _is_resolved(file: Path, stages: set[str]) -> bool:
    if not {"2", "3"} <= stages:  # one side has deleted it, and nothing in the file tells what is decided
        return False
    content = content_of(file) or b""
    return not any(line.startswith((b"<<<<<<< ", b">>>>>>> ")) for line in content.splitlines())


def _tell_of_ignored(repository: Repository) -> None:
    found = repository.git("ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory")
    if left := [path for path in found.split("\0") if path]:
        note(
            f"not in the patch, because the source's .gitignore names it: {listed(left)} ('git add -f' adds it)"
        )
