"""Projects that come into the registry without a publish: declared by a recipe."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.errors import WorkbenchError
from workbench.publish.amend import amend, current, refuse_to_forget
from workbench.publish.drawing import draw_pages
from workbench.recipe.model import PYPI, Git, Sdist
from workbench.registry.model import Package

if TYPE_CHECKING:
    from workbench.recipe.model import Recipe
    from workbench.registry.model import Registry
    from workbench.store.opening import Site


def declare(site: Site, name: str, package: Package) -> None:
    """Register a project, or new facts of one, and draw its page; where that fails, a new one is taken out again."""
    store = site.store
    refuse_to_forget(site, current(store))
    store.prepare()
    is_new = True

    def change(registry: Registry) -> Registry:
        nonlocal is_new
        known = registry.packages.get(name)
        is_new = known is None
        return registry.with_package(name, known.described_by(package) if known else package)

    generation = amend(store, change, f"declare {name}").generation
    try:
        draw_pages(site)
    except BaseException:
        if is_new:
            amend(store, lambda registry: _without(registry, name, generation), f"take back {name}")
            # the error that is on its way counts more than another one of the same kind
            with suppress(WorkbenchError, OSError):
                draw_pages(site)
        raise


def _without(registry: Registry, name: str, generation: int) -> Registry:
    """Return a registry without a project, unless others changed it since: they may count on the project."""
    if registry.generation != generation:
        return registry
    others = {key: value for key, value in registry.packages.items() if key != name}
    return replace(registry, packages=others)


def package_facts(recipe: Recipe) -> Package:
    """Return what the registry says of a recipe's package, without wheels."""
    match recipe.source:
        case Git(url=repository, branch=branch, tag=tag):
            at = branch or tag
        case Sdist(name=name):
            repository, at = f"{PYPI}{name or recipe.name}", None
    return Package(
        source_repo=repository,
        source_branch=at,
        upstream=recipe.upstream,
        description=recipe.description,
        license=recipe.license,
    )
