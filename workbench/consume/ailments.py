"""What is wrong with a machine, a project's environment or a lock, the common pains first, each with its remedy."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

from packaging.utils import canonicalize_name

from workbench.consume.cuda import cuda_major, cuda_release
from workbench.consume.reading import read_through
from workbench.errors import SourceError
from workbench.text import minor
from workbench.wheel.local_version import UNKNOWN, parse_local

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from packaging.pylock import Pylock

    from workbench.consume.host import Host
    from workbench.consume.logins import Logins

_NEWEST_FLOOR = 34
"""The minor version of glibc 2 that most wheels with GPU code need at the most: that of Ubuntu 22.04 and RHEL 9."""

_INFO = re.compile(r"(?P<name>[^-]+)-(?P<version>[^-]+)(\.dist-info|(-py[\d.]+)?\.egg-info)")
"""What says of a package that it is installed; distributions of Linux have the second kind still."""

_EDITABLE = re.compile(r'"editable"\s*:\s*true')
"""How ``direct_url.json`` (PEP 610) says that a package's files stayed in its source tree."""

_LIBRARIES = re.compile(r"nvidia-(?P<name>[a-z-]+?)(?:-cu(?P<major>\d\d))?")
_UNSUFFIXED = 13
"""From this CUDA on, NVIDIA's wheels of its libraries have no ``-cuNN`` in their names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ailment:
    """Something that is wrong, and what to do about it. Where it is an ``error``, what was asked for cannot work."""

    severity: Literal["error", "warning"]
    what: str
    remedy: str


def installed(folders: Iterable[Path]) -> dict[str, str]:
    """Return what is installed in an interpreter's folders: version by normalised name, the first that it finds."""
    found: dict[str, str] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.*-info")) if folder.is_dir() else ():
            if match := _INFO.fullmatch(path.name):
                found.setdefault(canonicalize_name(match["name"]), match["version"])
    return found


def ailments(host: Host, versions: Mapping[str, str], code: Sequence[str]) -> tuple[Ailment, ...]:
    """Return what is wrong with a host and what is installed there, by `installed`.

    `code` are the architectures that the installed torch has code for (``sm_120``, ``compute_120``), if it was asked.
    """
    found = (
        _driver(host),
        _torch(host),
        *_bound(host, versions),
        _majors(versions),
        _code(host, code),
        _glibc(host),
    )
    return tuple(each for each in found if each)


def _driver(host: Host) -> Ailment | None:
    wanted = cuda_major(host.compute)
    if host.driver == "":
        return Ailment(
            severity="error" if wanted else "warning",
            what="there is no NVIDIA driver, so nothing runs on a GPU here",
            remedy="install the driver, or plan for another machine with --machine FILE ('gw detect --json' writes it)",
        )
    known = _major(host.driver_cuda)
    if wanted and known and wanted > known:
        return Ailment(
            severity="error",
            what=f"torch is for CUDA {wanted}, and driver {host.driver} knows CUDA {host.driver_cuda} at the most",
            remedy=f"update the driver, or install a torch for CUDA {known}: uv pip install torch --torch-backend=auto",
        )
    return None


def _torch(host: Host) -> Ailment | None:
    if not (host.gpus and host.torch and host.compute == "cpu"):
        return None
    early = (
        " (the package index has CUDA in its aarch64 wheels from 2.11 on)" if host.arch == "aarch64" else ""
    )
    return Ailment(
        severity="error",
        what=f"torch {host.torch} is built for the CPU alone, and there is a GPU: {host.gpus[0].name}",
        remedy=f"uv pip install --reinstall torch --torch-backend=auto{early}",
    )


def _bound(host: Host, versions: Mapping[str, str]) -> Iterable[Ailment]:
    """Yield what is installed and was built for another torch or another CUDA than the torch that is there."""
    for name, version in versions.items():
        said = parse_local(version.partition("+")[2])
        if name.startswith("torch") and not said.torch:
            continue
        wrong = []
        if host.torch and said.torch not in ("", UNKNOWN) and not said.or_newer:
            wrong += (
                [f"torch {said.torch}, and torch {host.torch} is installed"]
                if minor(said.torch) != minor(host.torch)
                else []
            )
        majors = cuda_major(said.compute), cuda_major(host.compute)
        if all(majors) and majors[0] != majors[1]:
            wrong.append(f"CUDA {majors[0]}, and torch is for CUDA {majors[1]}")
        if said.cxx11_abi is not None and host.cxx11_abi not in (None, said.cxx11_abi):
            wrong.append("the other C++ ABI than torch has (undefined symbols when it is imported)")
        if wrong:
            yield Ailment(
                severity="error",
                what=f"{name} {version} was built for {'; and for '.join(wrong)}",
                remedy=f"gw add {name}",
            )


def _majors(versions: Mapping[str, str]) -> Ailment | None:
    found: dict[int, str] = {}
    for name, version in versions.items():
        match = _LIBRARIES.fullmatch(name)
        if match is None or match["name"] not in ("cublas", "cuda-runtime", "cuda-nvrtc", "cudnn"):
            continue
        major = int(match["major"]) if match["major"] else _major(version)
        if match["major"] or major >= _UNSUFFIXED:
            found.setdefault(major, name)
    if len(found) < 2:  # noqa: PLR2004 - two of them
        return None
    old = min(found)
    return Ailment(
        severity="warning",
        what=f"libraries of CUDA {' and '.join(map(str, sorted(found)))} are installed: {', '.join(found.values())}",
        remedy=f"find what still needs CUDA {old} with 'uv pip tree --invert --package {found[old]}', and remove it",
    )


