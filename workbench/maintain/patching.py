"""A series is worked on: new, edit, save, drop, move, import. Each is whole on the disk, or not there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.errors import PatchError, UsageError, nearest
from workbench.maintain.resuming import replayed, resolved
from workbench.maintain.saving import series_of
from workbench.maintain.work import (
    Fate,
    WorkTree,
    find_tree,
    open_tree,
    working,
)
from workbench.patches.message import Message, file_name
from workbench.patches.series import PatchFile, read_series
from workbench.patches.writing import fingerprint, write_series
from workbench.paths import PROGRAM
from workbench.process import run

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.maintain.repository import Commit
    from workbench.maintain.saving import SavedPatch
    from workbench.paths import Paths
    from workbench.recipe.model import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What became of a series: its patches and their fates, whether the disk has changed, and the work tree."""

    fates: tuple[Fate, ...]
    changed: bool
    folder: Path


def begin_patch(paths: Paths, recipe: Recipe, title: str, *, discard: bool = False) -> tuple[str, Path]:
    """Open the work tree at a new patch, and return the patch's name and the tree's folder.

    Raises UsageError for a title that a patch has already, and for work there that is not saved.
    """
    if not (title := " ".join(title.split())):
        raise UsageError("a patch needs a title: what it is for, in a few words")
    with working(paths, recipe.name):
        name = file_name(title)
        if name in {patch.name for patch in read_series(paths.patches / recipe.patches)}:
            raise UsageError(f"{name} is there already: '{PROGRAM} patch.edit {recipe.name} {name}' opens it")
        tree = open_tree(paths, recipe, discard=discard)
        today = dt.datetime.now(tz=dt.UTC).date().isoformat()
        author = _this_person()
        fields = (("Author", author), ("Last-Update", today))
        message = str(Message(subject=title, fields=fields, name=name))
        full = tree.state.full
        begun = tree.repository.commit(tree.repository.tree(full), full, message, author=author, date=today)
        return name, tree.at(begun, start=begun).folder


def edit_patch(paths: Paths, recipe: Recipe, name: str, *, discard: bool = False) -> Path:
    """Open the work tree at a patch of the series; those after it are applied again once it is saved."""
    with working(paths, recipe.name):
        tree, commits, at = _opened_at(paths, recipe, name, discard=discard)
        return tree.at(
            commits[at].hash,
            start=commits[at].hash,
            pending=tuple(each.hash for each in commits[at + 1 :]),
        ).folder


def save_patches(paths: Paths, recipe: Recipe) -> Saved:
    """Write the series as it is in the work tree. Raises UsageError without one; PatchError at a conflict."""
    with working(paths, recipe.name):
        tree = find_tree(paths, recipe.name)
        if tree is None:
            raise UsageError(f"{recipe.name}: nothing is open: {PROGRAM} patch.new, or patch.edit, opens it")
        if tree.state.bump:
            raise UsageError(f"{recipe.name}: a bump is under way: '{tree.goes_on}', or '{tree.gives_up}'")
        return write_tree(paths, recipe, replayed(resolved(tree)))


def discard_work(paths: Paths, recipe: Recipe) -> Path:
    """Put the work tree back to the series as it is on the disk, and return its folder."""
    with working(paths, recipe.name):
        return open_tree(paths, recipe, discard=True).folder


def drop_patch(paths: Paths, recipe: Recipe, name: str, *, dry_run: bool = False) -> Saved:
    """Take a patch out of the series. Raises PatchError where one after it needs it: the work tree is at it then."""
    if name in {condition.value for condition in recipe.patches_when}:
        raise UsageError(f"{recipe.name}: patches_when names {name}: take it out of the recipe first")
    with working(paths, recipe.name), tried_only(paths, recipe, dry_run=dry_run):
        tree, commits, at = _opened_at(paths, recipe, name)
        ready = _rearranged(tree, commits, [*commits[:at], *commits[at + 1 :]])
        return write_tree(paths, recipe, replayed(ready), dry_run=dry_run)


def move_patch(
    paths: Paths, recipe: Recipe, name: str, *, before: str = "", after: str = "", dry_run: bool = False
) -> Saved:
    """Move a patch before or after another. Raises UsageError, PatchError where it conflicts there."""
    if bool(before) == bool(after):
        raise UsageError("say where it goes: --before PATCH or --after PATCH")
    with working(paths, recipe.name), tried_only(paths, recipe, dry_run=dry_run):
        tree, commits, at = _opened_at(paths, recipe, name)
        others = [*commits[:at], *commits[at + 1 :]]
        beside = _position(others, before or after, recipe)
        beside += bool(after)
        ready = _rearranged(tree, commits, [*others[:beside], commits[at], *others[beside:]])
        return write_tree(paths, recipe, replayed(ready), dry_run=dry_run)


