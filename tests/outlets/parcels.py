"""Wheels as verification would hand them to outlets, sent by a process of its own that a test may kill."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.forked import FORKSERVER
from workbench.files import Identity
from workbench.outlets.delivery import deliver, preflight
from workbench.outlets.outlet import Parcel, Subject
from workbench.outlets.places import open_outlets, places
from workbench.wheel.filename import parse_wheel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from multiprocessing.context import ForkServerProcess

    from workbench.outlets.delivery import Delivered

STATEMENT = b'{"_type": "a statement"}\n'


def parcel(path: Path, *, variant: str = "", statement: bytes | None = STATEMENT) -> Parcel:
    name = parse_wheel(path.name)
    with zipfile.ZipFile(path) as archive:
        (metadata,) = (archive.read(each) for each in archive.namelist() if each.endswith("/METADATA"))
    return Parcel(
        subject=Subject(project=name.name, version=str(name.version), variant=variant),
        path=path,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        size=path.stat().st_size,
        identity=Identity.of(path),
        metadata=metadata,
        statement=statement,
    )


def sent(parcels: Sequence[Parcel], to: str, root: Path) -> Delivered:
    """Send wheels to one outlet, as a command does."""
    ((_, outlet),) = open_outlets(places(to), root).items()
    (shipment,) = preflight([outlet], parcels)
    return deliver(shipment)


def sending(parcels: Sequence[Parcel], to: str, root: Path, environ: Mapping[str, str]) -> ForkServerProcess:
    """Return a process that sends wheels, not started."""
    return FORKSERVER.Process(target=_send, args=(list(parcels), to, root, dict(environ)))


def _send(parcels: list[Parcel], to: str, root: Path, environ: dict[str, str]) -> None:
    import os

    os.environ.clear()
    os.environ.update(environ)
    sent(parcels, to, root)
