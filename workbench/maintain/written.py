"""A work tree becomes the series on the disk: in one step, and only where it fits each version that has the series."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.version import Version

from workbench.errors import UsageError
from workbench.files import write_whole
from workbench.maintain.literals import text_of_recipe, with_series
from workbench.maintain.saving import series_of
from workbench.maintain.sharing import require_fit, sharing, woven
from workbench.maintain.work import Fate, WorkTree, own_patches
from workbench.patches.series import PatchFile, read_series
from workbench.patches.writing import WrittenPatch, fingerprint, write_series
from workbench.recipe.load import path_of
from workbench.recipe.versions import for_others

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.maintain.repository import Commit
    from workbench.maintain.saving import SavedPatch
    from workbench.paths import Paths
    from workbench.recipe.model import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What became of a series: its patches and their fates, whether the disk has changed, and the work tree.

    `series` is the name of its folder, and `versions` those of the recipe that have it.
    """

    fates: tuple[Fate, ...]
    changed: bool
    folder: Path
    series: str
    versions: tuple[str, ...]


def write_tree(
    paths: Paths,
    recipe: Recipe,
    tree: WorkTree,
    texts: Mapping[str, PatchFile] | None = None,
    *,
    parted: bool,
    then: Callable[[str], None] | None = None,
    version: str = "",
    dry_run: bool = False,
    **state: object,
) -> Saved:
    """Write the series of a work tree in which nothing waits any more, do what is to be done `then`, and note both.

    `texts` are patches as they came, by name; `state` is what else of the tree's state changes. A `parted` series that
    is another one now becomes one of the `version`'s own (by default the recipe's), and what was there stays. `then`
    is told its folder's name, or nothing; by default it writes that into the recipe. Raises UsageError where no other
    version has the series that is to be parted, PatchError where it does not fit one that has it too.
    """
    folder = paths.patches / recipe.patches
    there = read_series(folder)
    own = own_patches(paths, recipe)
    head = tree.head
    commits = tree.commits(head)
    before = {**{patch.name: patch for patch in own}, **(texts or {})}
    left_out = for_others(recipe)
    series = series_of(tree.repository, tree.state.base, commits, before, left_out)
    written = [each.patch for each in series]
    now = fingerprint(written)
    if fingerprint(own) not in (tree.state.series, now):
        raise UsageError(
            f"{folder} has changed since {tree.folder} was opened: copy your work out of the tree, and "
            f"'{tree.gives_up}' opens it anew"
        )
    changed = fingerprint(own) != now
    others = sharing(paths, recipe)
    if parted and not then and not others:
        raise UsageError(f"{recipe.name}: no other version has the series {folder.name}: leave --apart out")
    into = folder
    if changed and parted:
        into = _own_folder(paths, recipe, version or recipe.version, written)
        then = then or _pointing(paths, recipe, into)
    else:
        written = [*woven(written, there, left_out)]
    if changed and into == folder:
        require_fit(paths, recipe, written, others)
    if not dry_run:
        changed = write_series(into, written) or into != folder  # without a patch there is no folder
    saved = Saved(
        fates=_fates(series, own, tree.state.fates),
        changed=changed,
        folder=tree.folder,
        series=into.name,
        versions=tuple(
            sorted((each.version for each in (recipe, *(others if into == folder else ()))), key=Version)
        ),
    )
    if not dry_run:
        if then:
            then("" if into == folder else into.name)
        full = _last_patch(tree, commits)
        tree.keeping(**{"series": now, "full": full, "start": head, "fates": (), **state})
    return saved


def _own_folder(paths: Paths, recipe: Recipe, version: str, series: Sequence[WrittenPatch]) -> Path:
    """Return the folder that a version's own series gets. Raises UsageError where other patches lie in it."""
    folder = paths.patches / f"{recipe.name}-{version}"
    if (found := read_series(folder)) and fingerprint(found) != fingerprint(series):
        raise UsageError(f"{folder}: there are other patches already: move them away first")
    return folder


def _pointing(paths: Paths, recipe: Recipe, into: Path) -> Callable[[str], None]:
    """Return what writes into a recipe that one of its versions has its patches in a folder of its own.

    Raises RecipeError where the file cannot be edited: before anything is written.
    """
    path = path_of(paths.recipes, recipe.name)
    text = with_series(text_of_recipe(path), recipe.version, into.name, path=path)
    return lambda _: write_whole(path, text)


def _last_patch(tree: WorkTree, commits: Sequence[Commit]) -> str:
    """Return the last commit that changes anything: a new patch in which nothing is done yet stands above it."""
    last, reached = tree.state.base, tree.repository.tree(tree.state.base)
    for each in commits:
        if each.tree != reached:
            last, reached = each.hash, each.tree
    return last


def _fates(series: Sequence[SavedPatch], own: Sequence[PatchFile], noted: Sequence[Fate]) -> tuple[Fate, ...]:
    """Return what became of each patch: of those that there are now, in their order, and then of those that are gone.

    `own` are the patches that there were, `noted` are the fates that the work tree knows already.
    """
    known = {fate.name: fate for fate in noted}
    were = dict.fromkeys(patch.name for patch in own)

    def fate(saved: SavedPatch) -> Fate:
        name = saved.patch.name
        return Fate(name=name, outcome="new" if name not in were else "clean" if saved.kept else "refreshed")

    left = {each.patch.name for each in series} | known.keys()
    return (
        *(known.get(each.patch.name) or fate(each) for each in series),
        *(fate for fate in noted if fate.outcome == "dropped"),
        *(Fate(name=name, outcome="dropped", why="taken out") for name in were if name not in left),
    )
