"""``toolchain.*``: what wheels are compiled with."""

from __future__ import annotations

from typing import Annotated, Literal

from workbench import console
from workbench.errors import UsageError, nearest
from workbench.events import step
from workbench.paths import Paths
from workbench.text import file_size
from workbench.verb import Verb
from workbench.verbs.flags import Arch, Json, Libraries, here


@Verb
def get(
    compute: Annotated[str, "the compute platform: cu130"],
    *,
    arch: Arch = "",
    libraries: Libraries = "",
    check: Annotated[bool, "read every file and compare its hash"] = False,
    json: Json = False,
) -> None:
    """Lay out a CUDA toolkit from NVIDIA's wheels, pinned by hash."""
    from workbench.plan.target import parse_arch
    from workbench.toolchain import cuda

    arch = parse_arch(arch)
    home = cuda.lay_out(compute, arch, cache=Paths.here().cache, components=_listed(libraries))
    if check:
        with step(f"read every file of {home}"):
            cuda.check(home)
    found = cuda.cuda_of(home)
    gpu = [f"sm_{number}" for number in found.gpus]
    if json:
        console.answer_json({"cuda_home": str(home), "version": found.version, "arch": arch, "gpu": gpu})
        return
    facts = [("CUDA_HOME", str(home)), ("release", found.version), ("GPUs", " ".join(gpu))]
    console.answer_summary(f"CUDA {found.version} for {arch}", facts)


@Verb
def image(
    *,
    arch: Arch = "",
    suite: Annotated[str, "the Debian release to make it of: bullseye, bookworm, trixie"] = "bookworm",
    runtime: Annotated[bool, "without compilers: to try wheels in"] = False,
    compute: Annotated[str, "put a CUDA toolkit into it: cu130 (default: none; builds mount one)"] = "",
    libraries: Libraries = "",
    mirror: Annotated[str, "the URL of a Debian mirror (default: the one that this machine's apt uses)"] = "",
    refresh: Annotated[bool, "make it anew from today's packages"] = False,
    json: Json = False,
) -> None:
    """Make a container image to build in, from Debian's packages."""
    from workbench.container.debian import SUITES
    from workbench.container.engine import find_engine
    from workbench.container.image import ImageRecipe, build_image
    from workbench.plan.target import parse_arch
    from workbench.toolchain.cuda import lay_out

    arch = parse_arch(arch)
    if suite not in SUITES:
        raise UsageError(f"--suite {suite}: there are {', '.join(SUITES)}{nearest(suite, SUITES)}")
    if libraries and not compute:
        raise UsageError("--libraries: of which CUDA? --compute cu130 puts a toolkit into the image")
    if runtime and compute:
        raise UsageError("--runtime --compute: an image to try wheels in has no toolkit")
    paths, settings = here()
    engine = find_engine(settings.container.engine)
    components = _listed(libraries)
    toolkit = lay_out(compute, arch, cache=paths.cache, components=components) if compute else None
    kind: Literal["build", "runtime"] = "runtime" if runtime else "build"
    recipe = ImageRecipe(arch=arch, suite=suite, kind=kind, toolkit=toolkit, mirror=mirror or None)
    made = build_image(recipe, engine, cache=paths.cache, refresh=refresh)
    if json:
        console.answer_json({"name": made.name, "id": made.id, "arch": made.arch, "size": made.size})
        return
    key = "runtime_images" if runtime else "images"
    setting = f"container: {{{key}: {{{compute or 'cpu'}: {{{arch}: {made.name!r}}}}}}}"
    facts = [("size", file_size(made.size)), ("for workbench.yaml", setting)]
    console.answer_summary(made.name, facts)


def _listed(libraries: str) -> list[str]:
    return libraries.split(",") if libraries else []
