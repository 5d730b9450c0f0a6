"""``list`` and ``show``: what there is to build, and what of it is published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from workbench import console
from workbench.patches.series import read_series
from workbench.recipe.load import load, names
from workbench.registry.file import load as load_registry
from workbench.verbs.summary import source_facts, source_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.paths import Paths
    from workbench.recipe.model import Recipe
    from workbench.registry.model import Registry


def packages(paths: Paths) -> list[dict[str, Any]]:
    """Return a row for each package that has a recipe or is published, in plain form.

    Raises RecipeError at a recipe that does not load.
    """
    registry = load_registry(paths.registry)
    with_recipe = names(paths.recipes)
    return [
        _row(name, load(paths.recipes, name) if name in with_recipe else None, registry, paths)
        for name in sorted({*with_recipe, *registry.packages})
    ]


def package(paths: Paths, name: str) -> dict[str, Any]:
    """Return all that is known of one package, in plain form. Raises RecipeError, PatchError."""
    registry = load_registry(paths.registry)
    name = canonicalize_name(name)
    published = registry.packages.get(name)
    recipe = load(paths.recipes, name) if name in names(paths.recipes) or not published else None
    described = recipe or published
    return {
        **_row(name, recipe, registry, paths),
        "upstream": described.upstream if described else None,
        "license": described.license if described else None,
        **(_made_from(recipe, paths) if recipe else NO_RECIPE),
        "wheels": [
            {"filename": wheel.filename, "size": wheel.size, "sha256": wheel.sha256, "yanked": wheel.yanked}
            for wheel in (published.wheels if published else ())
        ],
    }


NO_RECIPE: dict[str, Any] = {
    "source": None,
    "python": None,
    "arch": [],
    "compute": [],
    "torch": None,
    "modules": [],
    "patches": [],
}
"""What is known of how a package is made that others imported or published: nothing."""


def _made_from(recipe: Recipe, paths: Paths) -> dict[str, Any]:
    return {
        "source": source_facts(recipe.source),
        "python": recipe.python,
        "arch": list(recipe.arch),
        "compute": list(recipe.compute),
        "torch": recipe.torch,
        "modules": list(recipe.modules),
        "patches": [
            {"name": patch.name, "sha256": patch.sha256, "description": patch.header.description}
            for patch in read_series(paths.patches / recipe.patches)
        ],
    }


def _row(name: str, recipe: Recipe | None, registry: Registry, paths: Paths) -> dict[str, Any]:
    published = registry.packages.get(name)
    described = recipe or published
    return {
        "name": name,
        "version": recipe.version if recipe else None,
        "description": described.description if described else "",
        "patches": len(read_series(paths.patches / recipe.patches)) if recipe else 0,
        "published": [
            f"{wheel.filename.split('-')[1]} {wheel.python_version} {wheel.platform}"
            + (" (yanked)" if wheel.yanked is not None else "")
            for wheel in (published.wheels if published else ())
        ],
    }


def report(rows: Sequence[dict[str, Any]], *, json: bool) -> None:
    """Print a row for each package."""
    if json:
        console.answer_json(list(rows))
        return
    console.answer_table(
        ("package", "version", "patches", "published", "description"),
        [
            (
                row["name"],
                row["version"] or "no recipe",
                str(row["patches"]),
                "\n".join(row["published"]) or "–",
                row["description"],
            )
            for row in rows
        ],
    )


def report_package(facts: dict[str, Any], *, json: bool) -> None:
    """Print what is known of one package."""
    if json:
        console.answer_json(facts)
        return
    title = f"{facts['name']} {facts['version'] or '(no recipe)'}"
    if facts["description"]:
        title += f": {facts['description']}"
    console.answer_summary(title, summary(facts))


def summary(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the lines that show a package to a person."""
    lines = [("upstream", facts["upstream"] or "–"), ("licence", facts["license"] or "–")]
    if facts["source"]:
        lines += [("source", source_line(facts["source"])), ("python", facts["python"])]
    lines += [("patch", f"{patch['name']}: {patch['description']}") for patch in facts["patches"]]
    lines += [("wheel", wheel["filename"] + _yanked(wheel["yanked"])) for wheel in facts["wheels"]]
    return lines if facts["wheels"] else [*lines, ("wheel", "none published yet")]


def _yanked(reason: str | None) -> str:
    if reason is None:
        return ""
    return f" (yanked: {reason})" if reason else " (yanked)"
