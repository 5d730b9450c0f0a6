"""A wheel of the site's own store, back in ``wheels/`` with what is known of it, to be sent to outlets too."""

from __future__ import annotations

import hashlib
import shutil
from typing import TYPE_CHECKING, Any

from workbench.errors import FilenameTaken, StoreError, UsageError
from workbench.events import step
from workbench.evidence import notes
from workbench.files import scratch, sha256_of, write_whole
from workbench.publish.wheel_files import is_ours

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.paths import Paths
    from workbench.registry.model import PublishedWheel
    from workbench.store.protocol import Store


def published_copy(wheel: PublishedWheel, paths: Paths, store: Store) -> Path:
    """Return the file of a published wheel: the one in ``wheels/``, or a copy from the store, whose hash is checked.

    Raises FilenameTaken where other bytes lie there, StoreError, and UsageError for a wheel that lies elsewhere.
    """
    path = paths.wheels / wheel.filename
    if path.exists():
        if sha256_of(path) != wheel.sha256:
            raise FilenameTaken(f"{path} is not the wheel that is published under this name: move it away")
        return path
    if not is_ours(wheel):
        raise UsageError(
            f"{wheel.filename} lies at {wheel.url}, not in {store.place}: download it into {paths.wheels}"
        )
    with (
        step(f"get {wheel.filename} from {store.place}", total=wheel.size) as moved,
        scratch(paths.wheels, ".copy.") as folder,
    ):
        digest = hashlib.sha256()
        part = folder / wheel.filename
        with store.open(wheel.url) as source, part.open("wb") as target:
            shutil.copyfileobj(source, _Counted(target, digest, moved), 1 << 20)
        if digest.hexdigest() != wheel.sha256:
            raise StoreError(f"{store.place}/{wheel.url} is damaged: its sha256 is not {wheel.sha256}")
        part.rename(path)
    if wheel.build is not None:
        notes.keep(path, build_key=wheel.build_key, gpu=(), facts=wheel.build)
        if wheel.build.statement and (stated := store.read(wheel.build.statement)):
            write_whole(notes.statement_path(path), stated.content)
    return path


class _Counted:
    """A file that is written, hashed and told of at once."""

    def __init__(self, *sinks: Any) -> None:  # noqa: ANN401 - a file, a hash, a listener
        self._file, self._digest, self._moved = sinks

    def write(self, data: bytes) -> int:
        """Write a piece."""
        self._digest.update(data)
        self._moved(len(data))
        written: int = self._file.write(data)
        return written
