"""``pylock.toml`` (PEP 751): wheels that were chosen and all that they need, each with its sha256.

uv resolves the rest of the tree. It is handed METADATA alone in the place of each chosen wheel: nothing of gigabytes is
downloaded for a lock, no login of a source is needed, and no package of the same name can come instead.
"""

from __future__ import annotations

import re
import tempfile
import tomllib
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.pylock import Package, PackageWheel, Pylock, PylockSelectError, PylockValidationError
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

from workbench.consume.offer import OfferedWheel
from workbench.errors import LockFault, UsageError
from workbench.files import scratch, write_whole
from workbench.url import has_secret, without_login

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from packaging.markers import Environment
    from packaging.tags import Tag

    from workbench.consume.host import Host

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")

TOOL = "gpuwheels"
"""The table of ours in a lock and in its packages (PEP 751, ``tool``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """A wheel that was chosen: normalised name, version with its local part, and its METADATA as it stands there."""

    name: str
    version: str
    offer: OfferedWheel
    metadata: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class LockChange:
    """One package of two locks: its versions before and after, "" where it was not or is no more."""

    name: str
    before: str
    after: str
    moved: bool = False

    def __str__(self) -> str:
        if self.moved:
            return f"{self.name} {self.after}: the same version, other bytes"
        if not self.after:
            return f"{self.name} {self.before}: no longer there"
        return (
            f"{self.name} {self.before} → {self.after}" if self.before else f"{self.name} {self.after}: new"
        )


def resolve_lock(
    pins: Sequence[Pinned],
    others: Sequence[str],
    host: Host,
    *,
    asked: Sequence[str],
    at_hand: Sequence[Pinned] = (),
    indexes: Sequence[str] = (),
) -> Pylock:
    """Return the lock of chosen wheels, of `others` (requirements that any index has), and of all that they need.

    Wheels that are `at_hand` are taken where something needs them, as if an index had them. The torch that is installed
    stays the very build that it is: one that nobody has is left out, and `kept_of` names it.

    It is for the host's Python, architecture and glibc alone: others are refused by the tags of its wheels, and not
    by ``environments``, which PDM cannot read with an architecture. `asked` is what a person asked for: `updated` asks
    again. Raises LockFault where there is no such set of wheels.
    """
    if hashless := [pin.offer.filename for pin in pins if not pin.offer.sha256]:
        raise UsageError(f"{hashless[0]}: no sha256 is known of it, so it cannot be locked")
    with scratch(Path(tempfile.gettempdir()), ".gpuwheels-lock-") as folder:
        (folder / "links").mkdir()
        for pin in at_hand:
            _stand_in(folder / "links", pin)
        wanted = [f"{pin.name} @ {_stand_in(folder, pin).as_uri()}" for pin in pins]
        (folder / "asked.in").write_text("\n".join([*wanted, *others]) + "\n", encoding="utf-8")
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
    from workbench.environment import index_environment, python_platform
    from workbench.errors import CommandFailed
    from workbench.process import run

    if not host.arch or not host.glibc:
        raise UsageError(
            "the machine to lock for is not known: describe it with --arch aarch64 and --glibc 2.39"
        )
    to = folder / "pylock.toml"
    argv: list[str | Path] = [
        "uv",
        "pip",
        "compile",
        "--quiet",
        "--format=pylock.toml",
        f"--output-file={to}",
    ]
    argv += ["--only-binary=:all:", "--no-header", "--no-annotate", f"--constraints={folder / 'held.in'}"]
    argv += [
        f"--python-version={_minor(host)}",
        f"--python-platform={python_platform(host.arch, host.glibc)}",
    ]
    argv += [f"--find-links={folder / 'links'}", *(f"--index={url}" for url in indexes)]
    try:
        run([*argv, folder / "asked.in"], cwd=folder, env=index_environment())
    except CommandFailed as error:
        said = str(error).split("\n", 2)[-1].replace(folder.as_uri() + "/", "").replace(f"{folder}/", "")
        raise LockFault(f"there is no set of wheels for this machine that goes together:\n{said}") from error
    return parse_lock(to.read_bytes(), to)


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


def write_lock(lock: Pylock, path: Path) -> None:
    """Write a lock, whole or not at all. Raises UsageError for a name that no installer reads (PEP 751)."""
    import tomlkit

    check_name(path)
    document = tomlkit.document()
    document.add(tomlkit.comment("Made by gpuwheels; 'gw update' makes it anew. uv and pip install it."))
    plain = _plain(lock.to_dict())
    for package in plain["packages"]:
        files = tomlkit.array().multiline(True)  # a line for each file, as uv writes it
        for each in package["wheels"]:
            inline = tomlkit.inline_table()
            inline.update(each)
            files.append(inline)
        package["wheels"] = files
    document.update(plain)
    write_whole(path, tomlkit.dumps(document))


def check_name(path: Path) -> None:
    """Raise UsageError for a name that installers do not take for a lock's (PEP 751)."""
    parts = path.name.split(".")
    if parts[0] != "pylock" or parts[-1] != "toml" or len(parts) > len(("pylock", "name", "toml")):
        raise UsageError(f"{path.name}: a lock is called pylock.toml or pylock.NAME.toml (PEP 751)")


