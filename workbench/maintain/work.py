"""A package's work tree: its source in git, one commit for each patch, where a person edits with any tool.

It lies in ``.workbench/patching/<package>``; what is under way there is written down in its ``.git``, so that a killed
process loses nothing. ``HEAD`` is the patch that is worked on; those after it wait, as `TreeState.pending`.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from workbench.errors import UsageError, WorkbenchError
from workbench.events import note, step
from workbench.files import content_of, locked, remove_tree, scratch, write_whole
from workbench.maintain.repository import Commit, Repository
from workbench.patches.apply import apply_series
from workbench.patches.message import Message, message_of
from workbench.patches.series import PatchFile, read_series
from workbench.patches.writing import fingerprint
from workbench.paths import PROGRAM
from workbench.recipe.load import load_versions
from workbench.recipe.versions import for_others
from workbench.source.tree import fetch
from workbench.strict import Mismatch, parse
from workbench.text import counted

if TYPE_CHECKING:
    from workbench.paths import Paths
    from workbench.recipe.model import Recipe

Outcome = Literal["new", "clean", "refreshed", "dropped", "conflict"]

_SHOWN_FILES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What became of a patch when the source or the patches before it changed, and why."""

    name: str
    outcome: Outcome
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bump:
    """A new version that the series is on its way to: its `version`, and the literals that the recipe gets.

    A recipe with several versions gets an `entry` among them, the text of its pin, in place of the version `instead_of`
    where that is one.
    """

    version: str
    source: str
    literals: dict[str, str]
    entry: str = ""
    instead_of: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeState:
    """What is under way in a work tree; all names are those of commits.

    `source` says which source `base` is. `series` is the fingerprint of the patches on the disk, and `full` their last
    commit; `start` is where a person began. `pending` go onto HEAD once it is saved, and the first of them has
    `stopped` at a conflict. Where `target` is set, the tree is being moved there. `fates` are those known so far.
    """

    source: str
    base: str
    series: str
    full: str
    start: str
    pending: tuple[str, ...] = ()
    stopped: bool = False
    target: str = ""
    fates: tuple[Fate, ...] = ()
    bump: Bump | None = None


@dataclass(frozen=True, slots=True)
class WorkTree:
    """A work tree and what is under way in it."""

    repository: Repository
    state: TreeState

    @property
    def folder(self) -> Path:
        """Where a person edits."""
        return self.repository.folder

    @property
    def package(self) -> str:
        """The package that it belongs to."""
        return self.folder.name

    @property
    def opened_at(self) -> str:
        """The package and its version whose source the tree is of."""
        return " ".join(self.state.source.split()[:2])

    @property
    def head(self) -> str:
        """The commit that is checked out. Raises UsageError where the source is not below it."""
        head = self.repository.git("rev-parse", "--verify", "HEAD")
        if self.repository.ask("merge-base", "--is-ancestor", self.state.base, head).status:
            raise UsageError(
                f"{self.folder}: HEAD does not stand on the source: 'git reset --hard {self.state.full[:12]}' there "
                "goes back to the series as it was opened"
            )
        return head

    @property
    def goes_on(self) -> str:
        """The command that goes on here after a conflict."""
        command = f"bump {self.package} --continue" if self.state.bump else f"patch.save {self.package}"
        return f"{PROGRAM} {command}"

    @property
    def gives_up(self) -> str:
        """The command that gives up what is under way here."""
        command = (
            f"bump {self.package} --abort" if self.state.bump else f"patch.save {self.package} --discard"
        )
        return f"{PROGRAM} {command}"

    def commits(self, head: str) -> tuple[Commit, ...]:
        """Return the patches up to a commit. Raises UsageError for merges among them."""
        found = self.repository.between(self.state.base, head)
        if merges := [each for each in found if len(each.parents) > 1]:
            raise UsageError(
                f"{self.folder}: {merges[0].hash[:12]} is a merge, and a series is one line of patches: "
                f"'git rebase {self.state.base[:12]}' there makes one of it"
            )
        return found

    def keeping(self, **changed: object) -> WorkTree:
        """Return it with a changed state, once that is written down."""
        state = dataclasses.replace(self.state, **changed)  # type: ignore[arg-type] # the fields' own types
        write_whole(_state_file(self.repository), json.dumps(dataclasses.asdict(state), indent=1))
        return WorkTree(self.repository, state)

    def at(self, commit: str, **changed: object) -> WorkTree:
        """Move the work tree to a commit, and change the state with it."""
        moving = self.keeping(**changed, target=commit)
        moving.repository.git("reset", "--quiet", "--hard", commit)
        return moving.keeping(target="")

    def unsaved(self) -> str:
        """Say what a person has done here and not saved; nothing where there is nothing."""
        if self.state.stopped:
            return "a conflict that is not resolved"
        if changed := edited_files(self.repository):
            return f"edits of {listed(changed)}"
        return "" if self.head == self.state.start else "commits"


