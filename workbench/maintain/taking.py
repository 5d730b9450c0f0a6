"""Patches from elsewhere into a series: files, URLs, quilt folders, commits of a repository."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import CommandFailed, PatchError, SourceError, UsageError
from workbench.files import temporary
from workbench.http import NoAnswer
from workbench.maintain.foreign import files_of, header_of, local_commit
from workbench.maintain.patching import tried_only
from workbench.maintain.resuming import replayed
from workbench.maintain.work import WorkTree, message_and_person, open_tree, working
from workbench.maintain.written import Saved, write_tree
from workbench.patches.apply import apply_series
from workbench.patches.series import REVERSED, SUFFIXES, PatchFile, read_series
from workbench.recipe.model import Git
from workbench.simple.fetch import Fetcher
from workbench.source.git import fetch_all

if TYPE_CHECKING:
    from workbench.maintain.repository import Repository
    from workbench.paths import Paths
    from workbench.recipe.model import Recipe


def import_patches(
    paths: Paths,
    recipe: Recipe,
    what: str,
    *,
    name: str = "",
    url: str = "",
    apart: bool = False,
    dry_run: bool = False,
) -> Saved:
    """Put patches behind a series, and save it.

    `what` is a file, an http(s) URL, a folder with a ``series``, or else a commit or a range (``A..B``) of the
    repository at `url`: the recipe's source or upstream unless given. Raises UsageError for a name that is taken,
    SourceError, PatchError for what does not apply, also at another version that has the series; with `apart` this one
    has one of its own then.
    """
    with working(paths, recipe.name), tried_only(paths, recipe, dry_run=dry_run):
        series = read_series(paths.patches / recipe.patches)
        there = {patch.name for patch in series}
        patches = _patches(what, name)
        if patches is None:
            tree = _with_commits(paths, recipe, what, name=name, url=url)
            return write_tree(paths, recipe, tree, parted=apart, dry_run=dry_run)
        if taken := [patch.name for patch in patches if patch.name in there]:
            raise UsageError(
                f"{recipe.name} has a patch {taken[0]} already: --as gives this one another name"
            )
        tree = open_tree(paths, recipe)
        head = tree.state.full
        for patch in patches:
            message, author, date = message_and_person(patch)
            written = applied(tree.repository, head, patch)
            head = tree.repository.commit(written, head, message, author=author, date=date)
        texts = {patch.name: patch for patch in patches}
        return write_tree(paths, recipe, tree.at(head), texts, parted=apart, dry_run=dry_run)


def applied(repository: Repository, head: str, patch: PatchFile) -> str:
    """Return the tree that a patch makes of a commit: at its lines, or else where git finds them, all context alike.

    Raises PatchError where it does not apply.
    """
    with temporary() as place, repository.index() as index:
        folder, file = place / "source", place / "patch"
        repository.export(head, folder)
        index.git("read-tree", head)
        try:
            return index.update(folder, apply_series([patch], folder))
        except PatchError as strictly:
            file.write_bytes(patch.text)
            level = next((option for option in patch.options if option.startswith("-p")), "-p1")
            reverse = ("--reverse",) if REVERSED in patch.options else ()
            try:
                index.git("apply", "--cached", "--whitespace=nowarn", level, *reverse, file)
            except CommandFailed:
                raise PatchError(
                    f"{strictly}\nNothing was imported: make the change by hand (patch.new), or import it into the "
                    "version that it was made for, and bump"
                ) from strictly
            return index.git("write-tree")


def _patches(what: str, name: str) -> tuple[PatchFile, ...] | None:
    """Return the patches that a file, a folder or a URL holds; None for anything else."""
    path = Path(what)
    if path.is_dir():
        if name:
            raise UsageError("--as is for one patch, and a folder may hold several")
        if patches := read_series(path):
            return patches
        raise UsageError(f"{path}: no series in it that lists patches")
    if path.is_file():
        text = path.read_bytes()
    elif what.startswith(("http://", "https://")):
        try:
            text = Fetcher().get(what).body
        except NoAnswer as problem:
            raise SourceError(f"{what}: {problem}") from problem
    elif what.endswith(SUFFIXES) or what.startswith(("/", "./", "../")):
        raise UsageError(f"{what}: no such file or folder")
    else:
        return None
    named = name or what.partition("?")[0].rstrip("/").rpartition("/")[2]
    named = named if named.endswith(SUFFIXES) else f"{named}{SUFFIXES[0]}"
    return (PatchFile.parse(text, name=named, path=path),)


def _with_commits(paths: Paths, recipe: Recipe, what: str, *, name: str, url: str) -> WorkTree:
    url = url or (recipe.source.url if isinstance(recipe.source, Git) else recipe.upstream or "")
    if not url:
        raise UsageError(
            f"{what}: no such file, and no repository to look for a commit in: --repository names one"
        )
    store = fetch_all(url, paths.cache)
    tree = open_tree(paths, recipe)
    tree.repository.borrow(store)
    hashes = _hashes(tree, store, what, url)
    if name and len(hashes) > 1:
        raise UsageError(f"--as is for one patch, and {what} is {len(hashes)}")
    taken = {patch.name for patch in read_series(paths.patches / recipe.patches)}
    if name in taken:
        raise UsageError(f"{recipe.name} has a patch {name} already")
    there = files_of(tree.repository, tree.state.full)
    pending: list[str] = []
    for each in map(tree.repository.read, hashes):
        message = header_of(each, f"upstream, {url}", taken, name=name)
        pending.append(local_commit(tree.repository, each, message, there))
        there |= files_of(tree.repository, each.hash) - files_of(tree.repository, each.parent)
    ready = tree.at(tree.state.full, start=tree.state.full, pending=tuple(filter(None, pending)))
    return replayed(ready)


def _hashes(tree: WorkTree, store: Path, what: str, url: str) -> list[str]:
    """Return the commits that a name or a range in a store means, the oldest first. Raises UsageError."""
    asked = (
        ("rev-list", "--reverse", "--topo-order", what)
        if ".." in what
        else ("rev-parse", "--verify", f"{what}^0")
    )
    done = tree.repository.ask("--git-dir", store, *asked, "--")
    if done.status or not done.output.split():
        raise UsageError(f"{what}: no such file here, and no such commit, or an empty range, in {url}")
    return [each for each in done.output.split() if each != "--"]
