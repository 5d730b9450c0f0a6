"""The plan: everything that decides what a build makes, as one value.

A dry run prints the plan that the real run would execute, and the build key is a hash of it, so two runs with the
same key would make the same wheel.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from packaging.version import InvalidVersion, Version

from workbench.errors import UsageError
from workbench.recipe.model import LocalFolder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.patches.series import PatchFile
    from workbench.plan.target import Target
    from workbench.recipe.model import Recipe, Source

KEY_FORMAT = 1
"""Raised when the way of building changes so that the same inputs give another wheel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One recipe for one target. `version` is the wheel's: the recipe's and the suffix, if there is one."""

    recipe: Recipe
    target: Target
    source: Source
    patches: tuple[PatchFile, ...]
    version: Version
    builder: Literal["host"] = "host"

    @property
    def title(self) -> str:
        """Name the plan to a person: ``hnswlib 0.8.0 cp311 x86_64 cpu``."""
        return f"{self.recipe.name} {self.version} {self.target}"

    @property
    def slug(self) -> str:
        """Name the plan in a path: ``hnswlib-0.8.0-cp311-x86_64-cpu``."""
        return self.title.replace(" ", "-")

    @property
    def key(self) -> str | None:
        """The build key: SHA-256 (hex) of all that decides what is built. None where the source has no pin.

        The smoke test, the description and the like are not in it: changing them changes no wheel.
        """
        if isinstance(self.source, LocalFolder):
            return None
        inputs = {
            "format": KEY_FORMAT,
            "name": self.recipe.name,
            "version": str(self.version),
            "source": {"kind": type(self.source).__name__, **asdict(self.source)},
            "patches": [[patch.name, patch.sha256] for patch in self.patches],
            "target": asdict(self.target),
            "builder": self.builder,
            "build_requires": self.recipe.build_requires,
            "environment": self.recipe.environment,
            "repair_exclude": self.recipe.repair_exclude,
        }
        return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A target that the recipe does not support, and why."""

    target: Target
    reason: str


def plan(
    recipe: Recipe,
    patches: Sequence[PatchFile],
    targets: Sequence[Target],
    *,
    source: Source | None = None,
    suffix: str = "",
) -> tuple[tuple[Plan, ...], tuple[LeftOut, ...]]:
    """Cross a recipe with targets: the plans, and what was left out.

    `source` stands in for the recipe's own (``--source-dir``), `suffix` is added to its version (``.post1``,
    ``+local``). Raises UsageError when the suffix makes no PEP 440 version, or when no target is left.
    """
    version = _suffixed(recipe.version, suffix)
    plans, left_out = [], []
    for target in targets:
        if recipe.supports(target.python):
            plans.append(
                Plan(
                    recipe=recipe,
                    target=target,
                    source=source or recipe.source,
                    patches=tuple(patches),
                    version=version,
                )
            )
        else:
            reason = f"the recipe supports Python {recipe.python}"
            left_out.append(LeftOut(target=target, reason=reason))
    if not plans:
        asked = ", ".join(target.python for target in targets)
        raise UsageError(f"{recipe.name} is not built for Python {asked}: the recipe supports {recipe.python}")
    return tuple(plans), tuple(left_out)


def _suffixed(version: str, suffix: str) -> Version:
    try:
        suffixed = Version(f"{version}{suffix}")
    except InvalidVersion as error:
        raise UsageError(
            f"--version-suffix {suffix}: {version}{suffix} is no version (PEP 440); .post1 and +local are usual"
        ) from error
    return suffixed
