"""What a source tells of its native code: CUDA, torch, and what its build needs. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.maintain.guess import Guess
from workbench.recipe.model import When
from workbench.source.quote import Quote
from workbench.source.setup_script import Variable, unique
from workbench.toolchain.cuda_headers import TORCH_LIBRARIES, library_of

if TYPE_CHECKING:
    from workbench.source.reading import Reading

_FIRST_TORCH = ">=2.11"
"""The torch releases that the package index has for CUDA 13."""
_TORCH_MEMORY = 4
"""Gigabytes that nvcc takes for a file that includes torch's headers."""

_RUNTIME = ("cuda.h", "cuda_runtime.h", "cuda_runtime_api.h")
_PYTHON_ONLY = re.compile(r"(flit|hatchling|poetry|pdm|uv_build)\b")
_BY_CMAKE = re.compile(r"(scikit_build_core|py_build_cmake|mesonpy)\b")

_CARRIED = ("setuptools", "distutils", "packaging", "wheel", "torch")
"""What setuptools brings, and torch, which comes with the recipe's own field."""
_PROJECTS = {"Cython": "cython", "yaml": "pyyaml", "skbuild": "scikit-build", "cv2": "opencv-python-headless"}
_WITH_PKG_RESOURCES = "setuptools<82"

_SWITCH = re.compile(r"(\w+_)?(FORCE_(ONLY_)?CUDA|FORCE_BUILD)")
_OFF = (None, "0", "", "FALSE", "False", "false", "OFF", "NO")
_DECIDED = re.compile(
    r"PATH|HOME|CC|CXX|\w*FLAGS|MAX_JOBS|DEBUG|TRAVIS|CI|READTHEDOCS|TORCH_CUDA_ARCH_LIST|CUDA_(HOME|PATH|VISIBLE_DEVICES)|"
    r"CMAKE_\w+|NVIDIA_\w+|CONDA\w*|\w*(ROCM|HIP|MLU|NPU|MUSA|MPS|WIN|DIPU|MINGW|MACOSX|DISTUTILS|DOCS|TAG|SYMBOLS|VERBOSE|"
    r"NO_CUDA|FORCE_(ONLY_)?(CPU|CUDA)|LOCAL_VERSION|CXX11_ABI|JOBS|WORKERS|LINE_?INFO|CONDA|PREFIX|PYPI|RANK|CACHE|DIST|SKIP_CUDA_BUILD)\w*"
)
"""Variables that the builder sets, that are no maintainer's affair, or of another platform."""
_MOST_NAMED = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """What is compiled: with `torch`, with `cuda`, each with the evidence; `switch` is CMake's option for CUDA."""

    torch: Quote | None = None
    cuda: tuple[Quote, ...] = ()
    optional: bool = False
    switch: Quote | None = None


def guess_extension(name: str, reading: Reading) -> tuple[list[Guess], list[str]]:
    """Return what a project's native code tells for its recipe, and what a person has to look at."""
    kind = _kind_of(reading)
    remaining: list[str] = []
    guesses = [*_platforms(kind), *_requires(kind, reading, remaining), *_modules(name, kind, reading)]
    environment = dict[str, str | When]()
    evidence: list[str] = []
    for variable, value in _switches(reading.scripts.variables):
        environment[variable.name] = value
        evidence.append(f"{variable.where} reads {variable.name}")
    if kind.switch:
        switch, where = kind.switch.text, kind.switch.where
        if _takes_cmake_args(reading):
            environment["CMAKE_ARGS"] = When(f"-D{switch}=ON", compute="cu*")
            evidence.append(f"{where}: {switch} is off unless asked for")
        else:
            remaining.append(
                f"environment: {where}: {switch} switches CUDA on: see how setup.py hands it to CMake"
            )
    if environment:
        guesses.append(Guess("environment", environment, tuple(evidence)))
    remaining += _to_look_at(kind, reading, {*environment})
    return guesses, remaining


