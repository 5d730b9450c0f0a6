"""What chosen wheels need: a lock of them and of the rest of their tree, which uv resolves.

It is handed METADATA alone in place of each chosen wheel: nothing of gigabytes is downloaded for a lock, no login
of a source is needed, and no package of the same name can come instead.
"""

from __future__ import annotations

import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.pylock import Package, PackageWheel, Pylock
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from workbench.consume.lock import TOOL, Pinned, parse_lock
from workbench.consume.offer import OfferedWheel
from workbench.errors import LockFault, UsageError
from workbench.files import temporary
from workbench.url import without_login

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.consume.host import Host


def resolve_lock(
    pins: Sequence[Pinned],
    host: Host,
    *,
    asked: Sequence[str],
    at_hand: Sequence[Pinned] = (),
    indexes: Sequence[str] = (),
) -> Pylock:
    """Return the lock of chosen wheels and of all that they need, which `indexes` have, or the usual index.

    Wheels that are `at_hand` are taken where something needs them, as if an index had them. The torch that is installed
    stays the very build that it is: one that nobody has is left out, and `kept_of` names it.

    It is for the host's Python, architecture and glibc alone: others are refused by the tags of its wheels, and not
    by ``environments``, which PDM cannot read with an architecture. `asked` is what a person asked for: `updated` asks
    again. Raises LockFault where there is no such set of wheels.
    """
    if hashless := [pin.offer.filename for pin in pins if not pin.offer.sha256]:
        raise UsageError(f"{hashless[0]}: no sha256 is known of it, so it cannot be locked")
    with temporary() as folder:
        (folder / "links").mkdir()
        for pin in at_hand:
            _stand_in(folder / "links", pin)
        wanted = [f"{pin.wanted} @ {_stand_in(folder, pin).as_uri()}" for pin in pins]
        (folder / "asked.in").write_text("\n".join(wanted) + "\n", encoding="utf-8")
        (folder / "held.in").write_text("\n".join(_held(host, pins)) + "\n", encoding="utf-8")
        kept = ""
        try:
            resolved = _compile(folder, host, indexes)
        except LockFault as error:
            kept = _torch_that_is_there(host)
            if not kept or kept not in str(error):
                raise
            _stand_in(folder / "links", _installed_torch(host))
            resolved = _compile(folder, host, indexes)
    chosen = {pin.name: pin for pin in (*at_hand, *pins)}
    packages = [
        _locked(package, chosen.get(package.name))
        for package in resolved.packages
        if not kept or package.name != "torch"
    ]
    python = _minor(host)
    lock = replace(
        resolved,
        created_by=TOOL,
        requires_python=SpecifierSet(f"=={python}.*"),
        packages=packages,
        tool={
            TOOL: {
                "asked": list(asked),
                "torch": host.torch or "",
                "compute": host.compute or "",
                **({"kept": kept} if kept else {}),
                **({"indexes": list(indexes)} if indexes else {}),
            }
        },
    )
    lock.validate()
    return lock


def _minor(host: Host) -> str:
    if not host.python_minor:
        raise UsageError("the Python to lock for is not known: name it with --python 3.12")
    return host.python_minor


def _stand_in(folder: Path, pin: Pinned) -> Path:
    """Write a wheel of the chosen one's name that has its METADATA and nothing else."""
    path = folder / pin.offer.filename
    info = f"{'-'.join(pin.offer.filename.split('-')[:2])}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(f"{info}/METADATA", pin.metadata)
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: gpuwheels\nRoot-Is-Purelib: false\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return path


def _held(host: Host, pins: Sequence[Pinned]) -> list[str]:
    """Return the constraints that keep the torch that is installed: wheels were chosen for it."""
    if not host.torch or any(pin.name == "torch" for pin in pins):
        return []
    if build := _torch_that_is_there(host):
        return [build]
    return [f"torch=={host.torch}{'' if host.torch.count('.') > 1 else '.*'}"]


def _compile(folder: Path, host: Host, indexes: Sequence[str]) -> Pylock:
    from workbench.environment import python_platform, uv
    from workbench.errors import CommandFailed

    if not host.arch or host.glibc is None:
        raise UsageError(
            "the machine to lock for is not known: describe it with --arch aarch64 and --glibc 2.39"
        )
    try:
        platform = python_platform(host.arch, host.glibc)
    except ValueError as error:
        has = f"glibc {host.glibc}" if host.glibc else "another C library"
        raise UsageError(f"uv locks for glibc 2.17 and newer alone, and the machine has {has}") from error
    to = folder / "pylock.toml"
    words = ["--format=pylock.toml", f"--output-file={to}", "--no-header", "--no-annotate"]
    words += ["--only-binary=:all:", f"--constraints={folder / 'held.in'}"]
    words += [*_for_python(host), f"--python-platform={platform}"]
    words += [f"--find-links={folder / 'links'}", *(f"--index={url}" for url in indexes)]
    try:
        uv("pip", "compile", *words, folder / "asked.in", cwd=folder)
    except CommandFailed as error:
        said = str(error).split("\n", 2)[-1].replace(folder.as_uri() + "/", "").replace(f"{folder}/", "")
        raise LockFault(f"there is no set of wheels for this machine that goes together:\n{said}") from error
    return parse_lock(to.read_bytes(), to)


def _for_python(host: Host) -> list[str]:
    """Return what tells uv for which Python: it resolves for no free-threaded one but one that is here."""
    from workbench.process import run

    if not (host.python or "").endswith("t"):
        return [f"--python-version={_minor(host)}"]
    named = host.interpreter or f"{_minor(host)}t"
    if run(["uv", "python", "find", "--no-python-downloads", named], check=False).status:
        raise UsageError(
            f"uv locks for a free-threaded Python only where there is one: 'uv python install {named}' puts it here"
        )
    return [f"--python={named}", "--no-python-downloads"]


def _torch_that_is_there(host: Host) -> str:
    """Return the very build of torch that the project has, ``torch==2.11.0+cu130``; "" where its name says no build."""
    return f"torch=={host.torch}+{host.torch_local}" if host.torch_local else ""


def _installed_torch(host: Host) -> Pinned:
    """Return what stands for a torch that no index has: NVIDIA's containers and a build of one's own have such."""
    version = f"{host.torch}+{host.torch_local}"
    filename = f"torch-{version.replace('-', '_')}-py3-none-any.whl"
    return Pinned(
        name="torch",
        version=version,
        offer=OfferedWheel(filename=filename, url="", source="installed"),
        metadata=f"Metadata-Version: 2.1\nName: torch\nVersion: {version}\n".encode(),
    )


def _locked(package: Package, pin: Pinned | None) -> Package:
    """Return a package as the lock has it: the chosen wheel for one of ours, wheels alone for the others."""
    if pin is None:
        wheels = [
            replace(each, url=without_login(each.url)) if each.url else each for each in package.wheels or ()
        ]
        return replace(package, sdist=None, wheels=wheels, index=None)
    offer = pin.offer
    assert offer.sha256 is not None  # noqa: S101 - resolve_lock has seen to it
    wheel = PackageWheel(name=offer.filename, url=offer.url, size=offer.size, hashes={"sha256": offer.sha256})
    return Package(
        name=package.name,
        version=Version(pin.version),
        wheels=[wheel],
        dependencies=package.dependencies,
        tool={TOOL: {"source": offer.source}},
    )
