"""A draft: a recipe crossed with a target, before anybody knows who builds it and with what."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version

from workbench.errors import RecipeError, SettingsError, UsageError, nearest
from workbench.plan.axes import Axes
from workbench.plan.local_version import Template, facts_of
from workbench.recipe.model import UNSET_VERSION, When, value_of
from workbench.text import minor

if TYPE_CHECKING:
    from workbench.errors import WorkbenchError
    from workbench.patches.series import PatchFile
    from workbench.plan.target import Target
    from workbench.recipe.model import Recipe, Source


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """One recipe for one target, with all that holds only for some targets resolved.

    `version` is the wheel's: the recipe's, with the suffix and the local version. `requires` (PEP 508) is what it
    requires on top of its own: the torch that it is bound to. `glibc` is the newest that it may need, None for any.
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
    glibc: str | None = None

    @property
    def project(self) -> str:
        """The project that its wheel is of: the recipe's, or the variant's own."""
        return self.recipe.project(self.target.variant)

    @property
    def title(self) -> str:
        """Name it to a person: ``hnswlib 0.8.0 cp311 x86_64 cpu``."""
        return f"{self.project} {self.version} {self.target}"

    @property
    def cell(self) -> str:
        """Name it among the cells of its recipe."""
        return _cell(self.recipe, self.target)

    @property
    def axes(self) -> Axes:
        """The axes, as flags take them, that ask for this cell alone; of a recipe with several versions that too."""
        target = self.target
        return Axes(
            version=self.recipe.version if self.recipe.versions else "",
            python=target.python,
            arch=target.arch,
            compute=target.compute,
            torch=target.torch or "",
            gpu=",".join(target.gpu),
            variant=target.variant or "",
            glibc=target.glibc or "",
        )

    @property
    def slug(self) -> str:
        """Name it in a path: ``hnswlib-0.8.0-cp311-x86_64-cpu``."""
        return self.title.replace(" ", "-")


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A target that nothing is built for, and why; `error` is this machine's, None where the recipe leaves it out."""

    recipe: Recipe
    target: Target
    reason: str
    error: WorkbenchError | None = None

    @property
    def cell(self) -> str:
        """Name it among the cells of its recipe."""
        return _cell(self.recipe, self.target)


def _cell(recipe: Recipe, target: Target) -> str:
    """Name a cell of a recipe: by its target, and of a recipe with several versions by which it is of."""
    return f"{recipe.version} {target}" if recipe.versions else str(target)


def drafts(
    recipe: Recipe,
    patches: Sequence[PatchFile],
    targets: Sequence[Target],
    *,
    source: Source | None = None,
    suffix: str = "",
    local_version: str = "",
    glibc: str | None = None,
    beyond: Callable[[str], str | None] = lambda _: None,
) -> tuple[tuple[Draft, ...], tuple[LeftOut, ...]]:
    """Cross a recipe with targets: the drafts, and what was left out.

    `source` stands in for the recipe's own (``--source-dir``), `suffix` is added to its version (``.post1``,
    ``+local``). `local_version` is the template for a recipe without one, for the targets that have all that it names.
    `glibc` is the newest that a wheel may need where its target says nothing. `beyond` says of a Python (X.Y) why
    upstream does not support it, or None.

    Raises UsageError for a suffix that makes no valid version, and for two of one filename; RecipeError when the
    version was never set, for a wrong template and for an unknown patch; SettingsError for a wrong `local_version`.
    """
    if recipe.version == UNSET_VERSION:
        raise RecipeError(
            f"{recipe.name}: version: set it in the recipe: {UNSET_VERSION!r} stands there because the source did "
            "not tell it when the package was added"
        )
    template, source = _template(recipe, local_version), source or recipe.source
    made, left_out = [], []
    for target in targets:
        facts = facts_of(target, source)
        reason = _unsupported(recipe, target) or beyond(target.python_version)
        if reason := reason or _unnamed(recipe, target, template, facts):
            left_out.append(LeftOut(recipe=recipe, target=target, reason=reason))
            continue
        bound = _is_bound(recipe, target)
        local = template.filled(facts) if bound and not template.lacks(facts) else ""
        # a project that names torch itself, or nothing, would be built against the newest
        torch = (f"torch=={target.torch}.*",) if target.torch else ()
        made.append(
            Draft(
                recipe=recipe,
                target=target,
                source=source,
                patches=patches_for(recipe, patches, target),
                version=_version(recipe, suffix, local),
                build_requires=(*values_for(recipe.build_requires, target), *torch),
                before_all=values_for(recipe.before_all, target),
                before_build=values_for(recipe.before_build, target),
                environment=_variables_for(recipe.environment, target),
                repair_exclude=values_for(recipe.repair_exclude, target),
                requires=(f"torch=={minor(target.torch)}.*",) if target.torch else (),
                glibc=target.glibc or glibc,
            )
        )
    _refuse_one_name_for_two(made)
    return tuple(made), tuple(left_out)