def _kind_of(reading: Reading) -> Kind:
    """Return what a source compiles: nothing where its backend or its setup.py makes no extension module."""
    scripts, native, system = reading.scripts, reading.native, reading.system
    by_cmake = bool(_BY_CMAKE.match(system.backend)) or scripts.runs_cmake
    if _PYTHON_ONLY.match(system.backend) or not (by_cmake or scripts.compiles):
        return Kind()
    torch = scripts.torch
    if not torch and system.has("torch"):
        torch = Quote("torch", system.where or "")
    called = [each for each in scripts.extensions if each.text == "CUDAExtension"][:1]
    # distutils knows no CUDA: a script that has it compiled names nvcc, or the files
    compiled = torch or by_cmake or any(each.endswith((".cu", "nvcc")) for each in scripts.words)
    counted = native.cuda_files if compiled else ()
    files = [Quote(f"{len(counted)} .cu files", counted[0])] if counted else []
    headers = [each for each in native.includes if each.certain and each.header in _RUNTIME][:1]
    included = [Quote(f"#include <{each.header}>", each.where) for each in headers]
    asked = list(native.languages[:1]) if by_cmake else []
    switches = [each for each in native.switches if by_cmake]
    off = [each for each in switches if each.text.endswith(" OFF")]
    # the project's own switch stands higher than those of what it bundles
    switch = Quote(off[0].text.removesuffix(" OFF"), off[0].where) if off and not torch else None
    always = bool(
        called or torch or not by_cmake or any(each.text == "project(CUDA)" for each in native.languages)
    )
    cuda = called or asked or files or included
    if torch and not (called or asked or files):
        cuda = included
    return Kind(
        torch=torch,
        cuda=tuple(cuda[:1] + (files if cuda and cuda is not files else [])),
        optional=bool(cuda) and not always,
        switch=switch if cuda else None,
    )


def _platforms(kind: Kind) -> Iterator[Guess]:
    """Yield what it is built for."""
    if kind.cuda:
        said = ", ".join(f"{each.text} ({each.where})" for each in kind.cuda)
        computes = ("cpu", "cu13*") if kind.optional else ("cu13*",)
        yield Guess("compute", computes, (said,))
        local = "cu{cuda}torch{torch}" if kind.torch else "cu{cuda}"
        yield Guess(
            "local_version", local, ("wheels of one version for several of these need names of their own",)
        )
    elif kind.torch:
        yield Guess("local_version", "torch{torch}")
    if kind.torch:
        yield Guess(
            "torch", _FIRST_TORCH, (f"{kind.torch.where}; the first that the package index has for CUDA 13",)
        )
    if kind.torch and kind.cuda:
        yield Guess("memory_per_job", _TORCH_MEMORY, ("gigabytes that nvcc takes with torch's headers",))


def _requires(kind: Kind, reading: Reading, remaining: list[str]) -> Iterator[Guess]:
    """Yield what the build requires that the source does not say, and CUDA's libraries by what is included."""
    system, scripts = reading.system, reading.scripts
    wanted: dict[str, str] = {}
    if kind.torch and not system.has("ninja"):
        wanted["ninja"] = "torch compiles several files at once with it"
    if scripts.runs_cmake and not system.has("cmake") and not _BY_CMAKE.match(system.backend):
        wanted["cmake"] = "setup.py runs it"
    perhaps = []
    for each in scripts.imports if scripts.compiles else ():
        project = _PROJECTS.get(each.module, each.module.replace("_", "-"))
        if each.module == "pkg_resources":
            wanted.setdefault(
                _WITH_PKG_RESOURCES, f"{each.where} imports pkg_resources, which later ones lack"
            )
        elif each.module in _CARRIED or system.has(project):
            continue
        elif each.always and each.where.startswith("setup.py:"):
            wanted.setdefault(project, f"{each.where} imports it")
        elif each.where.startswith("setup.py:"):
            perhaps.append(Quote(each.module, each.where))
    if wanted:
        evidence = tuple(f"{requirement}: {why}" for requirement, why in sorted(wanted.items()))
        yield Guess("build_requires", tuple(sorted(wanted)), evidence)
    if named := [f"{each.text} ({each.where})" for each in unique(perhaps)][:_MOST_NAMED]:
        remaining.append(f"build_requires: setup.py imports under some condition: {', '.join(named)}")
    yield from _libraries(kind, reading)


def _libraries(kind: Kind, reading: Reading) -> Iterator[Guess]:
    if not kind.cuda:
        return
    found: dict[str, str] = {}
    for each in reading.native.includes:
        if library := library_of(each.header):
            found.setdefault(library, each.where)
    base = TORCH_LIBRARIES if kind.torch else ()
    own = {library: where for library, where in sorted(found.items()) if library not in base}
    if base or own:
        torch = (f"{', '.join(base)}: torch's own headers include them",) if base else ()
        lines = tuple(f"{library}: {where}" for library, where in own.items())
        yield Guess("cuda_libraries", tuple(sorted((*base, *own))), (*torch, *lines))


