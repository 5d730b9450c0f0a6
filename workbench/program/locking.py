"""The commands that write a lock and install what it names: add, lock, install, update."""

from __future__ import annotations

import hashlib
import os
import tempfile
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from workbench import console
from workbench.consume.lock import (
    LockChange,
    Pinned,
    asked_of,
    changes,
    check_name,
    indexes_of,
    kept_of,
    read_lock,
    sources_of,
    write_lock,
)
from workbench.consume.solving import resolve_lock
from workbench.errors import LockFault, SourceError, UsageError
from workbench.events import note, step
from workbench.files import content_of, locked, write_whole
from workbench.program.choosing import check_all_fit, find_all, show_choice
from workbench.program.hosts import environment_of, host_of
from workbench.program.pinning import pins_of, write_project
from workbench.program.places import places_of
from workbench.text import counted
from workbench.url import has_secret

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Callable, Iterator, Sequence

    from packaging.pylock import Pylock

    from workbench.consume.host import Host
    from workbench.consume.resolving import Places, Resolution


def _one_at_a_time(command: Callable[[Namespace], int]) -> Callable[[Namespace], int]:
    """Return a command that lets one gw at a time change a lock, from what it reads of it to what it installs.

    What is held lies on this machine's own disk: on that of a project, which may be a network's, nothing can be held
    everywhere.
    """

    @wraps(command)
    def alone(asked: Namespace) -> int:
        if asked.dry_run:
            return command(asked)
        name = hashlib.sha256(os.fsencode(Path(asked.lock).resolve())).hexdigest()[:16]
        held = Path(tempfile.gettempdir(), f"gpuwheels-{name}.lock")
        with locked(held, waiting=f"wait for another gw, which is at work on {asked.lock}"):
            return command(asked)

    return alone


@_one_at_a_time
def lock(asked: Namespace) -> int:
    """Write a lock of packages and of all that they need."""
    check_name(Path(asked.lock))
    host = host_of(asked)
    made = _locked(asked, host, asked.packages, None)
    _write(made, asked)
    _tell(asked, host, made, ())
    return 0


@_one_at_a_time
def add(asked: Namespace) -> int:
    """Resolve packages, lock them beside what the lock has already, and install."""
    path = Path(asked.lock)
    check_name(path)
    before = read_lock(path) if path.exists() else None
    known = asked_of(before) if before else ()
    if before and not known:
        raise LockFault(f"{path}: gpuwheels did not make it: name another file, with --lock pylock.gw.toml")
    host = host_of(asked)
    interpreter = None if asked.dry_run else environment_of(host)
    with _put_back(path, *map(Path, filter(None, [asked.output]))):
        made = _locked(asked, host, _merged(known, asked.packages), before)
        _write(made, asked)
        if interpreter:
            _install(asked, interpreter)
    _tell(asked, host, made, changes(before, made) if before else ())
    return 0


@contextmanager
def _put_back(*files: Path) -> Iterator[None]:
    """Let files be as they were where something fails: what could not be installed is not asked for either."""
    before = {file: content_of(file) for file in files}
    try:
        yield
    except BaseException:
        for file, old in before.items():
            if content_of(file) == old:
                continue
            if old is None:
                file.unlink()
            else:
                write_whole(file, old)
            note(f"{file} is again as it was before")
        raise


def install(asked: Namespace) -> int:
    """Install what a lock names."""
    host = host_of(asked)
    if asked.signed_by:
        _prove_lock(read_lock(Path(asked.lock)), asked)
    _install(asked, environment_of(host))
    _tell(asked, host, read_lock(Path(asked.lock)), ())
    return 0


def _prove_lock(made: Pylock, asked: Namespace) -> None:
    """See that what a lock was made for is signed; what that needs comes from the package index, by its sha256."""
    from workbench.consume.resolving import name_of
    from workbench.program.proving import Wanted, prove

    if not (known := asked_of(made)):
        raise LockFault(
            f"{asked.lock}: gpuwheels did not make it: which of its wheels must be signed is not known"
        )
    names = set(map(name_of, known))
    if absent := names - {package.name for package in made.packages}:
        raise LockFault(
            f"{asked.lock}: it was made for {', '.join(sorted(absent))}, which is not in it: gw update makes it anew"
        )
    sources, listed = sources_of(made), _index_addresses(places_of(asked))
    prove(
        (
            Wanted(
                each.filename,
                each.url or "",
                each.hashes.get("sha256", ""),
                listed.get(sources.get(package.name, ""), ""),
            )
            for package in made.packages
            if package.name in names
            for each in package.wheels or ()
        ),
        asked.signed_by,
    )


def _index_addresses(places: Places) -> dict[str, str]:
    """Return the address of each source that is an index, by the source's name."""
    return {each.name: each.url for each in places.sources if each.kind == "index"}


@_one_at_a_time
def update(asked: Namespace) -> int:
    """Make a lock anew for what it was made for, and say what changed. Nothing is installed."""
    path = Path(asked.lock)
    before = read_lock(path)
    if not (known := asked_of(before)):
        raise LockFault(
            f"{path}: gpuwheels did not make it, so what it was made for is not known: gw lock PACKAGE..."
        )
    host = host_of(asked)
    made = _locked(asked, host, known, before)
    changed = changes(before, made)
    if changed:
        _write(made, asked)
    _tell(asked, host, made, changed, unchanged=not changed)
    if changed and not asked.dry_run:
        note("nothing was installed: gw install does that")
    return 0


def _merged(known: Sequence[str], packages: Sequence[str]) -> list[str]:
    """Return what a lock was made for, with what is asked for now in place of the same packages."""
    from workbench.consume.resolving import name_of

    names = set(map(name_of, packages))
    return [*(text for text in known if name_of(text) not in names), *packages]


