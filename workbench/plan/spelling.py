"""What the words ``all`` and ``a-b`` on an axis mean for a recipe: a list. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import partial
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet

from workbench.errors import UsageError
from workbench.recipe.model import ALL, USUAL

if TYPE_CHECKING:
    from workbench.plan.axes import Axes
    from workbench.recipe.model import Recipe

PYTHONS = tuple(f"3.{minor}" for minor in range(9, 15))
CUDAS = ("cu118", "cu121", "cu124", "cu126", "cu128", "cu129", *(f"cu13{minor}" for minor in range(6)))
TORCHES = tuple(f"2.{minor}" for minor in range(16))
"""What ``all`` takes from, and a range of CUDA releases, the oldest first. A new release is added here."""

_MINOR = re.compile(r"(\d+)\.(\d+)")


def spelled_out(axes: Axes, recipe: Recipe) -> Axes:
    """Return axes as lists of what a recipe has: without ``all``, and without ranges of what stands in an order.

    The ranges of Pythons stay: whoever reads a list of Pythons knows them. Where a recipe has no usual build, its
    variants stand for it. The versions are told apart before: there is a recipe for each. Raises UsageError for what is
    not a range.
    """
    variants = ("" if recipe.variants_only else USUAL, *recipe.variants)
    torches = _supported(TORCHES, recipe.torch) if recipe.torch else ()
    computes = _matching(("cpu", *CUDAS), recipe.compute)
    return replace(
        axes,
        python=_listed(axes.python, _supported(PYTHONS, recipe.python)),
        arch=_listed(axes.arch, recipe.arch),
        compute=_listed(axes.compute, computes, _cudas),
        torch=_listed(axes.torch, torches, partial(_minors, "--torch", "2.9-2.11")),
        variant=_listed(axes.variant or (ALL if recipe.variants_only else ""), variants),
        # a recipe names none, so ``all`` stays what it is: not a glibc
        glibc=_listed(axes.glibc, (ALL,), partial(_minors, "--glibc", "2.28-2.34")),
    )


def _supported(known: Sequence[str], specifiers: str) -> tuple[str, ...]:
    wanted = SpecifierSet(specifiers)
    return tuple(each for each in known if wanted.contains(f"{each}.0"))


def _matching(known: Sequence[str], patterns: Sequence[str]) -> tuple[str, ...]:
    return tuple(each for each in known if any(fnmatchcase(each, pattern) for pattern in patterns))


def _listed(
    text: str, every: Sequence[str], between: Callable[[str, str], Sequence[str]] | None = None
) -> str:
    """Return an axis as a list: `every` for ``all``, and what lies `between` the ends of a range."""
    parts: list[str] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if first == ALL and not dash:
            parts += filter(None, every)
        elif dash and between:
            parts += between(first, last)
        else:
            parts.append(part)
    return ",".join(dict.fromkeys(parts))


def _cudas(first: str, last: str) -> Sequence[str]:
    """Return the CUDA releases from one to another."""
    if first not in CUDAS or last not in CUDAS or CUDAS.index(first) > CUDAS.index(last):
        raise UsageError(
            f"--compute {first}-{last} is not a range: name two of {', '.join(CUDAS)}, the older one first"
        )
    return CUDAS[CUDAS.index(first) : CUDAS.index(last) + 1]


def _minors(option: str, example: str, first: str, last: str) -> Sequence[str]:
    """Return the releases, X.Y, from one to another."""
    low, high = _MINOR.fullmatch(first), _MINOR.fullmatch(last)
    if not low or not high or low[1] != high[1] or int(low[2]) > int(high[2]):
        raise UsageError(f"{option} {first}-{last} is not a range: write {example}, the older one first")
    return [f"{low[1]}.{minor}" for minor in range(int(low[2]), int(high[2]) + 1)]