def built_for_none(left_out: Sequence[LeftOut]) -> UsageError:
    """Return the error of a package that is built for none of the targets that were asked for."""
    reasons = "; ".join(f"{out.cell}: {out.reason}" for out in left_out)
    return UsageError(
        f"{left_out[0].recipe.name} is built for none of these targets: {reasons}\n"
        "Name others, with --python, --arch, --compute, --torch or --variant"
    )


def _refuse_one_name_for_two(drafts: Sequence[Draft]) -> None:
    """Raise UsageError where two drafts would make wheels of one filename: the second would replace the first.

    The platform tag names the glibc that a wheel needs, so two floors count as two names.
    """
    named: dict[tuple[str, Version, str, str, str | None], Draft] = {}
    for each in drafts:
        target = each.target
        name = (each.project, each.version, target.python, target.arch, target.glibc)
        first = named.setdefault(name, each)
        if first is not each:
            raise UsageError(
                f"{first.title} and {each.title} would make wheels of one filename: build one of them, or let the "
                "recipe's local_version say in what they differ, as in docs/targets.md ({compute}, {torch}, ...)"
            )


def patches_for(recipe: Recipe, patches: Sequence[PatchFile], target: Target) -> tuple[PatchFile, ...]:
    """Return the patches of a series that a target gets. Raises RecipeError for a condition on an unknown patch."""
    names = {patch.name for patch in patches}
    conditional = {condition.value for condition in recipe.patches_when}
    # another version's series may have what this one's has not
    asked = {condition.value for condition in recipe.patches_when if condition.version is None}
    if unknown := sorted(asked - names):
        there = f"the series of {recipe.patches}{nearest(unknown[0], names)}"
        raise RecipeError(f"patches_when: {unknown[0]} is not in {there}")
    left_out = conditional - {*values_for(recipe.patches_when, target)}
    return tuple(patch for patch in patches if patch.name not in left_out)


def _is_bound(recipe: Recipe, target: Target) -> bool:
    """Say whether a wheel for a target is one of several of its project and version, and so has a local version."""
    return bool(target.compute != "cpu" or target.torch or _shares_name(recipe, target))


def _shares_name(recipe: Recipe, target: Target) -> bool:
    """Say whether a target is a variant that is of the same project as the usual build."""
    return bool(target.variant and recipe.project(target.variant) == recipe.name)


