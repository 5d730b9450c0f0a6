"""``list`` and ``show``: what there is to build, and what of it is published."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from workbench.patches.series import read_series
from workbench.recipe.load import load, names
from workbench.registry.file import load as load_registry

if TYPE_CHECKING:
    from workbench.recipe.model import Recipe
    from workbench.registry.model import Registry
    from workbench.site import Site


def packages(site: Site) -> list[dict[str, Any]]:
    """Return a row for each recipe, in plain form; raises RecipeError at one that does not load."""
    registry = load_registry(site.registry)
    return [_row(load(site.recipes, name), registry, site) for name in names(site.recipes)]


def package(site: Site, name: str) -> dict[str, Any]:
    """Return all that is known of one package, in plain form. Raises RecipeError, PatchError."""
    registry = load_registry(site.registry)
    recipe = load(site.recipes, name)
    published = registry.packages.get(recipe.name)
    return {
        **_row(recipe, registry, site),
        "upstream": recipe.upstream,
        "license": recipe.license,
        "source": {"kind": type(recipe.source).__name__, **asdict(recipe.source)},
        "python": recipe.python,
        "arch": list(recipe.arch),
        "compute": list(recipe.compute),
        "torch": recipe.torch,
        "modules": list(recipe.modules),
        "patches": [
            {"name": patch.name, "sha256": patch.sha256, "description": patch.header.description}
            for patch in read_series(site.patches / recipe.patches)
        ],
        "wheels": [
            {"filename": wheel.filename, "size": wheel.size, "sha256": wheel.sha256, "yanked": wheel.yanked}
            for wheel in (published.wheels if published else ())
        ],
    }


def _row(recipe: Recipe, registry: Registry, site: Site) -> dict[str, Any]:
    published = registry.packages.get(recipe.name)
    return {
        "name": recipe.name,
        "version": recipe.version,
        "description": recipe.description,
        "patches": len(read_series(site.patches / recipe.patches)),
        "published": [
            f"{wheel.python_version} {wheel.platform}" + (" (yanked)" if wheel.yanked is not None else "")
            for wheel in (published.wheels if published else ())
        ],
    }


def summary(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the lines that show a package to a person."""
    source = dict(facts["source"])
    kind = source.pop("kind")
    lines = [
        ("upstream", facts["upstream"] or "–"),
        ("licence", facts["license"] or "–"),
        ("source", f"{kind}: " + ", ".join(f"{key} {value}" for key, value in source.items() if value)),
        ("python", facts["python"]),
        *(("patch", f"{patch['name']}: {patch['description']}") for patch in facts["patches"]),
        *(
            (
                "wheel",
                wheel["filename"] + (f" (yanked: {wheel['yanked']})" if wheel["yanked"] is not None else ""),
            )
            for wheel in facts["wheels"]
        ),
    ]
    return lines if facts["wheels"] else [*lines, ("wheel", "none published yet")]
