"""A complete CUDA_HOME, laid out from NVIDIA's wheels on the package index.

A layout is immutable: its folder's name has a digest of all that decided its content, and a layout that is there is
complete. Those of several releases, architectures and sets of libraries stand side by side, and cost the disk little,
since uv links their files from its own cache. ``_MANIFEST`` lists every file with its size and hash, as in RECORD.
"""

from __future__ import annotations

import base64
import csv
import json
import os
import re
import shutil
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.container.engine import Cuda
from workbench.environment import install_into, python_platform
from workbench.errors import CommandFailed, ToolchainError, ToolMissing
from workbench.files import made_once, sha256_of
from workbench.plan.target import this_arch, this_python
from workbench.process import run
from workbench.strict import Mismatch, parse
from workbench.toolchain.compilers import cross_gcc
from workbench.toolchain.pins import PROGRAMS, digest, entries, pins_for

if TYPE_CHECKING:
    from workbench.plan.plan import ToolkitPins

_LAYOUT_FORMAT = "2"
"""Raised when the same wheels are laid out in another way."""

_MANIFEST = "manifest.json"

TARGET_FOLDERS = {"x86_64": "x86_64-linux", "aarch64": "sbsa-linux"}
"""What NVIDIA calls an architecture below ``targets/``."""

_REMEDY = "Remove the folder: it is laid out again"

_STUB_LIBRARY = 34
"""CUDA_ERROR_STUB_LIBRARY: what NVIDIA's own stub answers to every call."""

