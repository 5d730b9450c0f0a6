"""``patch.*``: a package's patch series, worked on in a git work tree of its source."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from workbench import console
from workbench.paths import PROGRAM, Paths
from workbench.verb import Verb
from workbench.verbs.flags import DryRun, Json, Package

if TYPE_CHECKING:
    from workbench.maintain.written import Saved
    from workbench.patches.series import PatchFile
    from workbench.recipe.model import Recipe

Patch = Annotated[str, "the patch, as series names it"]
Version = Annotated[str, "which of the recipe's versions (default: the newest)"]
Apart = Annotated[bool, "give the version a series of its own, where others have the same: they keep theirs"]
Discard = Annotated[bool, "throw away what nobody has saved in the work tree"]


@Verb
def new(
    name: Package,
    title: Annotated[str, "what the patch does, in a few words"],
    *,
    version: Version = "",
    discard: Discard = False,
) -> None:
    """Open a work tree of the package's source at a new patch, the last of its series."""
    from workbench.maintain.patching import begin_patch

    patch, folder = begin_patch(*_site_of(name, version), title, discard=discard)
    _tell_where(name, patch, str(folder))


@Verb
def edit(name: Package, patch: Patch, *, version: Version = "", discard: Discard = False) -> None:
    """Open a work tree of the package's source at a patch of its series."""
    from workbench.maintain.patching import edit_patch

    _tell_where(name, patch, str(edit_patch(*_site_of(name, version), patch, discard=discard)))


def _tell_where(name: str, patch: str, folder: str) -> None:
    console.answer(
        f"{folder}\nis the source with the patches up to {patch}. Edit it with any tool. What you do not commit\n"
        f"belongs to that patch; its header is the commit's message (git commit --amend). Then:\n"
        f"  {PROGRAM} patch.save {name}"
    )


@Verb
def save(
    name: Package,
    *,
    version: Annotated[str, "the version that the work tree is open at, to be sure of it"] = "",
    apart: Apart = False,
    discard: Annotated[bool, "go back to the series as it is on the disk instead"] = False,
    json: Json = False,
) -> None:
    """Write the series as it is in the work tree, after a conflict too; without a change nothing is written."""
    from workbench.maintain.patching import discard_work, save_patches

    if discard:
        console.answer(f"{discard_work(Paths.here(), name, version)} is as the series is on the disk")
        return
    _answer(save_patches(Paths.here(), name, version, apart=apart), dry_run=False, json=json)


@Verb
def list_(name: Package, *, version: Version = "", json: Json = False) -> None:
    """List a package's patches in their order, and the files that each changes."""
    rows = [
        {
            "name": patch.name,
            "description": patch.description,
            "files": sorted({change.path for change in patch.changes}),
            "options": list(patch.options),
            "sha256": patch.sha256,
        }
        for patch in _series(*_site_of(name, version))
    ]
    if json:
        console.answer_json(rows)
    elif rows:
        cells = [(str(row["name"]), str(row["description"]), "\n".join(row["files"])) for row in rows]
        console.answer_table(("patch", "what it does", "files"), cells)
    else:
        console.answer(f"{name} has no patches: {PROGRAM} patch.new {name} TITLE begins one")


@Verb
def show(name: Package, patch: Patch, *, version: Version = "") -> None:
    """Print a patch."""
    from workbench.maintain.patching import require_patch

    paths, recipe = _site_of(name, version)
    series = {each.name: each for each in _series(paths, recipe)}
    require_patch(patch, tuple(series), recipe)
    console.answer(series[patch].text.decode(errors="backslashreplace").rstrip("\n"))


@Verb
def drop(
    name: Package,
    patch: Patch,
    *,
    version: Version = "",
    apart: Apart = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Take a patch out of the series; those after it are applied again."""
    from workbench.maintain.patching import drop_patch

    saved = drop_patch(*_site_of(name, version), patch, apart=apart, dry_run=dry_run)
    _answer(saved, dry_run=dry_run, json=json)


@Verb
def move(
    name: Package,
    patch: Patch,
    *,
    before: Annotated[str, "the patch that it goes before"] = "",
    after: Annotated[str, "the patch that it goes after"] = "",
    version: Version = "",
    apart: Apart = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Move a patch to another place in the series."""
    from workbench.maintain.patching import move_patch

    site = _site_of(name, version)
    saved = move_patch(*site, patch, before=before, after=after, apart=apart, dry_run=dry_run)
    _answer(saved, dry_run=dry_run, json=json)


@Verb
def import_(
    name: Package,
    what: Annotated[str, "a file, a URL, a quilt folder, or a commit or a range (A..B)"],
    *,
    as_: Annotated[str, "the name that the patch gets in the series"] = "",
    repository: Annotated[str, "the Git URL of the commits (default: the recipe's source or upstream)"] = "",
    version: Version = "",
    apart: Apart = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Add patches from elsewhere at the end of the series."""
    from workbench.maintain.taking import import_patches

    site = _site_of(name, version)
    saved = import_patches(*site, what, name=as_, url=repository, apart=apart, dry_run=dry_run)
    _answer(saved, dry_run=dry_run, json=json)


def _answer(saved: Saved, *, dry_run: bool, json: bool) -> None:
    """Print what became of a series."""
    if json:
        console.answer_json(saved)
        return
    if saved.fates:
        rows = [(each.name, each.outcome, each.why) for each in saved.fates]
        console.answer_table(("patch", "outcome", "why"), rows)
    if not saved.changed:
        console.answer("would change nothing" if dry_run else "nothing has changed: nothing was written")
        return
    done = "would write" if dry_run else "wrote"
    shared = f", which {', '.join(saved.versions)} have" if len(saved.versions) > 1 else ""
    console.answer(f"{done} the series patches/{saved.series}{shared}")


def _site_of(name: str, version: str) -> tuple[Paths, Recipe]:
    from workbench.recipe.load import load

    paths = Paths.here()
    return paths, load(paths.recipes, name, version)


def _series(paths: Paths, recipe: Recipe) -> tuple[PatchFile, ...]:
    from workbench.maintain.work import own_patches

    return own_patches(paths, recipe)