def find_tree(paths: Paths, package: str) -> WorkTree | None:
    """Return a package's work tree, if there is one; a move that was cut off is finished."""
    repository = Repository(paths.state / "patching" / package)
    written = content_of(_state_file(repository))
    if written is None:
        return None
    try:
        state = parse(TreeState, json.loads(written), path=str(_state_file(repository)))
    except (Mismatch, ValueError) as error:
        raise WorkbenchError(f"{error}\nRemove {repository.folder}: it is made anew") from error
    tree = WorkTree(repository, state)
    if state.target:
        (repository.private / "index.lock").unlink(missing_ok=True)
        tree = tree.at(state.target)
    return tree


@contextmanager
def working(paths: Paths, package: str) -> Iterator[None]:
    """Keep other processes away from a package's patches. Raises UsageError where one is at work there."""
    with locked(paths.state / "patching" / f"{package}.lock", busy=f"a change of {package}'s patches"):
        yield


def own_patches(paths: Paths, recipe: Recipe) -> tuple[PatchFile, ...]:
    """Return the patches of a recipe's series, without those that `patches_when` has for other versions alone."""
    left_out = for_others(recipe)
    return tuple(each for each in read_series(paths.patches / recipe.patches) if each.name not in left_out)


def recipe_at_work(paths: Paths, name: str) -> Recipe:
    """Return a package's recipe at the version that its work tree is open at; at its newest where there is none.

    That is the version that a bump has come from, or else, where it was cut off, the one that it has written already.
    """
    recipes = load_versions(paths.recipes, name)
    tree = find_tree(paths, recipes[-1].name)
    if tree is None:
        return recipes[-1]
    by_source = {source_key(each): each for each in recipes}
    sources = (tree.state.source, tree.state.bump.source if tree.state.bump else "")
    return next((by_source[each] for each in sources if each in by_source), recipes[-1])


def open_tree(paths: Paths, recipe: Recipe, *, discard: bool = False) -> WorkTree:
    """Return a package's work tree with all of its patches applied: the one that is there, or a new one.

    Raises UsageError where somebody's work in it is not saved, unless that is to be thrown away; SourceError;
    PatchError where the series does not apply to the source.
    """
    folder = paths.state / "patching" / recipe.name
    series = own_patches(paths, recipe)
    if (there := find_tree(paths, recipe.name)) and not discard:
        if there.state.bump:
            raise UsageError(
                f"{recipe.name}: a bump to {there.state.bump.version} is under way in {folder}: "
                f"'{there.goes_on}', or '{there.gives_up}'"
            )
        if unsaved := there.unsaved():
            raise UsageError(
                f"{folder} has {unsaved} that nobody has saved: '{there.goes_on}', or '{there.gives_up}'"
            )
        if (there.state.source, there.state.series) == (source_key(recipe), fingerprint(series)):
            return there.at(there.state.full, start=there.state.full, pending=(), fates=())
    with scratch(folder.parent, ".making-") as place:
        made = place / recipe.name
        fetch_plain(recipe, paths, made)
        repository, base = with_source(made, f"{recipe.name} {recipe.version}")
        head = with_patches(repository, base, series, made)
        repository.git("update-ref", "HEAD", head)
        repository.git("tag", "source", base)
        repository.git("reset", "--quiet", "--mixed")
        state = TreeState(
            source=source_key(recipe), base=base, series=fingerprint(series), full=head, start=head
        )
        made_tree = WorkTree(repository, state).keeping()
        if there and there.state.source == state.source:
            _tell_of_losses(there, made_tree)
        put_away(folder)
        made.rename(folder)
    return WorkTree(Repository(folder), state)


