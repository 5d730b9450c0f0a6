"""``pylock.toml`` (PEP 751): wheels that were chosen and all that they need, each with its sha256."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.pylock import Package, Pylock, PylockSelectError, PylockValidationError
from packaging.utils import canonicalize_name

from workbench.errors import LockFault, UsageError
from workbench.files import write_whole
from workbench.url import has_secret, without_login

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.markers import Environment
    from packaging.tags import Tag

    from workbench.consume.offer import OfferedWheel


_SHA256 = re.compile(r"[0-9a-fA-F]{64}")

TOOL = "gpuwheels"
"""The table of ours in a lock and in its packages (PEP 751, ``tool``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pinned:
    """A wheel that was chosen: normalised name, version with its local part, and its METADATA as it stands there.

    `extras` are those of its extras that are wanted.
    """

    name: str
    version: str
    offer: OfferedWheel
    metadata: bytes
    extras: frozenset[str] = frozenset()

    @property
    def wanted(self) -> str:
        """Its name as a requirement has it: ``demo[fast]``."""
        return f"{self.name}[{','.join(sorted(self.extras))}]" if self.extras else self.name


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
    return _words_of(lock, "asked")


def indexes_of(lock: Pylock) -> tuple[str, ...]:
    """Return the indexes that were asked besides the usual one when the lock was made."""
    return _words_of(lock, "indexes")


def sources_of(lock: Pylock) -> dict[str, str]:
    """Return by a package's name the source that it was chosen from; nothing of what the package index has."""
    tables = {str(package.name): (package.tool or {}).get(TOOL, {}) for package in lock.packages}
    found = {name: table.get("source") for name, table in tables.items() if isinstance(table, dict)}
    return {name: source for name, source in found.items() if isinstance(source, str)}


def _words_of(lock: Pylock, key: str) -> tuple[str, ...]:
    table = (lock.tool or {}).get(TOOL, {})
    words = table.get(key, []) if isinstance(table, dict) else []
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
