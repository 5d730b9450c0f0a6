"""A series is worked on: new, edit, save, drop, move. Each is whole on the disk, or not there."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from workbench.errors import PatchError, UsageError, nearest
from workbench.maintain.resuming import replayed, resolved
from workbench.maintain.work import (
    WorkTree,
    find_tree,
    open_tree,
    own_patches,
    recipe_at_work,
    source_key,
    working,
)
from workbench.maintain.written import Saved, write_tree
from workbench.patches.message import Message, file_name
from workbench.patches.series import read_series
from workbench.paths import PROGRAM
from workbench.process import run
from workbench.recipe.load import load, load_versions
from workbench.recipe.versions import for_others

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.maintain.repository import Commit
    from workbench.paths import Paths
    from workbench.recipe.model import Recipe


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


def save_patches(paths: Paths, name: str, version: str = "", *, apart: bool) -> Saved:
    """Write the series as it is in the work tree, of the version that this is open at.

    `apart` is as in `drop_patch`. Raises UsageError without a work tree, and where another version is named; PatchError
    at a conflict.
    """
    with _at_work(paths, name, version) as recipe:
        tree = find_tree(paths, recipe.name)
        if tree is None:
            raise UsageError(f"{recipe.name}: nothing is open: {PROGRAM} patch.new, or patch.edit, opens it")
        if tree.state.bump:
            raise UsageError(f"{recipe.name}: a bump is under way: '{tree.goes_on}', or '{tree.gives_up}'")
        if tree.state.source != source_key(recipe):
            raise UsageError(
                f"{tree.folder} is open at {tree.opened_at}, not at {recipe.version}: leave --version out to save it"
                if version
                else f"{tree.folder} was opened at {tree.opened_at}, whose source the recipe does not have any "
                f"more: copy your work out of the tree, and '{tree.gives_up}' opens it anew"
            )
        return write_tree(paths, recipe, replayed(resolved(tree)), parted=apart)


def discard_work(paths: Paths, name: str, version: str = "") -> Path:
    """Put the work tree back to the series as it is on the disk, and return its folder."""
    with _at_work(paths, name, version) as recipe:
        return open_tree(paths, recipe, discard=True).folder


@contextmanager
def _at_work(paths: Paths, name: str, version: str) -> Iterator[Recipe]:
    """Keep others away from a package's patches; yield its recipe at a version, that of the work tree unless named."""
    with working(paths, load(paths.recipes, name).name):
        yield load(paths.recipes, name, version) if version else recipe_at_work(paths, name)


def drop_patch(
    paths: Paths, recipe: Recipe, name: str, *, apart: bool = False, dry_run: bool = False
) -> Saved:
    """Take a patch out of the series; with `apart` the version has one of its own then, and others keep theirs.

    Raises PatchError where a patch after it needs it: the work tree is at it then; and where the series is another
    version's too, and does not apply there any more.
    """
    editions = load_versions(paths.recipes, recipe.name)
    if name in {condition.value for each in editions for condition in each.patches_when}:
        raise UsageError(f"{recipe.name}: patches_when names {name}: take it out of the recipe first")
    with working(paths, recipe.name), tried_only(paths, recipe, dry_run=dry_run):
        tree, commits, at = _opened_at(paths, recipe, name)
        ready = _rearranged(tree, commits, [*commits[:at], *commits[at + 1 :]])
        return write_tree(paths, recipe, replayed(ready), parted=apart, dry_run=dry_run)


def move_patch(
    paths: Paths,
    recipe: Recipe,
    name: str,
    *,
    before: str = "",
    after: str = "",
    apart: bool = False,
    dry_run: bool = False,
) -> Saved:
    """Move a patch before or after another. Raises UsageError, and PatchError as `drop_patch` does."""
    if bool(before) == bool(after):
        raise UsageError("say where it goes: --before PATCH or --after PATCH")
    with working(paths, recipe.name), tried_only(paths, recipe, dry_run=dry_run):
        tree, commits, at = _opened_at(paths, recipe, name)
        others = [*commits[:at], *commits[at + 1 :]]
        beside = _position(others, before or after, recipe)
        beside += bool(after)
        ready = _rearranged(tree, commits, [*others[:beside], commits[at], *others[beside:]])
        return write_tree(paths, recipe, replayed(ready), parted=apart, dry_run=dry_run)


@contextmanager
def tried_only(paths: Paths, recipe: Recipe, *, dry_run: bool) -> Iterator[None]:
    """Put the work tree back to the series after a dry run, whatever came of it.

    Raises UsageError, and leaves it as it is, where it has work that nobody has saved, or a bump is under way.
    """
    if dry_run:
        open_tree(paths, recipe)
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


def _opened_at(
    paths: Paths, recipe: Recipe, name: str, *, discard: bool = False
) -> tuple[WorkTree, tuple[Commit, ...], int]:
    require_patch(name, [patch.name for patch in own_patches(paths, recipe)], recipe)
    tree = open_tree(paths, recipe, discard=discard)
    commits = tree.commits(tree.state.full)
    return tree, commits, _position(commits, name, recipe)


def _position(commits: Sequence[Commit], name: str, recipe: Recipe) -> int:
    names = [Message.parse(each.message).name for each in commits]
    require_patch(name, names, recipe)
    return names.index(name)


def require_patch(name: str, names: Sequence[str], recipe: Recipe) -> None:
    """Raise UsageError where a recipe has no patch of a name."""
    if name in for_others(recipe):
        raise UsageError(f"{recipe.name}: patches_when has {name} for other versions than {recipe.version}")
    if name not in names:
        there = ", ".join(names) or "no patches"
        raise UsageError(f"{recipe.name} has no patch {name}{nearest(name, names)}: there are {there}")


def _this_person() -> str:
    """Return who works here, as git knows it."""
    done = run(["git", "var", "GIT_AUTHOR_IDENT"], check=False, stdout_only=True)
    return done.output.rpartition(">")[0] + ">" if done.status == 0 else ""