def _modules(name: str, kind: Kind, reading: Reading) -> Iterator[Guess]:
    """Yield the import names, where they are not simply the project's."""
    own = [each for each in reading.imports if each.text]
    default = name.replace("-", "_")
    known = {each.text for each in own} or {default}
    compiled = [
        each
        for each in reading.scripts.modules
        if kind.torch and (("." not in each.text) or each.text.partition(".")[0] in known)
    ]
    modules = tuple(dict.fromkeys(each.text for each in (*(own or [Quote(default, "")]), *compiled)))
    if modules != (default,):
        places = dict.fromkeys(each.where for each in (*own, *compiled))
        yield Guess("modules", modules, (", ".join(places),))


def _switches(variables: Sequence[Variable]) -> Iterator[tuple[Variable, str]]:
    """Yield the variables, with values, that have a build compile rather than fetch, and compile CUDA without a GPU."""
    found: dict[str, tuple[Variable, str]] = {}
    for each in variables:
        if _SWITCH.fullmatch(each.name) and each.default in _OFF:
            found.setdefault(each.name, (each, each.compared or "1"))
        elif each.name == "NVCC_THREADS":
            found.setdefault(each.name, (each, "1"))  # jobs are capped by memory, which these would not be
    if "FORCE_ONLY_CUDA" in found:
        found.pop("FORCE_CUDA", None)  # the code of the CPU is in the libraries with CUDA as well
    yield from found.values()


def _takes_cmake_args(reading: Reading) -> bool:
    return reading.system.backend.startswith("scikit_build_core") or any(
        each.name == "CMAKE_ARGS" for each in reading.scripts.variables
    )


def _to_look_at(kind: Kind, reading: Reading, decided: set[str]) -> Iterator[str]:
    """Yield what a reader of the source cannot decide."""
    scripts, native = reading.scripts, reading.native
    for path in scripts.unread:
        yield f"{path} cannot be read as Python of today: what it says of the build stays unknown"
    if native.cuda_files and not kind.cuda:
        yield f"{native.cuda_files[0]} and its like are not compiled by this build: it makes a wheel without GPU code"
    if scripts.gpu_lists and kind.cuda:
        numbers = {int(number) for each in scripts.gpu_lists for number in re.findall(r"_(\d+)", each.text)}
        named = ", ".join(f"sm_{number}" for number in sorted(numbers))
        where = scripts.gpu_lists[0].where
        yield f"{where} names GPUs itself ({named}): where yours is not among them, the list needs a patch"
    if scripts.gpu_needed and kind.cuda:
        needed = scripts.gpu_needed
        yield f"{needed.where} ends the build where there is no GPU ({needed.text}): take that out with a patch"
    elif scripts.gpus_asked and kind.cuda and not any("CUDA" in name for name in decided):
        first = scripts.gpus_asked[0]
        yield (
            f"{first.where} asks whether there is a GPU ({first.text}): where the machine that builds has none, "
            "the source may stop or leave its CUDA code out; then this needs a patch"
        )
    others = list(unique(Quote(each.name, each.where) for each in scripts.variables))
    open_ = [each for each in others if each.text not in decided and not _DECIDED.fullmatch(each.text)]
    if named := ", ".join(f"{each.text} ({each.where})" for each in open_[:_MOST_NAMED]):
        more = f" and {len(open_) - _MOST_NAMED} more" if open_[_MOST_NAMED:] else ""
        yield f"environment: the build also reads {named}{more}"
    by_cmake = bool(_BY_CMAKE.match(reading.system.backend)) or scripts.runs_cmake
    if by_cmake and (fetched := native.downloads[:3]):
        said = ", ".join(f"{each.text} ({each.where})" for each in fetched)
        yield f"CMake may download {said}: a build should need nothing that no hash pins"
    if scripts.downloads and not any(name.endswith("FORCE_BUILD") for name in decided):
        first = scripts.downloads[0]
        yield f"{first.where} downloads something ({first.text}): a build should need nothing that no hash pins"
