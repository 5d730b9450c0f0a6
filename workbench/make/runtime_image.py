"""Wheels tried in the images that a site names for that: without compilers, as where they are going to be used."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import UsageError, VerificationFailed
from workbench.events import note
from workbench.evidence import notes
from workbench.make.produce import fault_in
from workbench.recipe.load import maker_of
from workbench.wheel.filename import parse_wheel

if TYPE_CHECKING:
    from workbench.paths import Paths
    from workbench.settings import Settings


def expect_to_run(wheels: Sequence[Path], paths: Paths, settings: Settings) -> None:
    """Try each wheel in the runtime image of the target that it was built for; one without an image is told of.

    Raises VerificationFailed with what is wrong with which, UsageError for a wheel of which nobody knows what it was
    built for, ContainerError and RecipeError besides.
    """
    if faults := [fault for wheel in wheels for fault in _faults(wheel, paths, settings)]:
        raise VerificationFailed("\n".join(faults))


def _faults(wheel: Path, paths: Paths, settings: Settings) -> Iterator[str]:
    known, name = notes.recall(wheel), parse_wheel(wheel.name)
    recipe = maker_of(paths.recipes, name.name, name.version)
    facts = known.facts if known else None
    if facts is None or recipe is None or facts.python is None or facts.arch is None:
        raise UsageError(
            f"--in-runtime-image: what {wheel.name} was built for is not known: its .build.json must lie beside it, "
            "and its recipe here"
        )
    image = settings.container.runtime_image(facts.compute, facts.arch)
    if image is None:
        note(
            f"· {wheel.name} is not tried: container.runtime_images has none for {facts.compute} {facts.arch}"
        )
    elif fault := fault_in(image, wheel, recipe, settings, python=facts.python, arch=facts.arch):
        yield fault