_DRIVER_FUNCTION = re.compile(
    r"\bCUDAAPI\s+(cu[A-Z]\w+)|^\s*#\s*define\s+cu[A-Z]\w+\s+(cu[A-Z]\w+)$", re.MULTILINE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """A file's size in bytes and its SHA-256 (hex)."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What lies in a layout: its release, its architecture, its files and its symbolic links by path."""

    version: str
    arch: str
    files: dict[str, Content]
    links: dict[str, str]


def lay_out(
    compute: str, arch: str, *, cache: Path, components: Sequence[str] = (), pins: ToolkitPins | None = None
) -> Path:
    """Return the CUDA_HOME of a compute platform (``cu130``) for an architecture, laid out below `cache`.

    Headers and libraries are `arch`'s. Programs run on this machine: where that is of another architecture, the layout
    is one for cross compiling. `components` are CUDA's libraries beside the runtime (``cublas``). With `pins`, what
    another one was laid out from, today's lock decides nothing. Safe for several processes at once: one lays out,
    others wait. A layout that was there is compared with its manifest by the sizes of
    its files, which takes milliseconds; see `check` for all of it.

    Raises ToolchainError for an unknown release or library, for a layout that is damaged, for `pins` that name no
    programs, and when the index does not have the wheels that are pinned; ToolMissing without a C compiler for `arch`.
    """
    wanted = pins or pins_for(compute, components)
    lacking = set(PROGRAMS) - entries(wanted.requirements).keys()
    if lacking:
        raise ToolchainError(
            f"what CUDA {wanted.version} for {arch} was laid out from lacks {', '.join(sorted(lacking))}: it has no "
            f"programs that run on {this_arch()}. {'Pin them too' if arch == this_arch() else f'Build on {arch}'}"
        )
    name = digest(_LAYOUT_FORMAT, this_arch(), arch, wanted.requirements)
    home = cache / "toolchains" / f"{compute}-{arch}-{name}"
    title = f"lay out CUDA {wanted.version} for {arch}"
    made_once(home, title, lambda scratch: _lay_out(wanted, arch, scratch))
    check(home, sizes_only=True)
    return home


def check(toolkit: Path, *, sizes_only: bool = False) -> None:
    """Read a layout, or with `sizes_only` only its files' sizes, and compare it with its manifest.

    Raises ToolchainError, naming what differs.
    """
    try:
        manifest = parse(Manifest, json.loads((toolkit / _MANIFEST).read_bytes()))
    except (OSError, ValueError, Mismatch) as error:
        raise ToolchainError(
            f"the toolkit {toolkit} is damaged: its {_MANIFEST} cannot be read ({error}). {_REMEDY}"
        ) from error
    files, links = _contents(toolkit)
    known = manifest.files.keys() | manifest.links.keys()
    there = files | links.keys()
    wrong = [f"{name} is missing" for name in known - there]
    wrong += [f"{name} is not of it" for name in there - known - {_MANIFEST}]
    wrong += [f"{name} leads to {to}" for name, to in links.items() if manifest.links.get(name, to) != to]
    of_it = {name: content for name, content in manifest.files.items() if name in files}
    wrong += _differing(toolkit, of_it, sizes_only=sizes_only)
    if wrong:
        shown = "; ".join(sorted(wrong)[:5]) + (f"; and {len(wrong) - 5} more" if len(wrong) > 5 else "")  # noqa: PLR2004
        raise ToolchainError(f"the toolkit {toolkit} is damaged: {shown}. {_REMEDY}")


@cache
def cuda_of(toolkit: Path) -> Cuda:
    """Return the release and the GPUs of a toolkit, laid out here or installed, as its nvcc says them.

    Raises ToolchainError where there is no nvcc, or none that runs.
    """
    try:
        asked = [[toolkit / "bin" / "nvcc", option] for option in ("--version", "--list-gpu-code")]
        found = Cuda.read("".join(run(argv, stdout_only=True).output for argv in asked))
    except (CommandFailed, ToolMissing, OSError) as error:
        raise ToolchainError(f"{toolkit} is not a CUDA toolkit that works here: {error}") from error
    if not found:
        raise ToolchainError(f"{toolkit}/bin/nvcc does not say which release it is")
    return found


def _lay_out(wanted: ToolkitPins, arch: str, scratch: Path) -> Path:
    pins, here = entries(wanted.requirements), this_arch()
    own = {name: pin for name, pin in pins.items() if arch == here or name not in PROGRAMS}
    tree, files = _unpack(own, arch, scratch / arch)
    if arch != here:
        programs, of_programs = _unpack({name: pins[name] for name in PROGRAMS}, here, scratch / here)
        files |= {name: known for name, known in of_programs.items() if not name.startswith("lib/")}
        shutil.rmtree(programs / "lib")
        shutil.copytree(programs, tree, dirs_exist_ok=True, copy_function=os.link)
    if wrong := _differing(tree, files):
        raise ToolchainError(
            f"NVIDIA's wheels are not what they say: {'; '.join(wrong[:5])}. Empty uv's cache"
        )
    _link(tree, arch)
    facts = {"cuda": {"name": "CUDA SDK", "version": wanted.version}}
    (tree / "version.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
    for made in (_driver_stub(tree, arch), tree / "version.json"):
        files[str(made.relative_to(tree))] = Content(size=made.stat().st_size, sha256=sha256_of(made))
    _, links = _contents(tree)
    manifest = Manifest(version=wanted.version, arch=arch, files=dict(sorted(files.items())), links=links)
    (tree / _MANIFEST).write_text(json.dumps(asdict(manifest), indent=1), encoding="utf-8")
    return tree


def _unpack(pins: dict[str, str], arch: str, into: Path) -> tuple[Path, dict[str, Content]]:
    """Unpack pinned wheels of an architecture; return their tree, and its files with sizes and hashes."""
    requirements = into.with_suffix(".txt")
    requirements.write_text("".join(pins.values()), encoding="utf-8")
    options = ["--require-hashes", "--no-deps", f"--requirements={requirements}"]
    try:
        install_into(into, (), python=this_python(), platform=python_platform(arch, "2.28"), options=options)
    except CommandFailed as error:
        raise ToolchainError(
            f"NVIDIA's wheels for {arch} could not be downloaded from the package index: {error}"
        ) from error
    (tree,) = (into / "nvidia").glob("cu*")
    files = {}
    for record in into.glob("*.dist-info/RECORD"):
        with record.open(encoding="utf-8", newline="") as rows:
            for path, hashed, size in csv.reader(rows):
                if path.startswith(f"nvidia/{tree.name}/"):
                    sha256 = base64.urlsafe_b64decode(hashed.removeprefix("sha256=") + "=").hex()
                    files[path.removeprefix(f"nvidia/{tree.name}/")] = Content(size=int(size), sha256=sha256)
    return tree, files


def _link(tree: Path, arch: str) -> None:
    """Add the names that build systems look for: ``lib64``, ``libX.so``, ``targets/<architecture>``."""
    (tree / "lib64").symlink_to("lib")
    for library in sorted((tree / "lib").glob("lib*.so.*")):
        plain = library.with_name(library.name.partition(".so.")[0] + ".so")
        if not plain.exists():
            plain.symlink_to(library.name)
    target = tree / "targets" / TARGET_FOLDERS[arch]
    target.mkdir(parents=True)
    for folder in ("include", "lib"):
        (target / folder).symlink_to(f"../../{folder}")


def _driver_stub(tree: Path, arch: str) -> Path:
    """Make a ``libcuda.so`` to link against: the driver's functions by name. The real one is the GPU's."""
    header = (tree / "include" / "cuda.h").read_text(encoding="utf-8")
    names = sorted({name for pair in _DRIVER_FUNCTION.findall(header) for name in pair if name})
    stub = tree / "lib" / "stubs" / "libcuda.so"
    stub.parent.mkdir()
    source = stub.with_suffix(".c")
    source.write_text(
        "".join(f"int {name}(void) {{ return {_STUB_LIBRARY}; }}\n" for name in names), encoding="utf-8"
    )
    compiler = "gcc" if arch == this_arch() else cross_gcc(arch).tool("gcc")
    run([compiler, "-shared", "-nostdlib", "-fPIC", "-Wl,-soname,libcuda.so.1", "-o", stub, source])
    source.unlink()
    return stub


def _contents(tree: Path) -> tuple[set[str], dict[str, str]]:
    """Return a tree's files, and its symbolic links with what they lead to."""
    files, links = set(), {}
    for folder, folders, names in os.walk(tree):
        for path in (Path(folder, name) for name in (*folders, *names)):
            if path.is_symlink():
                links[str(path.relative_to(tree))] = str(path.readlink())
            elif path.is_file():
                files.add(str(path.relative_to(tree)))
    return files, links


def _differing(tree: Path, files: dict[str, Content], *, sizes_only: bool = False) -> list[str]:
    def differs(name: str, known: Content) -> str | None:
        path = tree / name
        if path.stat().st_size != known.size:
            return f"{name} has another size"
        return None if sizes_only or sha256_of(path) == known.sha256 else f"{name} has other bytes"

    with ThreadPoolExecutor() as pool:
        return [wrong for wrong in pool.map(differs, files.keys(), files.values()) if wrong]
