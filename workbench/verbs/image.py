"""``image build``: a container image to build in, or to try wheels in, from Debian's packages alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench import console
from workbench.container.debian import SUITES
from workbench.container.engine import find_engine
from workbench.container.image import ImageRecipe, build_image
from workbench.errors import UsageError, nearest
from workbench.plan.target import parse_arch
from workbench.text import file_size
from workbench.toolchain.cuda import lay_out

if TYPE_CHECKING:
    from workbench.container.engine import Image
    from workbench.paths import Paths
    from workbench.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What a person asks an image to be; `compute` and `libraries` say which CUDA toolkit lies in it, if any."""

    arch: str = ""
    suite: str = "bookworm"
    runtime: bool = False
    compute: str = ""
    libraries: tuple[str, ...] = ()
    mirror: str | None = None


def make(action: str, request: Request, paths: Paths, settings: Settings, *, refresh: bool = False) -> Image:
    """Make an image, or find it made. Raises UsageError, ContainerError, ToolchainError."""
    if action != "build":
        raise UsageError(f"image {action}: there is only 'invoke image build'")
    arch = parse_arch(request.arch)
    if request.suite not in SUITES:
        known = ", ".join(SUITES)
        raise UsageError(f"--suite {request.suite}: there are {known}{nearest(request.suite, SUITES)}")
    if request.libraries and not request.compute:
        raise UsageError("--libraries: of which CUDA? --compute cu130 puts a toolkit into the image")
    if request.runtime and request.compute:
        raise UsageError("--runtime --compute: an image to try wheels in has no toolkit")
    engine = find_engine(settings.container.engine)
    toolkit = None
    if request.compute:
        toolkit = lay_out(request.compute, arch, cache=paths.cache, components=request.libraries)
    recipe = ImageRecipe(
        arch=arch,
        suite=request.suite,
        kind="runtime" if request.runtime else "build",
        toolkit=toolkit,
        mirror=request.mirror,
    )
    return build_image(recipe, engine, cache=paths.cache, refresh=refresh)


def report(image: Image, request: Request, *, json: bool) -> None:
    """Print what was made, and how the site is told of it."""
    if json:
        console.answer_json({"name": image.name, "id": image.id, "arch": image.arch, "size": image.size})
        return
    key, compute = "runtime_images" if request.runtime else "images", request.compute or "cpu"
    settings = f"container: {{{key}: {{{compute}: {{{parse_arch(request.arch)}: {image.name!r}}}}}}}"
    facts = [("size", file_size(image.size)), ("for workbench.yaml", settings)]
    console.answer_summary(image.name, facts)
