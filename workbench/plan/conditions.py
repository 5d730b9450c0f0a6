"""What of a recipe holds for a target: its ``when(...)`` values, and whether it supports the target at all."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet

from workbench.recipe.model import When

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from workbench.plan.target import Target
    from workbench.recipe.model import Recipe


def holds(condition: When, target: Target) -> bool:
    """Say whether all conditions that are given fit a target."""
    return (
        (condition.python is None or _within(condition.python, f"{target.python_version}.0"))
        and (condition.arch is None or condition.arch == target.arch)
        and (condition.compute is None or fnmatchcase(target.compute, condition.compute))
        and (condition.torch is None or (target.torch is not None and _within(condition.torch, target.torch)))
        and (condition.variant is None or condition.variant == target.variant)
    )


def values_for(values: Iterable[str | When], target: Target) -> tuple[str, ...]:
    """Return the values that hold for a target, in their order."""
    held = (value for value in values if not isinstance(value, When) or holds(value, target))
    return tuple(value.value if isinstance(value, When) else value for value in held)


def variables_for(
    variables: Mapping[str, str | When | tuple[str | When, ...]], target: Target
) -> dict[str, str]:
    """Return the variables that hold for a target; of several values of one, the first that does."""
    several = {name: value if isinstance(value, tuple) else (value,) for name, value in variables.items()}
    return {name: held[0] for name, values in several.items() if (held := values_for(values, target))}


def unsupported(recipe: Recipe, target: Target) -> str | None:
    """Return why a recipe does not support a target, or None where it does."""
    if not _within(recipe.python, f"{target.python_version}.0"):
        return f"the recipe supports Python {recipe.python}"
    if target.arch not in recipe.arch:
        return f"the recipe supports {', '.join(recipe.arch)}"
    if not any(fnmatchcase(target.compute, pattern) for pattern in recipe.compute):
        return f"the recipe supports the compute platforms {', '.join(recipe.compute)}"
    if target.variant is not None and target.variant not in recipe.variants:
        return f"the recipe has {'the variants ' + ', '.join(recipe.variants) if recipe.variants else 'no variants'}"
    return _torch_unsupported(recipe, target)


def _torch_unsupported(recipe: Recipe, target: Target) -> str | None:
    if recipe.torch is None:
        return "the recipe does not build against torch" if target.torch else None
    if target.torch is None:
        return f"the recipe builds against torch {recipe.torch}: name a release with --torch"
    return None if _within(recipe.torch, target.torch) else f"the recipe builds against torch {recipe.torch}"


def _within(specifiers: str, version: str) -> bool:
    return SpecifierSet(specifiers).contains(version, prereleases=True)
