"""``bump`` and ``outdated``: recipes and their patches follow upstream."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from workbench import console
from workbench.paths import Paths
from workbench.verb import Verb
from workbench.verbs.flags import DryRun, Json, Package

if TYPE_CHECKING:
    from workbench.maintain.bump import Bumped
    from workbench.maintain.outdated import Behind


@Verb
def bump(
    name: Package,
    *version: Annotated[str, "the version (default: the newest; of a recipe that follows a branch, its tip)"],
    to: Annotated[str, "the version again, as a flag: 1.2.3, newest"] = "",
    continue_: Annotated[bool, "go on after a conflict was resolved, or after an interruption"] = False,
    abort: Annotated[bool, "give up what is under way: recipe and patches stay as they are"] = False,
    add: Annotated[bool, "keep the version that the recipe has: it gets several"] = False,
    replace: Annotated[
        bool, "of a recipe with several versions: move the newest, instead of adding one"
    ] = False,
    dry_run: DryRun = False,
    json: Json = False,
) -> int:
    """Move a package to another version: a new pin, and its patches rebased onto the new source.

    A recipe with several versions gets one more, made from the one before it.
    """
    from workbench.errors import PatchError, UsageError
    from workbench.maintain.bump import abort_bump, base_of, continue_bump, try_bump
    from workbench.maintain.bump import bump as begin
    from workbench.maintain.newest import NEWEST, moved_to
    from workbench.recipe.load import load_versions

    asked = [*version, *([to] if to else [])]
    if len(asked) > 1 or ((continue_ or abort) and (asked or dry_run)) or (continue_ and abort):
        raise UsageError("bump takes one version, or --continue or --abort")
    if add and replace:
        raise UsageError(
            "--add keeps the versions that are there, and --replace moves the newest: give one of them"
        )
    paths = Paths.here()
    if abort:
        console.answer(f"gave up the bump of {name} to {abort_bump(paths, name)}: nothing has changed")
        return 0
    wanted = asked[0] if asked else NEWEST
    recipes = load_versions(paths.recipes, name)
    adds = add or (bool(recipes[-1].versions) and not replace)
    recipe = base_of(recipes, wanted) if adds else recipes[-1]
    if continue_:
        bumped = continue_bump(paths, name)
    elif dry_run:
        bumped = try_bump(paths, recipe, moved_to(recipe, wanted), adds=adds)
    else:
        bumped = begin(paths, recipe, wanted, adds=adds)
    if json:
        console.answer_json({**_plain(bumped), "dry_run": dry_run})
    else:
        _tell(bumped, dry_run=dry_run)
    return PatchError.exit_code if bumped.conflicts else 0


def _plain(bumped: Bumped) -> dict[str, object]:
    return {
        "name": bumped.name,
        "from": bumped.before,
        "to": bumped.after,
        "moved": bumped.moved,
        "added": bumped.added,
        "series": bumped.patches,
        "patches": bumped.fates,
    }


def _tell(bumped: Bumped, *, dry_run: bool) -> None:
    """Print where a package has moved, or would, and what became of its patches."""
    if not bumped.moved:
        console.answer(f"{bumped.name} has version {bumped.after} already: nothing to do")
        return
    if bumped.fates:
        rows = [(each.name, each.outcome, each.why) for each in bumped.fates]
        console.answer_table(("patch", "outcome", "why"), rows)
    if bumped.added:
        done = "would add" if dry_run else "added"
        apart = f", with a series of its own: patches/{bumped.patches}" if bumped.patches else ""
        if bumped.conflicts:
            done = "would stop at a conflict, adding"
        console.answer(f"{done} {bumped.after} to the versions of {bumped.name}{apart}")
        return
    done = "would move" if dry_run else "moved"
    if bumped.conflicts:
        done = "would stop at a conflict, moving"
    console.answer(f"{done} {bumped.name} from {bumped.before} to {bumped.after}")


@Verb
def outdated(
    *names: Annotated[str, "the packages (default: all that have a recipe)"], json: Json = False
) -> int:
    """Say which packages are behind upstream, and whether their patches apply to what is new there."""
    from workbench.errors import SourceError
    from workbench.maintain.outdated import outdated as ask
    from workbench.recipe.load import names as all_names

    paths = Paths.here()
    found = ask(paths, names or all_names(paths.recipes))
    if json:
        console.answer_json(
            [
                {
                    "name": each.name,
                    "version": each.version,
                    "newest": each.newest,
                    "outdated": each.tried is not None,
                    "branch": each.branch,
                    "patches": each.tried.fates if each.tried else (),
                    "uncovered": each.uncovered,
                    "problem": each.problem,
                }
                for each in found
            ]
        )
    else:
        rows = [
            (each.name, each.version, _newest(each), _fates(each), "\n".join(each.uncovered))
            for each in found
        ]
        console.answer_table(("package", "version", "newest", "patches", "not covered"), rows)
        behind = sum(each.tried is not None for each in found)
        console.answer(f"\n{behind} of {len(found)} can move{': bump NAME does that' if behind else ''}")
    return SourceError.exit_code if any(each.problem for each in found) else 0


def _newest(each: Behind) -> str:
    if each.problem:
        return f"unknown: {each.problem}"
    if each.branch and each.tried:
        return f"{each.newest} (branch {each.branch} has moved)"
    return str(each.newest) if each.tried else "up to date"


def _fates(each: Behind) -> str:
    """Say how the patches go onto the new source: all clean, or which do not."""
    if each.tried is None:
        return ""
    fates = each.tried.fates
    odd = [f"{fate.name}: {fate.outcome}" for fate in fates if fate.outcome != "clean"]
    clean = f"{len(fates) - len(odd)} clean" if len(odd) < len(fates) else ""
    return "\n".join(filter(None, [clean, *odd])) or "none"
