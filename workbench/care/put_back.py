"""Missing and damaged files of published wheels, put back: from ``wheels/``, and out of the wheels themselves."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.files import sha256_of
from workbench.publish.wheel_files import MISSING
from workbench.store.layout import metadata_key
from workbench.wheel.stream import BadBinary
from workbench.wheel.wheel import Wheel

if TYPE_CHECKING:
    from workbench.care.compare import Faulty
    from workbench.paths import Paths
    from workbench.publish.wheel_files import Fault
    from workbench.store.protocol import Store


def put_back(paths: Paths, store: Store, each: Faulty, fault: Fault, *, dry_run: bool) -> str | None:
    """Put one file of a wheel back and say from where; None where it is not to be had with the bytes that it had.

    A ``.metadata`` is replaced in one step. A damaged wheel is deleted first, for it would be refused in any case.
    """
    built = paths.wheels / each.wheel.filename
    is_built = built.is_file() and sha256_of(built) == each.wheel.sha256
    if fault.key == each.wheel.url and is_built:
        if not dry_run:
            if fault.what != MISSING:
                store.delete(fault.key)
            store.create(fault.key, built, sha256=each.wheel.sha256)
        return str(built)
    if fault.key == metadata_key(each.project, each.wheel.filename):
        metadata = _metadata(store, each, built if is_built else None)
        if metadata is not None:
            if not dry_run:
                stored = store.read(fault.key)
                store.replace(fault.key, metadata, expected=stored.version if stored else None)
            return "the wheel"
    return None


def _metadata(store: Store, each: Faulty, built: Path | None) -> bytes | None:
    """Return a wheel's METADATA, out of the wheel; None where that is not to be had, or has another."""
    if built is None and any(fault.key == each.wheel.url for fault in each.faults):
        return None
    try:
        with built.open("rb") if built else store.open(each.wheel.url) as file:
            metadata = Wheel(file).text("METADATA")
    except BadBinary:
        return None
    return metadata if hashlib.sha256(metadata).hexdigest() == each.wheel.metadata_sha256 else None
