"""One series for several versions of a recipe: which patches are a version's own, and whether the others still fit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import PatchError
from workbench.events import step
from workbench.files import scratch
from workbench.maintain.work import fetch_plain
from workbench.patches.apply import apply_series
from workbench.patches.series import PatchFile
from workbench.patches.writing import WrittenPatch
from workbench.recipe.load import load_versions, path_of
from workbench.recipe.versions import for_others

if TYPE_CHECKING:
    from workbench.paths import Paths
    from workbench.recipe.model import Recipe


def sharing(paths: Paths, recipe: Recipe) -> tuple[Recipe, ...]:
    """Return a recipe at its other versions that have the same series, the oldest first."""
    return tuple(
        each
        for each in load_versions(paths.recipes, recipe.name)
        if each.patches == recipe.patches and each.version != recipe.version
    )


def woven(
    own: Sequence[WrittenPatch], before: Sequence[PatchFile], others: Collection[str]
) -> tuple[WrittenPatch, ...]:
    """Return a version's patches among those of a series that only other versions get, each where it was before."""
    made = list(own)
    follows = ""
    for each in before:
        if each.name in others:
            at = next((number for number, one in enumerate(made, 1) if one.name == follows), 0)
            made.insert(at, WrittenPatch(name=each.name, text=each.text, options=each.options))
        if each.name in {one.name for one in made}:
            follows = each.name
    return tuple(made)


def require_fit(
    paths: Paths, recipe: Recipe, series: Sequence[WrittenPatch], others: Sequence[Recipe]
) -> None:
    """Raise PatchError where a series, made at one version, does not apply to another that has it too."""
    for other in others:
        left_out = for_others(other)
        patches = [
            PatchFile.parse(each.text, name=each.name, path=Path(each.name), options=each.options)
            for each in series
            if each.name not in left_out
        ]
        with (
            step(f"try the series on {other.name} {other.version}, which has it too"),
            scratch(paths.state / "patching", ".trying-") as place,
        ):
            fetch_plain(other, paths, place / "source")
            try:
                apply_series(patches, place / "source")
            except PatchError as error:
                raise PatchError(
                    f"{other.name} {other.version} has this series too, and there {error}\n"
                    f"Nothing was written. Give {recipe.version} a series of its own with --apart; or write in "
                    f'{path_of(paths.recipes, recipe.name)} which versions a patch is for: patches_when=(when("…", '
                    f'version="=={recipe.version}"),)'
                ) from error
