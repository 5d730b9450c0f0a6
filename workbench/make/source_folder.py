"""A package's source in a folder of a person's own, to look at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import UsageError
from workbench.files import remove_tree
from workbench.make.request import targets_of
from workbench.patches.series import read_series
from workbench.plan.draft import patches_for
from workbench.recipe.load import load
from workbench.source.tree import fetch, patch

if TYPE_CHECKING:
    from workbench.paths import Paths
    from workbench.plan.axes import Axes
    from workbench.recipe.model import Source
    from workbench.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpacked:
    """Where a source lies now, the patches that it got, and those of the series that its target does not get."""

    path: Path
    source: Source
    patches: tuple[str, ...]
    left_out: tuple[str, ...]


def unpack_source(
    name: str, axes: Axes, to: Path | None, paths: Paths, settings: Settings, *, plain: bool = False
) -> Unpacked:
    """Fetch, check and unpack a recipe's source at `to`, patched unless it shall be `plain`.

    Raises UsageError for a place that is taken; SourceError, and then nothing is at `to`; PatchError, and then the
    unpatched source is there.
    """
    recipe = load(paths.recipes, name, axes.version)
    path = (to or Path(f"{recipe.name}-{recipe.version}")).resolve()
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise UsageError(f"{path} is there already: name a folder that is empty, or is not there, with --to")
    series = () if plain else read_series(paths.patches / recipe.patches)
    patches = patches_for(recipe, series, targets_of(recipe, axes, settings)[0]) if series else ()
    part = path.with_name(f".{path.name}.part")
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_tree(part)
    try:
        fetch(recipe.source, name=recipe.name, version=recipe.version, cache=paths.cache, into=part)
        part.rename(path)
    finally:
        remove_tree(part)
    if patches:
        patch(patches, recipe.source, path)
    names = [each.name for each in patches]
    left_out = tuple(each.name for each in series if each.name not in names)
    return Unpacked(path=path, source=recipe.source, patches=tuple(names), left_out=left_out)
