"""Why targets have no wheel: kept in the registry until one is published for them. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from workbench.registry.model import Package, PublishedWheel, Unavailable


def with_reasons(package: Package, told: Iterable[Unavailable]) -> Package:
    """Return a project of which this is told, in place of what was told of the same targets before."""
    known = {_target(each): each for each in (*package.unavailable, *told)}
    ordered = sorted(known.values(), key=lambda each: tuple(part or "" for part in _target(each)))
    return filled(replace(package, unavailable=tuple(ordered)))


def filled(package: Package) -> Package:
    """Return a project without the reasons for targets that have a wheel by now."""
    left = tuple(
        each for each in package.unavailable if not any(_fills(wheel, each) for wheel in package.wheels)
    )
    return package if left == package.unavailable else replace(package, unavailable=left)


def _target(each: Unavailable) -> tuple[str | None, ...]:
    return each.python, each.arch, each.compute, each.torch


def _fills(wheel: PublishedWheel, each: Unavailable) -> bool:
    """Say whether a wheel is for the one target that is told of; what is told of many holds for the others still."""
    build = wheel.build
    return (
        build is not None
        and build.variant is None  # a variant is beside the usual build, and not in its place
        and wheel.yanked is None
        and each.arch is not None
        and wheel.platform.endswith(f"_{each.arch}")
        and (wheel.python_version, build.compute) == (each.python, each.compute)
        and (build.torch or "").split(".")[:2] == (each.torch or "").split(".")[:2]
    )
