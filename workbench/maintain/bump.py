"""A recipe moves to another version: a new pin, and its series rebased three ways from the old source to the new.

Recipe and patches change only once all of it fits, the one right after the other; what a killed process has left half
done, ``bump --continue`` finishes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.version import Version

from workbench.errors import UsageError
from workbench.events import step
from workbench.files import scratch, write_whole
from workbench.maintain.literals import (
    text_of_recipe,
    with_literals,
    with_series,
    with_version,
    with_versions,
)
from workbench.maintain.newest import NEWEST, moved_to, valid
from workbench.maintain.recipe_text import pin_text
from workbench.maintain.repository import Commit, MergeConflict, Repository
from workbench.maintain.resuming import replayed, resolved
from workbench.maintain.saving import series_of
from workbench.maintain.sharing import sharing
from workbench.maintain.work import (
    Bump,
    Fate,
    WorkTree,
    fetch_plain,
    find_tree,
    open_tree,
    own_patches,
    put_away,
    recipe_at_work,
    source_key,
    with_patches,
    with_source,
    working,
)
from workbench.maintain.written import write_tree
from workbench.patches.message import Message
from workbench.patches.writing import fingerprint
from workbench.paths import PROGRAM
from workbench.recipe.load import load, load_versions, load_written, path_of
from workbench.recipe.model import Edition, Git
from workbench.recipe.versions import at_version
from workbench.source.git import SHA256_DIGITS, store_of
from workbench.source.setup_script import read_scripts
from workbench.source.stated import read_stated

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.paths import Paths
    from workbench.recipe.model import Recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Bumped:
    """A recipe's way from a version `before` to one `after`, and what becomes of its patches; `moved` if at all.

    `added`: it has both then. `patches` is the folder of the new version's series, where that is another one.
    """

    name: str
    before: str
    after: str
    moved: bool
    added: bool = False
    patches: str = ""
    fates: tuple[Fate, ...] = ()

    @property
    def conflicts(self) -> bool:
        """Whether a patch does not go onto the new source by itself."""
        return any(fate.outcome == "conflict" for fate in self.fates)


def base_of(recipes: Sequence[Recipe], version: str) -> Recipe:
    """Return that of a package's recipes whose series goes to a version that is added: the next older one.

    It is the version itself where that is there. Raises UsageError for one that is not valid.
    """
    if version == NEWEST:
        return recipes[-1]
    wanted = valid(version)
    return next((each for each in reversed(recipes) if Version(each.version) <= wanted), recipes[0])


def bump(paths: Paths, recipe: Recipe, version: str = NEWEST, *, adds: bool = False) -> Bumped:
    """Move a recipe to a version, and its patches with it; or have it `adds` the version to those that it has.

    Raises PatchError at a patch that conflicts: it is in the work tree then, and nothing else has changed; UsageError
    for a version that it has.
    """
    with working(paths, recipe.name):
        moved = moved_to(recipe, version)
        if moved.source == recipe.source:
            return Bumped(name=recipe.name, before=recipe.version, after=recipe.version, moved=False)
        tree = open_tree(paths, recipe)
        with scratch(paths.state / "patching", ".new-") as place:
            moved, base = _snapshot(moved, paths, tree.repository, tree.state.base, place / "source")
        _require_new(recipe, moved, adds=adds)
        change = _change(recipe, moved, adds=adds)
        _rewritten(paths, recipe, change)  # what cannot be written is told before the work, not after it
        commits = tree.commits(tree.state.full)
        taken = _taken(tree.repository, recipe, moved, commits, paths)
        ready = tree.at(
            base,
            base=base,
            start=base,
            pending=tuple(each.hash for each in commits if each.hash not in taken),
            fates=tuple(map(_taken_fate, filter(lambda each: each.hash in taken, commits))),
            bump=change,
        )
        return _finished(paths, recipe, replayed(ready))


def continue_bump(paths: Paths, name: str) -> Bumped:
    """Go on with a bump where it stopped. Raises UsageError where none is under way; PatchError as `bump` does."""
    with working(paths, load(paths.recipes, name).name):
        recipe = recipe_at_work(paths, name)
        return _finished(paths, recipe, replayed(resolved(_under_way(paths, recipe))))


def abort_bump(paths: Paths, name: str) -> str:
    """Give a bump up, and return the version that it was to; recipe and patches are as they were."""
    with working(paths, load(paths.recipes, name).name):
        recipe = recipe_at_work(paths, name)
        tree = _under_way(paths, recipe)
        bump = tree.state.bump
        there = {source_key(each) for each in load_versions(paths.recipes, name)}
        written = bump is not None and bump.source in there
        if written or fingerprint(own_patches(paths, recipe)) != tree.state.series:
            raise UsageError(
                f"{recipe.name}: the recipe or the patches on the disk are those of the new version by now: "
                f"'{tree.goes_on}' finishes it; to go back, take both from your own repository"
            )
        put_away(tree.folder)
        return bump.version if bump else ""


def try_bump(paths: Paths, recipe: Recipe, moved: Recipe, *, adds: bool) -> Bumped:
    """Say what would become of a series on another source, beside the work tree: each patch is tried."""
    if moved.source == recipe.source:
        return Bumped(name=recipe.name, before=recipe.version, after=recipe.version, moved=False)
    series = own_patches(paths, recipe)
    with scratch(paths.state / "patching", ".trying-") as place:
        old = place / recipe.name
        fetch_plain(recipe, paths, old)
        repository, base = with_source(old, f"{recipe.name} {recipe.version}")
        head = with_patches(repository, base, series, old)
        moved, onto = _snapshot(moved, paths, repository, base, place / "source")
        _require_new(recipe, moved, adds=adds)
        commits, start = repository.between(base, head), onto
        taken = _taken(repository, recipe, moved, commits, paths)
        fates: dict[str, Fate] = {}
        for commit in commits:
            name = Message.parse(commit.message).name
            if commit.hash in taken:
                fates[name] = _taken_fate(commit)
                continue
            try:
                picked = repository.pick(commit, onto)
            except MergeConflict as conflict:
                fates[name] = Fate(name=name, outcome="conflict", why=", ".join(conflict.files))
                continue
            if picked == onto:
                fates[name] = Fate(name=name, outcome="dropped", why="the source has all of it")
            onto = picked
        written = series_of(
            repository, start, repository.between(start, onto), {each.name: each for each in series}
        )
        for each in written:
            name = each.patch.name
            fates[name] = Fate(name=name, outcome="clean" if each.kept else "refreshed")
    return Bumped(
        name=recipe.name,
        before=recipe.version,
        after=moved.version,
        moved=True,
        added=adds,
        fates=tuple(fates[each.name] for each in series),
    )


def _require_new(recipe: Recipe, moved: Recipe, *, adds: bool) -> None:
    """Raise UsageError for a version that a recipe has already, and that does not take the place of the same one."""
    there = recipe.versions or {recipe.version: recipe.source}
    others = [each for each in there if adds or each != recipe.version]
    if any(Version(moved.version) == Version(each) for each in others):
        follows = isinstance(moved.source, Git) and moved.source.branch
        remedy = f"; --replace moves it to the tip of {follows}" if adds and follows else ""
        raise UsageError(
            f"{recipe.name} has version {moved.version} already: it has {', '.join(there)}{remedy}"
        )


def _change(recipe: Recipe, moved: Recipe, *, adds: bool) -> Bump:
    """Return what a bump does to a recipe's text."""
    several = adds or bool(recipe.versions)
    return Bump(
        version=moved.version,
        source=source_key(moved),
        literals={} if several else _literals(recipe, moved),
        entry=pin_text(moved.source, name=recipe.name) if several else "",
        instead_of="" if adds or not several else recipe.version,
    )