@contextmanager
def tried_only(paths: Paths, recipe: Recipe, *, dry_run: bool) -> Iterator[None]:
    """Put the work tree back to the series after a dry run, whatever came of it."""
    try:
        yield
    except PatchError as error:
        if dry_run:  # what comes below is how to go on, and there is nothing to go on with
            raise PatchError(str(error).partition("\n")[0]) from error
        raise
    finally:
        if dry_run and (tree := find_tree(paths, recipe.name)):
            full = tree.state.full
            tree.at(full, start=full, pending=(), stopped=False, fates=())


def _rearranged(tree: WorkTree, before: Sequence[Commit], wanted: Sequence[Commit]) -> WorkTree:
    """Move a work tree to where two orders of its patches part; the rest of the wanted one waits."""
    same = 0
    while same < min(len(before), len(wanted)) and before[same] == wanted[same]:
        same += 1
    head = wanted[same - 1].hash if same else tree.state.base
    return tree.at(head, start=head, pending=tuple(each.hash for each in wanted[same:]))


def write_tree(
    paths: Paths,
    recipe: Recipe,
    tree: WorkTree,
    texts: Mapping[str, PatchFile] | None = None,
    *,
    then: Callable[[Path], None] = lambda _: None,
    apart: Path | None = None,
    dry_run: bool = False,
    **state: object,
) -> Saved:
    """Write the series of a work tree in which nothing waits any more, do what is to be done `then`, and note both.

    `texts` are patches as they came, by name; `state` is what else of the tree's state changes. A series that is
    another one now is written to `apart`, if that is named, and what was there stays; `then` is told the folder.
    """
    folder = paths.patches / recipe.patches
    there = read_series(folder)
    head = tree.head
    commits = tree.commits(head)
    before = {**{patch.name: patch for patch in there}, **(texts or {})}
    series = series_of(tree.repository, tree.state.base, commits, before)
    written = [each.patch for each in series]
    now = fingerprint(written)
    if fingerprint(there) not in (tree.state.series, now):
        raise UsageError(
            f"{folder} has changed since {tree.folder} was opened: copy your work out of the tree, and "
            f"'{tree.gives_up}' opens it anew"
        )
    changed = fingerprint(there) != now
    into = apart if apart and changed else folder
    if not dry_run:
        changed = write_series(into, written)
    known = {fate.name: fate for fate in tree.state.fates}
    were = dict.fromkeys(patch.name for patch in there)
    fates = [known.get(each.patch.name) or _fate(each, were.keys()) for each in series]
    left = {each.name for each in written} | known.keys()
    dropped = [
        *(fate for fate in tree.state.fates if fate.outcome == "dropped"),
        *(Fate(name=name, outcome="dropped", why="taken out") for name in were if name not in left),
    ]
    if dry_run:
        return Saved(fates=(*fates, *dropped), changed=changed, folder=tree.folder)
    then(into)
    full = _last_patch(tree, commits)
    tree.keeping(**{"series": now, "full": full, "start": head, "fates": (), **state})
    return Saved(fates=(*fates, *dropped), changed=changed, folder=tree.folder)


def _last_patch(tree: WorkTree, commits: Sequence[Commit]) -> str:
    """Return the last commit that changes anything: a new patch in which nothing is done yet stands above it."""
    last, reached = tree.state.base, tree.repository.tree(tree.state.base)
    for each in commits:
        if each.tree != reached:
            last, reached = each.hash, each.tree
    return last


def _fate(saved: SavedPatch, were: AbstractSet[str]) -> Fate:
    name = saved.patch.name
    return Fate(name=name, outcome="new" if name not in were else "clean" if saved.kept else "refreshed")


def _opened_at(
    paths: Paths, recipe: Recipe, name: str, *, discard: bool = False
) -> tuple[WorkTree, tuple[Commit, ...], int]:
    names = [patch.name for patch in read_series(paths.patches / recipe.patches)]
    require_patch(name, names, recipe)
    tree = open_tree(paths, recipe, discard=discard)
    commits = tree.commits(tree.state.full)
    return tree, commits, _position(commits, name, recipe)


def _position(commits: Sequence[Commit], name: str, recipe: Recipe) -> int:
    names = [Message.parse(each.message).name for each in commits]
    require_patch(name, names, recipe)
    return names.index(name)


def require_patch(name: str, names: Sequence[str], recipe: Recipe) -> None:
    """Raise UsageError where a recipe has no patch of a name."""
    if name not in names:
        there = ", ".join(names) or "no patches"
        raise UsageError(f"{recipe.name} has no patch {name}{nearest(name, names)}: there are {there}")


def _this_person() -> str:
    """Return who works here, as git knows it."""
    done = run(["git", "var", "GIT_AUTHOR_IDENT"], check=False, stdout_only=True)
    return done.output.rpartition(">")[0] + ">" if done.status == 0 else ""