def code_ailments(host: Host, folders: Sequence[Path], packages: Iterable[str]) -> Iterable[Ailment]:
    """Read the libraries of installed packages, and yield what of their GPU code does not run on a host's GPUs.

    And why it is not known whether it does. `folders` are the interpreter's. Nothing is imported.
    """
    from importlib import metadata

    from workbench.consume.gpu_code import judge_gpu_code
    from workbench.wheel.fatbin import gpu_code_of
    from workbench.wheel.library_facts import library_facts
    from workbench.wheel.stream import BadBinary

    for package in packages:
        found = next(iter(metadata.distributions(name=package, path=list(map(str, folders)))), None)
        if found is None:
            continue
        record = found.read_text("RECORD") or ""
        # `found.files` leaves out what is missing, from Python 3.12 on
        rows = csv.reader(record.splitlines())
        files = [row[0] for row in rows if row and ".so" in PurePosixPath(row[0]).suffixes]
        unlisted = (
            "" if record else "it has no RECORD, the list of its files (Debian's and conda's may have none)"
        )
        if not files and _EDITABLE.search(found.read_text("direct_url.json") or ""):
            unlisted = "it is installed editable, and what it compiled lies in its source tree"
        if unlisted:
            yield Ailment(
                severity="warning",
                what=f"{package} {found.version}: whether its GPU code runs here is not known: {unlisted}",
                remedy=f"gw test {package} tries it; gw add {package} installs a wheel, for which it is known",
            )
            continue
        codes = []
        for file in files:
            try:
                codes.append(gpu_code_of(Path(str(found.locate_file(file)))))
            except (OSError, BadBinary) as error:
                why = error.strerror if isinstance(error, OSError) else error
                yield Ailment(
                    severity="error",
                    what=f"{package}: {file}: {why}",
                    remedy=f"uv pip install --reinstall {package}",
                )
        facts = library_facts((), filter(None, codes))
        if not facts.gpu_code:
            continue
        compute = parse_local(found.version.partition("+")[2]).compute
        for reason in judge_gpu_code(facts.gpu_code, facts.toolkit or cuda_release(compute), host):
            if reason.outcome != "fits":
                yield Ailment(
                    severity="error" if reason.outcome == "no" else "warning",
                    what=f"{package} {found.version}: {reason.text}",
                    remedy=f"gw add --deep {package} looks for a wheel with code for this GPU"
                    if host.gpus
                    else f"gw doctor {package} --gpu 12.1 says whether it runs on such a GPU",
                )


def _code(host: Host, code: Sequence[str]) -> Ailment | None:
    from workbench.plan.gpu import Architecture
    from workbench.wheel.coverage import serves

    if not code or not host.gpus:
        return None
    for gpu in host.gpus:
        if not any(serves(Architecture.parse(each), gpu.number) for each in code):
            return Ailment(
                severity="error",
                what=f"torch {host.torch} has no code for {gpu.name} (compute capability {gpu.capability}): it has "
                f"{', '.join(code)}",
                remedy="install a newer torch: uv pip install --upgrade torch --torch-backend=auto",
            )
    return None


def _glibc(host: Host) -> Ailment | None:
    match = re.fullmatch(r"2\.(\d+)", host.glibc or "")
    if match is None or int(match[1]) >= _NEWEST_FLOOR:
        return None
    return Ailment(
        severity="warning",
        what=f"glibc {host.glibc} is older than 2.{_NEWEST_FLOOR}, which many wheels with GPU code need",
        remedy="where none fits, use a container of a newer distribution, or build: gw add --build-missing",
    )


def file_ailments(lock: Pylock, logins: Logins, *, deep: bool = False) -> Iterable[Ailment]:
    """Ask for every file of a lock as `install` does, and yield those that are gone or were replaced.

    That is seen by their size, for which nothing is downloaded; with `deep` by their sha256, for which they are read.
    """
    from workbench.simple.fetch import Fetcher, why

    fetcher = Fetcher()
    for package in lock.packages:
        for wheel in package.wheels or ():
            if not wheel.url:
                continue
            try:
                size = fetcher.size(wheel.url, headers=logins.headers(wheel.url))
                found = read_through(wheel.url, wheel.filename, logins)[0] if deep else ""
            except (OSError, SourceError) as error:
                said = str(error)
                if isinstance(error, OSError):
                    said = f"{wheel.filename}: {why(error)}{logins.remedy(wheel.url, error)}"
                yield Ailment(severity="error", what=said, remedy="gw update looks for another place")
                continue
            replaced = None not in (size, wheel.size) and size != wheel.size
            if replaced or found not in ("", wheel.hashes.get("sha256")):
                by = f"{size} bytes, and {wheel.size} were locked" if replaced else f"another sha256, {found}"
                yield Ailment(
                    severity="error",
                    what=f"{wheel.filename} has {by}: it was replaced",
                    remedy="gw update, after you asked its maintainer why",
                )


def _major(version: str | None) -> int:
    match = re.match(r"\d+", version or "")
    return int(match[0]) if match else 0