def _rewritten(paths: Paths, recipe: Recipe, bump: Bump, patches: str = "") -> tuple[Path, str]:
    """Return a recipe's file, and its text once a bump is done. Raises RecipeError."""
    path = path_of(paths.recipes, recipe.name)
    text = text_of_recipe(path)
    if not bump.entry:
        return path, with_literals(text, bump.literals, path=path)
    several = with_versions(text, path=path)
    text = with_version(several, bump.version, bump.entry, instead_of=bump.instead_of, path=path)
    return path, with_series(text, bump.version, patches, path=path) if patches else text


def _finished(paths: Paths, recipe: Recipe, tree: WorkTree) -> Bumped:
    """Write series and recipe, once all patches are on the new source."""
    bump, path = tree.state.bump, path_of(paths.recipes, recipe.name)
    if bump is None:
        raise UsageError(f"{recipe.name}: no bump is under way")
    adds = bool(bump.entry and not bump.instead_of)
    dropped = {fate.name for fate in tree.state.fates if fate.outcome == "dropped"}
    written = replace(load_written(paths.recipes, recipe.name), versions={})
    new = at_version(written, bump.version, Edition(source=recipe.source))
    asked = {condition.value for condition in new.patches_when if condition.version is None}
    if named := sorted(dropped & asked):
        remedy = (
            f'say in the recipe which versions it is for, as in version="=={recipe.version}"'
            if adds
            else "take it out of the recipe"
        )
        raise UsageError(
            f"{path}: patches_when names {named[0]}, which is dropped at {bump.version}, for upstream has it: "
            f"{remedy}, then '{tree.goes_on}'"
        )
    _rewritten(paths, recipe, bump)  # what cannot be written is told before the series is
    own = ""

    def then(series: str) -> None:
        nonlocal own
        own = series
        write_whole(*_rewritten(paths, recipe, bump, own))

    # where others have the series too, the new version gets one of its own if that has changed on the way
    parted = adds or bool(sharing(paths, recipe))
    saved = write_tree(
        paths, recipe, tree, parted=parted, then=then, version=bump.version, bump=None, source=bump.source
    )
    return Bumped(
        name=recipe.name,
        before=recipe.version,
        after=bump.version,
        moved=True,
        added=adds,
        patches=own,
        fates=saved.fates,
    )


