"""A folder of wheels on this machine as a source."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from workbench.consume.cache import KeptFile
from workbench.consume.listings import Told
from workbench.consume.rows import Reduced

if TYPE_CHECKING:
    from workbench.consume.sources import Place


def wheels_in(place: Place, project: str) -> Told:
    """Return what a folder has of a package; its subfolders are not looked into."""
    folder = Path(unquote(urlsplit(place.url).path))
    reduced = Reduced()
    try:
        names = {path.name: path for path in sorted(folder.iterdir()) if path.is_file()}
        for name, path in names.items():
            stat = path.stat()
            reduced.add(
                KeptFile(
                    name,
                    path.as_uri(),
                    size=stat.st_size,
                    updated=datetime.fromtimestamp(int(stat.st_mtime), UTC)
                    .isoformat()
                    .replace("+00:00", "Z"),
                    metadata_sha256="" if f"{name}.metadata" in names else None,
                ),
                local=True,
            )
    except OSError as error:
        what = f"the folder could not be read: {error.strerror or error}"
        return Told(place=place, failed=what)
    return Told(place=place, rows=tuple(reduced.projects.get(project, ())), left_out=reduced.left_out)
