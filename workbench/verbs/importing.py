"""``import-packages``: recipes from the list of packages that builders on CI services keep."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from workbench import console
from workbench.events import step
from workbench.text import counted
from workbench.verb import Verb
from workbench.verbs.flags import DryRun, Json, StoreFlags

if TYPE_CHECKING:
    from workbench.maintain.listed import ListedRecipe
    from workbench.store.opening import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedPackage:
    """What came of an entry: its recipe's file, what a recipe cannot say of it, and what a person has to decide."""

    name: str
    outcome: Literal["written", "would be written", "there already", "failed"]
    recipe: str = ""
    versions: tuple[str, ...] = ()
    untranslated: tuple[str, ...] = ()
    needless: tuple[str, ...] = ()
    remaining: tuple[str, ...] = ()
    why: str = ""
    status: int = 0


@Verb
def import_packages(
    file: Annotated[str, "a packages.yml: versions, build_args, extra_deps, test_import, description"],
    *,
    store: StoreFlags,
    dry_run: DryRun = False,
    json: Json = False,
) -> int:
    """Write recipes for the packages that a packages.yml lists, as add-package does.

    Each source is fetched and read. What fails stops no other; the next run goes on with what has no recipe yet.
    """
    from workbench.maintain.listed import read_packages

    listed = read_packages(Path(file))
    site = store.opened()
    found = []
    with step("import packages", total=len(listed), unit="packages") as at:
        for each in listed:
            found.append(_imported(each, site, dry_run=dry_run))
            at(1)
    if json:
        console.answer_json([asdict(each) for each in found])
    else:
        _answer(found)
    return next((each.status for each in found if each.status), 0)


def _imported(listed: ListedRecipe, site: Site, *, dry_run: bool) -> ImportedPackage:
    from workbench.errors import WorkbenchError
    from workbench.maintain.addition import plan_addition, written
    from workbench.publish.projects import declare, package_facts
    from workbench.recipe.load import path_of

    path = path_of(site.paths.recipes, listed.name)
    if path.exists():
        return ImportedPackage(name=listed.name, outcome="there already", recipe=path.name)
    try:
        addition = plan_addition(listed.new(), site.paths)
        if not dry_run:
            with written(addition):
                declare(site, addition.recipe.name, package_facts(addition.recipe))
    except WorkbenchError as error:
        return ImportedPackage(
            name=listed.name,
            outcome="failed",
            untranslated=listed.untranslated,
            why=str(error),
            status=error.exit_code,
        )
    recipe = addition.recipe
    return ImportedPackage(
        name=listed.name,
        outcome="would be written" if dry_run else "written",
        recipe=path.name,
        versions=tuple(recipe.versions) or (recipe.version,),
        untranslated=listed.untranslated,
        needless=listed.needless,
        remaining=addition.proposal.remaining,
    )


def _answer(found: Sequence[ImportedPackage]) -> None:
    rows = [
        (each.name, ", ".join(each.versions) or "–", each.outcome, str(len(each.remaining) or "–"), each.why)
        for each in found
    ]
    console.answer_table(("package", "versions", "recipe", "to decide", ""), rows)
    for title, lines in (
        ("What a recipe cannot say, and is yours to look at:", "untranslated"),
        ("What a recipe has no need to say:", "needless"),
    ):
        told = [f"  {each.name}: {line}" for each in found for line in getattr(each, lines)]
        if told:
            console.answer("\n".join(("", title, *told)))
    new = sum(each.outcome in ("written", "would be written") for each in found)
    console.answer(
        f"\n{new} of {counted(len(found), 'package')}: each recipe says itself what is to be decided in it"
    )
