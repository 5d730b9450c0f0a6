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

from workbench.errors import RecipeError, UsageError, nearest
from workbench.plan.conditions import unsupported, values_for, variables_for
from workbench.recipe.model import UNSET_VERSION, Git, LocalFolder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.patches.series import PatchFile
    from workbench.plan.target import Target
    from workbench.recipe.model import Recipe, Source

Builder = Literal["host", "cross", "container"]
"""This machine for its own architecture, this machine for another one, or cibuildwheel in a container."""

KEY_FORMAT = 1
"""Raised when the way of building changes so that the same inputs give another wheel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One recipe for one target, with all that holds only for some targets resolved.

    `version` is the wheel's: the recipe's, with the suffix and the local version. `requires` are requirements
    (PEP 508) that the wheel gets on top of its own: the torch that it is bound to. `builder` makes it, in `image`
    where that is a container, and `why` says how it came to be chosen. `glibc` is the newest that it may need.
    """

    recipe: Recipe
    target: Target
    source: Source
    patches: tuple[PatchFile, ...]
    version: Version
    build_requires: tuple[str, ...]
    before_all: tuple[str, ...]
    before_build: tuple[str, ...]
    environment: dict[str, str]
    repair_exclude: tuple[str, ...]
    requires: tuple[str, ...] = ()
    builder: Builder = "host"
    image: str | None = None
    glibc: str | None = None
    why: str = ""

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
            "image": self.image,
            "glibc": self.glibc,
            "build_requires": self.build_requires,
            "before_all": self.before_all if self.builder == "container" else (),
            "before_build": self.before_build,
            "cuda_libraries": self.recipe.cuda_libraries,
            "environment": self.environment,
            "repair_exclude": self.repair_exclude,
            "requires": self.requires,
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
    local_version: str = "",
) -> tuple[tuple[Plan, ...], tuple[LeftOut, ...]]:
    """Cross a recipe with targets: the plans, and what was left out.

    `source` stands in for the recipe's own (``--source-dir``), `suffix` is added to its version (``.post1``,
    ``+local``), `local_version` is the template for a recipe that says nothing of it.

    Raises UsageError when the suffix makes no PEP 440 version, when no target is left, or when two of them would make
    the same filename; RecipeError when the version was never set, the local version's template asks for what a target
    has not, or ``patches_when`` names a patch that is not there.
    """
    if recipe.version == UNSET_VERSION:
        raise RecipeError(
            f"{recipe.name}: version: set it in the recipe: {UNSET_VERSION!r} stands there because the source did "
            "not tell it when the package was added"
        )
    plans, left_out = [], []
    for target in targets:
        if reason := unsupported(recipe, target):
            left_out.append(LeftOut(target=target, reason=reason))
        else:
            version = _version(recipe, target, source or recipe.source, suffix, local_version)
            plans.append(_plan(recipe, patches, target, source or recipe.source, version))
    if not plans:
        reasons = "; ".join(f"{out.target}: {out.reason}" for out in left_out)
        raise UsageError(f"{recipe.name} is built for none of these targets: {reasons}")
    _refuse_one_name_for_two(plans)
    return tuple(plans), tuple(left_out)


def _refuse_one_name_for_two(plans: Sequence[Plan]) -> None:
    """Raise UsageError where two plans would make wheels of one filename, for the second would replace the first.

    A platform tag tells of the glibc that a wheel came to need, so two floors are taken for two names.
    """
    named: dict[tuple[Version, str, str, str | None], Plan] = {}
    for each in plans:
        target = each.target
        first = named.setdefault((each.version, target.python, target.arch, target.glibc), each)
        if first is not each:
            raise UsageError(
                f"{first.title} and {each.title} would make wheels of one filename: build one of them, or let the "
                "recipe's local_version say in what they differ, as in docs/targets.md ({compute}, {torch}, ...)"
            )


def _plan(
    recipe: Recipe, patches: Sequence[PatchFile], target: Target, source: Source, version: Version
) -> Plan:
    # a project that names torch itself, or nothing, would be built against the newest
    torch = (f"torch=={target.torch}.*",) if target.torch else ()
    return Plan(
        recipe=recipe,
        target=target,
        source=source,
        patches=_patches_for(recipe, patches, target),
        version=version,
        build_requires=(*values_for(recipe.build_requires, target), *torch),
        before_all=values_for(recipe.before_all, target),
        before_build=values_for(recipe.before_build, target),
        environment=variables_for(recipe.environment, target),
        repair_exclude=values_for(recipe.repair_exclude, target),
        requires=(f"torch=={_minor(target.torch)}.*",) if target.torch else (),
    )


def _patches_for(recipe: Recipe, patches: Sequence[PatchFile], target: Target) -> tuple[PatchFile, ...]:
    names = {patch.name for patch in patches}
    for condition in recipe.patches_when:
        if condition.value not in names:
            raise RecipeError(
                f"patches_when: {condition.value} is not in the series of {recipe.patches}"
                f"{nearest(condition.value, names)}"
            )
    conditional = {condition.value for condition in recipe.patches_when}
    held = set(values_for(recipe.patches_when, target))
    return tuple(patch for patch in patches if patch.name not in conditional or patch.name in held)


def _version(recipe: Recipe, target: Target, source: Source, suffix: str, default: str) -> Version:
    """Return the wheel's version: a wheel bound to a CUDA, a torch or a variant says so in its local version.

    See PEP 440 on local versions. `default` is the template where the recipe has none.
    """
    template = default if recipe.local_version is None else recipe.local_version
    text = f"{recipe.version}{suffix}"
    bound = target.compute != "cpu" or target.torch or target.variant
    local = _filled_in(template, recipe, target, source) if template and bound else ""
    if target.variant and target.variant not in local:
        raise RecipeError(
            f"local_version: {template!r} does not name the variant, so that {target.variant} and the usual build "
            "would share a filename: add {variant} to it"
        )
    if local:
        text += f".{local}" if "+" in text else f"+{local}"
    try:
        return Version(text)
    except InvalidVersion as error:
        raise UsageError(
            f"{text} is no version (PEP 440): --version-suffix takes .post1, +local and the like"
        ) from error


def _filled_in(template: str, recipe: Recipe, target: Target, source: Source) -> str:
    """Return a local version. A variant that is named and not asked for leaves nothing, nor a dot before it."""
    facts = {
        "compute": target.compute,
        "cuda": (target.cuda or "").replace(".", ""),
        "torch": _minor(target.torch) if target.torch else "",
        "commit": source.commit[:7] if isinstance(source, Git) else "",
    }
    known = {key: value for key, value in facts.items() if value} | {"variant": target.variant or ""}
    try:
        return template.format_map(known).strip(".")
    except (KeyError, ValueError) as error:
        raise RecipeError(
            f"local_version: {template!r} asks for {error}, which {recipe.name} has not for {target}; it may use "
            f"{', '.join(known)}"
        ) from error


def _minor(release: str) -> str:
    return ".".join(release.split(".")[:2])