def _unnamed(recipe: Recipe, target: Target, template: Template, facts: dict[str, str]) -> str | None:
    """Return why a target cannot be named as the recipe's own template has it, or None where it can.

    The site's template is for all recipes, and does not hold for a target that lacks what it names. Raises RecipeError
    where a variant would have the usual build's name.
    """
    if _shares_name(recipe, target) and "variant" not in template.fields:
        raise RecipeError(
            f"local_version: {template.text!r} does not name the variant, so that {target.variant} and the usual "
            "build would share a filename: add {variant} to it"
        )
    if recipe.local_version is None or not _is_bound(recipe, target):
        return None
    lacking = template.lacks(facts)
    if not lacking:
        return None
    remedies = []
    if "torch_full" in lacking and target.torch:
        remedies.append(f"name torch's patch release too, as in --torch {target.torch}.0")
    if "commit" in lacking:
        remedies.append("its source is not pinned by a commit: {hash} is there for any pin")
    lacks = ", ".join(f"{{{field}}}" for field in lacking)
    why = f": {'; '.join(remedies)}" if remedies else ", which the target does not have"
    return f"local_version {template.text!r} asks for {lacks}{why}"


def _template(recipe: Recipe, default: str) -> Template:
    """Return the template of a recipe's local version, the site's `default` where it says nothing."""
    own = recipe.local_version
    try:
        return Template.parse(default if own is None else own)
    except ValueError as error:
        if own is None:
            raise SettingsError(f"workbench.yaml: local_version: {error}") from error
        raise RecipeError(f"{recipe.name}: local_version: {error}") from error


def _version(recipe: Recipe, suffix: str, local: str) -> Version:
    """Return the wheel's version. Raises UsageError for a suffix that does not make a valid one."""
    text = f"{recipe.version}{suffix}"
    if local:
        text += f".{local}" if "+" in text else f"+{local}"
    try:
        return Version(text)
    except InvalidVersion as error:
        raise UsageError(
            f"{text} is not a valid version (PEP 440): --version-suffix takes .post1, +local and the like"
        ) from error


def _holds(condition: When, target: Target) -> bool:
    """Say whether all conditions that are given fit a target; a version that is still one of them is another one."""
    return (
        condition.version is None
        and (condition.python is None or _within(condition.python, f"{target.python_version}.0"))
        and (condition.arch is None or condition.arch == target.arch)
        and (condition.compute is None or fnmatchcase(target.compute, condition.compute))
        and (condition.torch is None or (target.torch is not None and _within(condition.torch, target.torch)))
        and (condition.variant is None or condition.variant == target.variant)
    )


def values_for(values: Iterable[str | When], target: Target) -> tuple[str, ...]:
    """Return the values that hold for a target, in their order."""
    return tuple(value_of(value) for value in values if not isinstance(value, When) or _holds(value, target))


def _variables_for(
    variables: Mapping[str, str | When | tuple[str | When, ...]], target: Target
) -> dict[str, str]:
    """Return the variables that hold for a target; of several values of one, the first that does."""
    several = {name: value if isinstance(value, tuple) else (value,) for name, value in variables.items()}
    return {name: held[0] for name, values in several.items() if (held := values_for(values, target))}


def _unsupported(recipe: Recipe, target: Target) -> str | None:
    """Return why a recipe does not support a target, or None where it does."""
    torch, variants = recipe.torch, recipe.variants
    computes = [pattern for pattern in recipe.compute if fnmatchcase(target.compute, pattern)]
    offers = f"the variants {', '.join(variants)}" if variants else "no variants"
    says = {
        f"supports Python {recipe.python}": _within(recipe.python, f"{target.python_version}.0"),
        f"supports {', '.join(recipe.arch)}": target.arch in recipe.arch,
        f"supports the compute platforms {', '.join(recipe.compute)}": computes,
        f"has {offers}": target.variant in (None, *variants),
        f"has no usual build: name one of {offers} with --variant": target.variant
        or not recipe.variants_only,
        "does not build against torch": torch or not target.torch,
        f"builds against torch {torch}: name a release with --torch": target.torch or not torch,
        f"builds against torch {torch}": not torch or not target.torch or _within(torch, target.torch),
    }
    return next((f"the recipe {said}" for said, fits in says.items() if not fits), None)


def _within(specifiers: str, version: str) -> bool:
    return SpecifierSet(specifiers).contains(version, prereleases=True)
