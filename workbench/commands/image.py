"""``image build``: a container image to build in, or to try wheels in, from Debian's packages alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench import console
from workbench.container.engine import find_engine
from workbench.container.image import Recipe, build_image
from workbench.errors import UsageError
from workbench.plan.target import ARCHITECTURES, this_arch

if TYPE_CHECKING:
    from workbench.container.engine import Image
    from workbench.site import Site


def make(
    action: str, site: Site, *, arch: str, suite: str, runtime: bool, mirror: str | None, refresh: bool
) -> Image:
    """Make an image, or find it made. Raises UsageError, ContainerError."""
    arch = arch or this_arch()
    if action != "build":
        raise UsageError(f"image {action}: there is only 'invoke image build'")
    if arch not in ARCHITECTURES:
        raise UsageError(f"--arch {arch}: there are {', '.join(ARCHITECTURES)}")
    recipe = Recipe(arch=arch, suite=suite, kind="runtime" if runtime else "build", mirror=mirror)
    return build_image(recipe, find_engine(site.settings.container.engine), cache=site.cache, refresh=refresh)


def report(image: Image, *, arch: str, runtime: bool, json: bool) -> None:
    """Print what was made, and how the site is told of it."""
    if json:
        console.answer_json({"name": image.name, "id": image.id, "arch": image.arch, "size": image.size})
        return
    key = "runtime_images" if runtime else "images"
    settings = f"container: {{{key}: {{cpu: {{{arch or this_arch()}: {image.name!r}}}}}}}"
    facts = [("size", console.file_size(image.size)), ("for workbench.yaml", settings)]
    console.answer_summary(image.name, facts)