def put_away(folder: Path) -> None:
    """Remove a work tree, if it is there. A killed process leaves all of it or nothing: half a tree is of no use."""
    with scratch(folder.parent, ".going-") as place, suppress(FileNotFoundError):
        folder.rename(place / folder.name)


def _tell_of_losses(before: WorkTree, after: WorkTree) -> None:
    """Tell of file modes and renames that patches had when the tree was last open, and have no more.

    ``quilt refresh`` drops them where it finds no line that changes.
    """
    found = [
        {
            Message.parse(each.message).name: tree.repository.summary(each.hash)
            for each in tree.commits(tree.state.full)
        }
        for tree in (before, after)
    ]
    for name, did in found[0].items():
        if lost := sorted(did - found[1].get(name, did)):
            note(
                f"{name} has lost since it was last saved here: {', '.join(lost)} (quilt refresh drops such)"
            )


def source_key(recipe: Recipe) -> str:
    """Return what tells a recipe's source from others."""
    return f"{recipe.name} {recipe.version} {recipe.source}"


def fetch_plain(recipe: Recipe, paths: Paths, into: Path) -> None:
    """Make a recipe's unpatched source at `into`, repositories' own files apart. Raises SourceError."""
    fetch(recipe.source, name=recipe.name, version=recipe.version, cache=paths.cache, into=into)
    for inner in sorted(into.rglob(".git")):
        if inner.is_dir() and not inner.is_symlink():
            remove_tree(inner)
        else:
            inner.unlink()


def with_source(folder: Path, title: str) -> tuple[Repository, str]:
    """Make a folder of files a repository, and return it with the commit of the files."""
    with step(f"read {folder.name}'s source"):
        repository = Repository.create(folder)
        return repository, repository.snapshot(folder, title)


def with_patches(repository: Repository, base: str, series: Sequence[PatchFile], folder: Path) -> str:
    """Apply patches to a folder that holds the files of `base`, a commit for each, and return the last one.

    Raises PatchError where one does not apply exactly.
    """
    head = base
    with repository.index() as index:
        index.git("read-tree", base)
        for patch in series:
            tree = index.update(folder, apply_series([patch], folder))
            message, author, date = message_and_person(patch)
            head = repository.commit(tree, head, message, author=author, date=date)
    return head


def message_and_person(patch: PatchFile) -> tuple[str, str, str]:
    """Return what the commit of a patch says, its author and its date."""
    message = message_of(patch.header, patch.name)
    return str(message), message.field("Author", "From"), message.field("Last-Update", "Date")


def edited_files(repository: Repository) -> list[str]:
    """Return the files that are not as they are committed."""
    entries = repository.git("status", "--porcelain", "-z", "--untracked-files=all", "--no-renames").split(
        "\0"
    )
    return [entry[3:] for entry in entries if entry]


def listed(files: Sequence[str]) -> str:
    """Return files for a message: the first few, and how many there are besides."""
    more = f" and {counted(len(files) - _SHOWN_FILES, 'more file')}" if len(files) > _SHOWN_FILES else ""
    return ", ".join(files[:_SHOWN_FILES]) + more


def _state_file(repository: Repository) -> Path:
    return repository.private / "workbench.json"