def _under_way(paths: Paths, recipe: Recipe) -> WorkTree:
    tree = find_tree(paths, recipe.name)
    if tree is None or tree.state.bump is None:
        raise UsageError(f"{recipe.name}: no bump is under way: '{PROGRAM} bump {recipe.name}' begins one")
    return tree


def _snapshot(
    moved: Recipe, paths: Paths, repository: Repository, parent: str, place: Path
) -> tuple[Recipe, str]:
    """Fetch a source, and return the commit of it; the recipe gets the version that a branch's source states."""
    fetch_plain(moved, paths, place)
    if isinstance(moved.source, Git) and moved.source.branch:
        stated = read_stated(place, read_scripts(place)).version
        moved = replace(moved, version=stated or moved.version)
    with step(f"read the source of {moved.name} {moved.version}"):
        return moved, repository.snapshot(place, f"{moved.name} {moved.version}", parent)


def _literals(recipe: Recipe, moved: Recipe) -> dict[str, str]:
    """Return what of a recipe is another string now, by key."""
    changes = {} if moved.version == recipe.version else {"version": moved.version}
    for key in ("sha256", "commit", "tag"):
        new: str | None = getattr(moved.source, key, None)
        if new is not None and new != getattr(recipe.source, key):
            changes[f"source.{key}"] = new
    return changes


def _taken(
    repository: Repository, recipe: Recipe, moved: Recipe, commits: Sequence[Commit], paths: Paths
) -> set[str]:
    """Return those of the patches that upstream's own history has as a commit since: of the same patch-id."""
    old, new = recipe.source, moved.source
    if not (isinstance(old, Git) and isinstance(new, Git) and commits) or len(old.commit) == SHA256_DIGITS:
        return set()
    repository.borrow(store_of(new.url, paths.cache))
    head, same = old.commit, {}
    for each in commits:
        head = repository.commit(each.tree, head, each.message, author=each.author, date=each.date)
        same[head] = each.hash
    if repository.tree(old.commit) != repository.tree(f"{commits[0].hash}^"):
        return set()  # submodules or large files are in the tree: it is not the commit's own
    compared = repository.git("cherry", new.commit, head, old.commit).splitlines()
    return {same[line[2:]] for line in compared if line.startswith("- ") and line[2:] in same}


def _taken_fate(commit: Commit) -> Fate:
    name = Message.parse(commit.message).name
    return Fate(name=name, outcome="dropped", why="upstream has made the same change")
