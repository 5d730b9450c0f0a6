"""Wheels on a loopback server, and an index of plain ones: what locks are made of."""

from __future__ import annotations

import functools
import hashlib
import http.server
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import quote

from tests.wheels import files_of, packed
from workbench.consume.host import Host
from workbench.consume.lock import Pinned
from workbench.consume.offer import OfferedWheel

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

HOST = Host(python="3.11", arch="x86_64", glibc="2.36", torch="", compute="cu130")


class _Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        super().do_GET()


@dataclass
class Files:
    """A folder that is served at `url`: wheels in ``files/``, an index of plain packages in ``simple/``."""

    folder: Path
    url: str
    asked: list[str] = field(default_factory=list)

    @property
    def index(self) -> str:
        """The index of the packages that `add` was told of."""
        return f"{self.url}/simple/"

    def add(
        self,
        name: str,
        version: str,
        *,
        requires: Sequence[str] = (),
        tag: str = "py3-none-any",
        listed: bool = True,
    ) -> OfferedWheel:
        """Serve a wheel, and list it in the index unless it is one of a source of its own."""
        data = packed(files_of(name=name, version=version, tag=tag, requires=requires))
        filename = f"{name.replace('-', '_')}-{version}-{tag}.whl"
        (self.folder / "files").mkdir(exist_ok=True)
        (self.folder / "files" / filename).write_bytes(data)
        sha256, url = hashlib.sha256(data).hexdigest(), f"{self.url}/files/{quote(filename)}"
        if listed:
            page = self.folder / "simple" / name / "index.html"
            page.parent.mkdir(parents=True, exist_ok=True)
            with page.open("a") as file:
                file.write(f'<a href="{url}#sha256={sha256}">{filename}</a>\n')
        return OfferedWheel(filename=filename, url=url, source="own", sha256=sha256, size=len(data))

    def pinned(
        self, name: str, version: str, *, requires: Sequence[str] = (), tag: str = "py3-none-any"
    ) -> Pinned:
        """Serve a wheel that no index lists, and return it as one that was chosen."""
        offer = self.add(name, version, requires=requires, tag=tag, listed=False)
        files = files_of(name=name, version=version, tag=tag, requires=requires)
        metadata = next(content for path, content in files.items() if path.endswith("/METADATA"))
        return Pinned(name=name, version=version, offer=offer, metadata=metadata)


@contextmanager
def serving(folder: Path) -> Iterator[Files]:
    """Serve a folder on loopback."""
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(_Handler, directory=str(folder))
    )
    files = Files(folder, f"http://127.0.0.1:{server.server_port}")
    server.asked = files.asked  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield files
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