def _locked(asked: Namespace, host: Host, packages: Sequence[str], before: Pylock | None) -> Pylock:
    """Return the lock of packages; `before` is the one that it takes the place of.

    Without that one's indexes and sources a public package could come in place of a private one.
    """
    known = indexes_of(before) if before else ()
    indexes = tuple(dict.fromkeys((*map(_index, known), *map(_index, asked.index))))
    if any(map(has_secret, indexes)):
        raise UsageError("--index: leave the login out, which everybody here could see: uv reads ~/.netrc")
    places = places_of(asked)
    if before:
        _check_sources(packages, before, places)
    found = find_all(packages, asked, host, places)
    if before:
        _check_answers(found, before)
    built = _built(found, host) if getattr(asked, "build_missing", False) and not asked.dry_run else []
    left = {pin.name for pin in built}
    check_all_fit([each for each in found if each.name not in left], host, places, json=asked.json)
    if not asked.json:
        for each in found:
            if each.chosen:
                show_choice(each, host, places)
    chosen = pins_of(found, places)
    if asked.signed_by:
        from workbench.program.proving import Wanted, prove

        listed = _index_addresses(places)
        prove(
            (
                Wanted(offer.filename, offer.url, offer.sha256 or "", listed.get(offer.source, ""))
                for offer in (each.offer for each in chosen)
            ),
            asked.signed_by,
        )
    pins = [*chosen, *built]
    with step("resolve what they need") as at:
        made = resolve_lock(pins, host, asked=packages, at_hand=_torch_at_hand(host, places), indexes=indexes)
        at.outcome = counted(len(made.packages), "package")
    if kept := kept_of(made):
        note(f"{kept} is not in the lock: no source has this build, so it stays as it is installed")
    if getattr(asked, "output", ""):
        write_project(pins, host, places, asked)
    return made


def _index(text: str) -> str:
    """Return the URL of an index, or of a folder that is one. Raises UsageError for what is not there.

    uv passes over a folder that is missing, so another index's package would come in place of that one's.
    """
    if text and "://" not in text:
        text = Path(text).absolute().as_uri()
    parts = urlsplit(text)
    if not text or (parts.scheme == "file" and not Path(unquote(parts.path)).is_dir()):
        raise UsageError(f"--index {text}: there is no such folder: name one, or a URL")
    return text


def _check_sources(packages: Sequence[str], before: Pylock, places: Places) -> None:
    """Raise UsageError for a package whose source is not named any more: another's would come in its place."""
    from workbench.consume.resolving import name_of
    from workbench.program.building import HERE

    sources, known = sources_of(before), {HERE, *(each.name for each in places.sources)}
    for name in map(name_of, packages):
        if (source := sources.get(name, HERE)) not in known:
            raise UsageError(
                f"{name} was locked from {source}, a source that no registry names now: name its file with --registry, "
                "or remove the lock to choose anew"
            )


def _check_answers(found: Sequence[Resolution], before: Pylock) -> None:
    """Raise SourceError for a package whose source did not answer, and of which nothing is kept either."""
    sources = sources_of(before)
    for each in found:
        source = sources.get(each.name)
        failed = [one.what for one in each.offered.troubles if one.kind == "failed" and one.source == source]
        if failed and source not in {one.source for one in each.offered.answered}:
            raise SourceError(
                f"{each.name} was locked from {source}, which did not answer, and another source's wheel does not take "
                f"its place: {failed[0]}; try again later, or remove the lock to choose anew"
            )


def _torch_at_hand(host: Host, places: Places) -> list[Pinned]:
    """Return the very build of torch that the project has, if a source lists it.

    The package index has other builds under the same release: one of those would come in its place.
    """
    from workbench.consume.resolving import requirement_of, resolve

    if not host.torch_local:
        return []
    found = resolve(requirement_of(f"torch=={host.torch}+{host.torch_local}"), host, places)
    if found.chosen is None or not found.chosen.offer.sha256:
        return []
    return pins_of([found], places)


def _built(found: Sequence[Resolution], host: Host) -> list[Pinned]:
    """Return wheels of what no source has, made here. One that may fit is not made: the missing fact is asked for."""
    from workbench.program.building import build

    return [build(each.requirement, host) for each in found if not each.ranked]


def _write(made: Pylock, asked: Namespace) -> None:
    path = Path(asked.lock)
    if asked.dry_run:
        note(f"{path} would be written, with {counted(len(made.packages), 'package')}; nothing was")
        return
    write_lock(made, path)


def _install(asked: Namespace, interpreter: Path) -> None:
    from workbench.consume import install as installing

    logins = places_of(asked).logins
    with step(f"install {asked.lock} with {asked.installer}") as at:
        said = installing.install(
            Path(asked.lock),
            interpreter,
            logins=logins,
            installer=asked.installer,
            sync=asked.sync,
            offline=asked.offline,
        )
        at.outcome = next((line for line in reversed(said.splitlines()) if line.startswith("Installed")), "")


def _tell(
    asked: Namespace, host: Host, made: Pylock, changed: Sequence[LockChange], *, unchanged: bool = False
) -> None:
    """Print the summary: where the lock is, what it has, and what changed in it."""
    versions = {package.name: str(package.version) for package in made.packages}
    if asked.json:
        console.answer_json(
            {
                "lock": asked.lock,
                "python": host.python,
                "packages": versions,
                "changes": list(map(str, changed)),
            }
        )
        return
    if unchanged:
        console.answer(f"{asked.lock}: nothing changed")
    for each in changed:
        console.answer(f"  {each}")
    console.answer_summary(
        asked.lock, [("packages", str(len(versions))), ("for", f"Python {host.python}, {host.arch}")]
    )
