"""Chosen wheels as pins, each with its METADATA and its sha256, and in a project's file for uv (``-o``)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from workbench import console
from workbench.consume.lock import Pinned
from workbench.errors import UsageError
from workbench.events import note
from workbench.files import write_whole
from workbench.text import file_size

if TYPE_CHECKING:
    from argparse import Namespace
    from collections.abc import Sequence

    from workbench.consume.host import Host
    from workbench.consume.offer import OfferedWheel
    from workbench.consume.resolving import Places, Resolution


def pins_of(found: Sequence[Resolution], places: Places) -> list[Pinned]:
    """Return the chosen wheels with their METADATA, and with a sha256 each. Raises SourceError."""
    from workbench.consume.learning import check_wheel, metadata_of, with_sha256
    from workbench.consume.resolving import version_of

    pins = []
    for each in found:
        if each.chosen is None:
            continue
        offer = with_sha256(each.chosen.offer, places.logins)
        metadata = metadata_of(offer, places.cache, places.logins, offline=places.offline)
        check_wheel(offer, metadata, places.cache, places.logins, offline=places.offline)
        pins.append(
            Pinned(
                name=each.name,
                version=version_of(each.chosen),
                offer=offer,
                metadata=metadata,
                extras=frozenset(each.requirement.extras),
            )
        )
    return pins


def write_project(pins: Sequence[Pinned], host: Host, places: Places, asked: Namespace) -> None:
    """Write chosen wheels into a ``pyproject.toml`` for uv, or a file of requirements, and say what that will cost."""
    from workbench.consume.project import edit_project, edit_requirements
    from workbench.consume.sources import index_root
    from workbench.simple.github import is_asset

    if private := next((pin.offer.filename for pin in pins if is_asset(pin.offer.url)), ""):
        raise UsageError(
            f"{private} is in a private repository, where only gw gets it: leave out -o, and use gw lock and gw install"
        )
    path = Path(asked.output)
    try:
        text = path.read_bytes().decode() if path.exists() else ""
    except UnicodeDecodeError as error:
        raise UsageError(f"-o {path}: it is not UTF-8: {error}") from error
    downloads: Sequence[OfferedWheel] = ()
    if path.suffix in (".txt", ".in"):
        made = edit_requirements(text, pins, host)
    elif path.suffix != ".toml":
        raise UsageError(f"-o {path}: name a pyproject.toml, or a file of requirements (.txt, .in)")
    else:
        by_name = {source.name: source for source in places.sources}
        indexes = {
            pin.offer.source: index_root(by_name[pin.offer.source], pin.offer.hints, host)
            for pin in pins
            if pin.offer.source in by_name
        }
        name = path.resolve().parent.name
        edited = edit_project(text, pins, indexes, host, name=name, where=str(path))
        made, downloads = edited.text, edited.downloads
    if getattr(asked, "dry_run", False):
        console.answer(made)
        return
    write_whole(path, made)
    note(f"{path}: {', '.join(f'{pin.name} {pin.version}' for pin in pins)}")
    for offer in downloads:
        size = f" ({file_size(offer.size)})" if offer.size else ""
        note(f"uv lock will download {offer.filename}{size}: it lies on no index")
