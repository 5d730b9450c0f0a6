"""``add-package``, ``list`` and ``show``: what there is to build, and what of it is published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from workbench import console
from workbench.verb import Verb
from workbench.verbs.flags import DryRun, Json, StoreFlags

if TYPE_CHECKING:
    from workbench.maintain.addition import Addition
    from workbench.paths import Paths
    from workbench.recipe.model import Recipe
    from workbench.registry.model import Registry


@Verb
def add_package(
    name: Annotated[str, "the project's name"],
    *,
    source: Annotated[str, "a Git URL, or pypi:NAME==VERSION for an sdist of the package index"] = "",
    upstream: Annotated[str, "the URL of the project that the source derives from"] = "",
    branch: Annotated[str, "the branch to pin (default: the repository's own default branch)"] = "",
    tag: Annotated[str, "the tag to pin"] = "",
    description: Annotated[str, "one line that says what it is"] = "",
    store: StoreFlags,
    dry_run: DryRun = False,
) -> None:
    """Write a new package's recipe, pinned, with an empty patch series."""
    from workbench.index.brief import people_path
    from workbench.maintain.addition import NewPackage, plan_addition, written
    from workbench.publish.projects import declare, package_facts
    from workbench.store.layout import INDEX, REGISTRY

    paths, settings, opened = site = store.opened()
    new = NewPackage(
        name=name,
        source=source,
        upstream=upstream or None,
        branch=branch or None,
        tag=tag or None,
        description=description,
    )
    addition = plan_addition(new, paths)
    if not dry_run:
        with written(addition):
            declare(site, addition.recipe.name, package_facts(addition.recipe))
    for path, _ in addition.files:
        console.answer(f"{'would write' if dry_run else 'wrote'} {path.relative_to(paths.root)}")
    page = f", {INDEX}{people_path(addition.recipe.name)}" if settings.index.people else ""
    registered = "would register it" if dry_run else "registered it"
    console.answer(f"{registered} in {opened.place}: {REGISTRY}{page}")
    console.answer(f"\n{addition.files[0][1]}" if dry_run else _next_steps(addition, paths))


def _next_steps(addition: Addition, paths: Paths) -> str:
    from workbench.recipe.model import UNSET_VERSION

    recipe, path = addition.recipe, addition.files[0][0].relative_to(paths.root)
    version = (
        f"set its version in {path}: the source does not tell it"
        if recipe.version == UNSET_VERSION
        else f"look over {path}: licence, Pythons, a smoke test that uses the package"
    )
    return (
        f"\nNext:\n  1. {version}\n"
        f"  2. put changes into patches/{recipe.name}/, a line each in series (docs/patches.md)\n"
        f"  3. invoke build {recipe.name}, then invoke release {recipe.name}"
    )


@Verb
def list_(*, json: Json = False) -> None:
    """List the packages: version, patches, what is published."""
    from workbench.paths import Paths
    from workbench.recipe.load import load, names
    from workbench.registry.file import load as load_registry

    paths = Paths.here()
    registry = load_registry(paths.registry)
    with_recipe = names(paths.recipes)
    rows = [
        _row(name, load(paths.recipes, name) if name in with_recipe else None, registry, paths)
        for name in sorted({*with_recipe, *registry.packages})
    ]
    if json:
        console.answer_json(rows)
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


@Verb
def show(name: Annotated[str, "the package, as list names it"], *, json: Json = False) -> None:
    """Show one package: source and pin, patches, published wheels."""
    from workbench.paths import Paths

    facts = _package(name, Paths.here())
    if json:
        console.answer_json(facts)
        return
    title = f"{facts['name']} {facts['version'] or '(no recipe)'}"
    if facts["description"]:
        title += f": {facts['description']}"
    console.answer_summary(title, _summary(facts))


def _package(name: str, paths: Paths) -> dict[str, Any]:
    """Return all that is known of one package, in plain form. Raises RecipeError, PatchError."""
    from packaging.utils import canonicalize_name

    from workbench.recipe.load import load, names
    from workbench.registry.file import load as load_registry

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
    from workbench.patches.series import read_series
    from workbench.verbs.summary import source_facts

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
    from workbench.patches.series import read_series

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


def _summary(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the lines that show a package to a person."""
    from workbench.verbs.summary import source_line

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