def _plain(value: Any) -> Any:  # noqa: ANN401 - whatever TOML can say
    """Return the mapping without keys that have no value: TOML has no null."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items() if each is not None}
    return [_plain(each) for each in value] if isinstance(value, (list, tuple)) else value


def read_lock(path: Path) -> Pylock:
    """Return the lock at a path. Raises LockFault, and UsageError where there is none."""
    try:
        return parse_lock(path.read_bytes(), path)
    except FileNotFoundError as error:
        raise UsageError(f"{path}: no such file: 'gw lock PACKAGE' makes one") from error


def parse_lock(text: bytes, path: Path) -> Pylock:
    """Return the lock that a text is; `path` is for messages. Raises LockFault."""
    try:
        return Pylock.from_dict(tomllib.loads(text.decode()))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise LockFault(f"{path}: not TOML: {error}") from error
    except PylockValidationError as error:
        raise LockFault(f"{path}: not a lock (PEP 751): {error}") from error


def check_lock(lock: Pylock, path: Path) -> None:
    """Raise LockFault for a lock that has a file without a sha256, or a URL with a secret in it.

    Installers take a lock of md5 alone, and pass a login on to whoever reads the file.
    """
    for package in lock.packages:
        files = [*(package.wheels or ()), *(each for each in (package.sdist, package.archive) if each)]
        if package.vcs or package.directory or not files:
            raise LockFault(
                f"{path}: {package.name} is not locked by the hash of a file: gw lock makes a lock that is"
            )
        for file in files:
            if not _SHA256.fullmatch(file.hashes.get("sha256", "")):
                raise LockFault(f"{path}: {package.name} has no sha256: gw update makes the lock anew")
            if file.url and (has_secret(file.url) or without_login(file.url) != file.url):
                raise LockFault(
                    f"{path}: the URL of {package.name} has a login in it: take it out, and use ~/.netrc"
                )


def selected(lock: Pylock, path: Path, environment: Environment, tags: Iterable[Tag]) -> tuple[str, ...]:
    """Return the names that an installer would take from a lock for a Python. Raises LockFault with its reason."""
    try:
        found = lock.select(environment=environment, tags=list(tags))
        return tuple(package.name for package, _ in found)
    except PylockSelectError as error:
        raise LockFault(f"{path}: not for this machine: {error}") from error


def asked_of(lock: Pylock) -> tuple[str, ...]:
    """Return what a person asked for when the lock was made; nothing where gpuwheels did not make it."""
    table = (lock.tool or {}).get(TOOL, {})
    words = table.get("asked", []) if isinstance(table, dict) else []
    return tuple(word for word in words if isinstance(word, str)) if isinstance(words, list) else ()


def kept_of(lock: Pylock) -> str:
    """Return the torch that is not in a lock, because no index has it, and which has to stay; "" mostly."""
    table = (lock.tool or {}).get(TOOL, {})
    kept = table.get("kept", "") if isinstance(table, dict) else ""
    return kept if isinstance(kept, str) else ""


def changes(before: Pylock, after: Pylock) -> tuple[LockChange, ...]:
    """Return what differs between two locks, by name."""
    old, new = ({canonicalize_name(each.name): each for each in lock.packages} for lock in (before, after))
    found = []
    for name in sorted({*old, *new}):
        versions = [str(lock[name].version or "") if name in lock else "" for lock in (old, new)]
        moved = (
            name in old
            and name in new
            and versions[0] == versions[1]
            and _hashes(old[name]) != _hashes(new[name])
        )
        if versions[0] != versions[1] or moved:
            found.append(LockChange(name=name, before=versions[0], after=versions[1], moved=moved))
    return tuple(found)


def _hashes(package: Package) -> set[str]:
    files = [*(package.wheels or ()), *(each for each in (package.sdist, package.archive) if each)]
    return {file.hashes.get("sha256", "") for file in files}
