"""Indexes that other programs make: dumb-pypi's pages, and pypiserver."""

from __future__ import annotations

import functools
import http.server
import json
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tests.index.hosts import FILENAME, SHA256, WHEEL
from tests.serving import serving
from workbench.consume.host import Host
from workbench.consume.listings import Offers, offers
from workbench.consume.sources import WheelSource

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workbench.consume.cache import Cache

OTHER = "other_thing-2.0+cu130torch2.11-py3-none-any.whl"


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


PYPISERVER = """
import sys, wsgiref.simple_server, pypiserver
app = pypiserver.app(roots=[sys.argv[1]], disable_fallback=True)
server = wsgiref.simple_server.make_server("127.0.0.1", 0, app)
print(server.server_port, flush=True)
server.serve_forever()
"""


@contextmanager
def pypiserver(folder: Path) -> Iterator[str]:
    """Run it in a process of its own, for it changes how Python imports."""
    command = [sys.executable, "-c", PYPISERVER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}/simple/"
        finally:
            process.terminate()


def looked_up(project: str, root: str, cache: Cache) -> Offers:
    found = offers(project, [WheelSource(name="theirs", kind="index", url=root)], Host(), cache=cache)
    assert found.troubles == ()
    return found


def test_dumb_pypi(tmp_path: Path, cache: Cache) -> None:
    packages = tmp_path / "packages.json"
    known = {
        "filename": FILENAME,
        "hash": f"sha256={SHA256}",
        "requires_python": ">=3.9",
        "upload_timestamp": 1,
    }
    packages.write_text(f"{json.dumps(known)}\n{json.dumps({'filename': OTHER, 'yanked_reason': 'bad'})}\n")
    site = tmp_path / "site"
    words = ["--package-list-json", str(packages), "--output-dir", str(site), "--packages-url", "../../files"]
    subprocess.run([sys.executable, "-m", "dumb_pypi.main", *words], check=True)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=str(site)))
    with serving(server):
        root = f"http://127.0.0.1:{server.server_port}/simple/"
        (wheel,) = looked_up("demo", root, cache).wheels
        assert wheel.url == root.replace("simple/", f"files/{FILENAME}")
        assert (wheel.sha256, wheel.requires_python) == (SHA256, ">=3.9")
        (other,) = looked_up("other.thing", root, cache).wheels
        assert (other.filename, other.sha256, other.yanked) == (OTHER, None, "bad")
        assert looked_up("nothing", root, cache).wheels == ()


def test_pypiserver(tmp_path: Path, cache: Cache) -> None:
    (tmp_path / FILENAME).write_bytes(WHEEL)
    (tmp_path / OTHER).write_bytes(WHEEL)
    with pypiserver(tmp_path) as root:
        (wheel,) = looked_up("demo", root, cache).wheels
        assert wheel.url == root.replace("simple/", f"packages/{FILENAME}")
        assert wheel.sha256 == SHA256
        (other,) = looked_up("other-thing", root, cache).wheels
        assert other.filename == OTHER
        assert looked_up("nothing", root, cache).wheels == ()
