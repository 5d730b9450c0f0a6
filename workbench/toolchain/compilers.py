"""GNU compilers that run here and compile for another architecture.

The C library that a compiler comes with decides how new a glibc a wheel may ask of its users: that of the
machine's own cross compiler is as new as the machine. An older Debian's is unpacked, and nothing installed.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

from workbench.container import debian
from workbench.errors import ToolMissing
from workbench.files import made_once
from workbench.plan.target import this_arch
from workbench.process import find_program, run
from workbench.wheel.elf import HEAD, MAGIC, machine_of

_PROGRAMS_LIBRARIES = tuple(
    f"lib{name}"
    for name in ("bfd-", "ctf", "gmp.", "isl.", "jansson.", "mpc.", "mpfr.", "opcodes-", "sframe.", "zstd.")
)
"""What Debian's gcc and binutils are linked with, beside libraries that every machine has."""

_RUN = (2, 3)
"""``e_type`` of what runs, position-independent or not, and not of what is to be linked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossGcc:
    """A cross compiler: `triple` is GNU's name of what it compiles for, `folder` where its programs are.

    `root` has the target's headers and libraries, the C library and what gcc itself brings (``libgomp``).
    """

    triple: str
    folder: Path
    root: Path

    @property
    def arch(self) -> str:
        """The architecture that it compiles for."""
        return self.triple.partition("-")[0]

    def tool(self, name: str) -> Path:
        """Return one of its programs: ``gcc``, ``g++``, ``ar``, ``ld``, ``strip``."""
        return self.folder / f"{self.triple}-{name}"


def cross_gcc(arch: str) -> CrossGcc:
    """Return this machine's own cross compiler for an architecture. Raises ToolMissing, with the way to get it."""
    triple = _triple(arch)
    folder = Path(find_program(f"{triple}-g++")).parent
    return CrossGcc(triple=triple, folder=folder, root=Path("/usr") / triple)


def cross_gcc_below(ceiling: str | None, arch: str, *, cache: Path) -> CrossGcc:
    """Return a cross compiler whose wheels need no newer glibc than `ceiling` (``2.34``; None: any).

    This machine's own where it is old enough, else the newest Debian's that is; below all of them the oldest, whose
    wheels may still do, as long as they use nothing newer.

    Raises ToolMissing as `cross_gcc` does; ContainerError where apt cannot get Debian's packages.
    """
    own = cross_gcc(arch)
    if ceiling is None or Version(glibc_of(own)) <= Version(ceiling):
        return own
    # one below the ceiling is older than this machine, and so runs here
    oldest, *newer = debian.SUITES.values()
    fitting = [suite for suite in newer if Version(suite.glibc) <= Version(ceiling)]
    return _unpacked_gcc(arch, [oldest, *fitting][-1], cache=cache)


def glibc_of(compiler: CrossGcc) -> str:
    """Return the version of the C library that a compiler links with: ``2.36``."""
    preprocess = ["-E", "-dM", "-include", "features.h", "-x", "c", "/dev/null"]
    listed = run([compiler.tool("gcc"), *preprocess], stdout_only=True).output
    macros = dict(re.findall(r"^#define (\w+) (\d+)$", listed, re.MULTILINE))
    return f"{macros['__GLIBC__']}.{macros['__GLIBC_MINOR__']}"


def _unpacked_gcc(arch: str, suite: debian.Suite, *, cache: Path) -> CrossGcc:
    """Return the cross compiler of a Debian release, unpacked below `cache`."""
    triple, version = _triple(arch), suite.gcc
    home = cache / "toolchains" / f"gcc{version}-{suite.name}-{arch}"

    def make(scratch: Path) -> Path:
        root = scratch / "root"
        package = f"g++-{version}-{triple}"
        debian.unpack((package,), root, suite=suite.name, arch=this_arch(), cache=cache / "debian")
        _relocate(root, home, triple, version)
        return root

    root = made_once(home, f"unpack gcc {version} of Debian {suite.name} for {arch}", make)
    return CrossGcc(triple=triple, folder=root / "usr" / "bin", root=root / "usr" / triple)


def _triple(arch: str) -> str:
    if (this_arch(), arch) != ("x86_64", "aarch64"):
        raise ToolMissing(
            f"cannot cross-compile from {this_arch()} to {arch}: wheels are cross-built from x86_64 for "
            f"aarch64. Build on a machine of {arch}, or with --builder container"
        )
    return f"{arch}-linux-gnu"


def _relocate(root: Path, home: Path, triple: str, version: int) -> None:
    """Make Debian's compiler work from `home`, where `root` is going to be.

    gcc finds its own parts beside itself, but not the libraries that its programs are linked with, of which this
    machine may have others; and the linker scripts hold whole paths.
    """
    usr = root / "usr"
    libraries = usr / "lib" / "programs"
    libraries.mkdir()
    for library in (usr / "lib" / f"{this_arch()}-linux-gnu").iterdir():
        if library.name.startswith(_PROGRAMS_LIBRARIES):
            shutil.move(library, libraries)
    for program in list(_programs(usr, triple)):
        # and not as RUNPATH, which the libraries' own libraries would not be looked for in
        run(["patchelf", "--force-rpath", "--set-rpath", home / "usr" / "lib" / "programs", program])
    for script in (usr / triple / "lib").glob("*.so"):
        if not script.is_symlink() and not script.read_bytes().startswith(MAGIC):
            text = script.read_text(encoding="utf-8")
            script.write_text(text.replace(f" /usr/{triple}/", f" {home}/usr/{triple}/"), encoding="utf-8")
    for tool in ("cpp", "gcc", "g++"):
        (usr / "bin" / f"{triple}-{tool}").symlink_to(f"{triple}-{tool}-{version}")


def _programs(usr: Path, triple: str) -> Iterator[Path]:
    for folder in ("bin", "lib/gcc-cross", "libexec/gcc-cross", f"{triple}/bin"):
        for path in (usr / folder).rglob("*"):
            if path.is_file() and not path.is_symlink():
                with path.open("rb") as file:
                    head = file.read(HEAD)
                if machine_of(head) == "x86_64" and head[16] in _RUN:
                    yield path
