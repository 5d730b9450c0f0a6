"""What publishing to S3 costs beside other programs, in the same run.

    .venv/bin/python benchmarks/upload.py [--rounds 5] [--endpoint URL]

Two servers: a sink of our own that drains what it is sent, so that a client's own CPU and memory are what is seen;
and a real one, for wall time: Ceph, started from where ``tests/integration/s3/setup`` put it, or `--endpoint` with
credentials in the environment. The files are 20 wheels of 10 MB (five versions of four packages), and one of 500 MB;
where there is nothing to do, they lie in a store of 20,000 wheels as well. The programs take turns in any order; what
is printed are medians, and each program's as a multiple of ours, for ratios matter and not the figures.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import pickle
import random
import resource
import shutil
import socket
import sys
import tempfile
import time
import uuid
import zipfile
from contextlib import ExitStack
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qs, unquote

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.integration.s3 import ceph
from tests.publish.sites import candidate
from tests.serving import held_port
from tests.wheels import files_of, pack
from workbench.environment import Environment
from workbench.process import run

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

PEERS = ("awscli>=1.40", "s3pypi>=2.0", "boto3")
"""The programs compared with, from the package index into an environment of their own."""

KEYS: dict[str, str | None] = {
    # programs are compiled once, as they are for those who use them, and not for each round
    "PYTHONDONTWRITEBYTECODE": None,
    "AWS_ACCESS_KEY_ID": ceph.ACCESS_KEY,
    "AWS_SECRET_ACCESS_KEY": ceph.SECRET_KEY,
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}

OURS = """
import pickle, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from workbench.publish.transaction import publish
from workbench.paths import Paths
from workbench.settings import read_settings
from workbench.store.opening import open_site
paths = Paths(Path(sys.argv[2]))
publish(open_site(paths, read_settings(paths)), pickle.loads(Path(sys.argv[3]).read_bytes()))
"""

GROW = """
import sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from workbench.publish.drawing import draw_pages
from workbench.publish.amend import current
from workbench.registry.file import dumps
from workbench.paths import Paths
from workbench.settings import read_settings
from workbench.store.opening import open_site
paths = Paths(Path(sys.argv[2]))
site = open_site(paths, read_settings(paths))
store = site.store
registry = current(store)
package = registry.packages["a"]
for project in range(200):
    name = f"project-{project}"
    files = [f"{name.replace('-', '_')}-1.{number}-py3-none-any.whl" for number in range(100)]
    wheels = [replace(package.wheels[0], filename=each, url=f"files/{name}/{each}") for each in files]
    registry = registry.with_package(name, replace(package, wheels=tuple(wheels)))
store.replace("packages.json", dumps(registry).encode(), expected=store.read("packages.json").version)
draw_pages(site)
"""

BOTO3 = """
import sys, boto3
from pathlib import Path
client = boto3.client("s3", endpoint_url=sys.argv[1])
for path in sorted(Path(sys.argv[3]).glob("*.whl")):
    client.upload_file(str(path), sys.argv[2], f"files/{path.name}")
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What a whole process took: CPU seconds (user and system), wall seconds, peak memory in MB."""

    cpu: float
    wall: float
    peak: float


def measure(argv: Sequence[str | Path], environment: Mapping[str, str | None]) -> Cost:
    """Run a program in a process whose children are only its own, and return what it took."""
    here, there = get_context("spawn").Pipe()
    worker = get_context("spawn").Process(
        target=_measured, args=(there, [str(word) for word in argv], environment)
    )
    worker.start()
    cost = here.recv()
    worker.join()
    if isinstance(cost, str):
        raise SystemExit(cost)
    assert isinstance(cost, Cost)
    return cost


def _measured(pipe: Any, argv: list[str], environment: Mapping[str, str | None]) -> None:  # noqa: ANN401 - a Connection
    start = time.perf_counter()
    done = run(argv, env=environment, check=False)
    wall = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.status:
        pipe.send(f"{' '.join(argv)[:200]} failed:\n{done.tail}")
        return
    pipe.send(Cost(cpu=used.ru_utime + used.ru_stime, wall=wall, peak=used.ru_maxrss / 1000))


class Sink(BaseHTTPRequestHandler):
    """Drains large uploads, keeps small ones, and lists both; honours the conditions that a store is tried with."""

    protocol_version = "HTTP/1.1"
    buffer = bytearray(1 << 20)

    def do_PUT(self) -> None:
        """Drain a file or a part, keep what is small."""
        left = size = int(self.headers["Content-Length"])
        content = b""
        if size < SMALL:
            content = self.rfile.read(size)
            left = 0
        while left > 0 and (got := self.connection.recv_into(self.buffer, min(left, len(self.buffer)))):
            left -= got
        conditional = {"if-none-match", "if-match"} & {key.lower() for key in self.headers}
        if "/.probe/" in self.path and conditional:
            self.answer(412)
        elif "partNumber" in self.path:
            self.answer(200)
        else:
            OBJECTS[unquote(self.path)] = kept = Kept(size=size, content=content)
            self.answer(200, etag=kept.etag)

    def do_POST(self) -> None:
        """Begin or end an upload in parts."""
        self.connection.recv(int(self.headers.get("Content-Length") or 0))
        if "uploads" in self.path:
            self.answer(
                200, b"<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
            )
        elif "/.probe/" in self.path:
            self.answer(412)
        else:
            OBJECTS[unquote(self.path.partition("?")[0])] = Kept(size=LARGE, content=b"")
            self.answer(
                200, b'<CompleteMultipartUploadResult><ETag>"e"</ETag></CompleteMultipartUploadResult>'
            )

    def do_GET(self) -> None:
        """Answer with what was kept, or list it."""
        address, _, query = self.path.partition("?")
        wanted = parse_qs(query)
        if "list-type" in wanted:
            prefix, after = (wanted.get(key, [""])[0] for key in ("prefix", "start-after"))
            bucket = f"{address.rstrip('/')}/"
            listed = (
                f"<Contents><Key>{path.removeprefix(bucket)}</Key><Size>{kept.size}</Size><ETag>{kept.etag}</ETag>"
                "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
                for path, kept in sorted(OBJECTS.items())
                if path.startswith(bucket + prefix) and path > bucket + after
            )
            text = f"<ListBucketResult><IsTruncated>false</IsTruncated>{''.join(listed)}</ListBucketResult>"
            self.answer(200, text.encode())
        elif (kept := OBJECTS.get(unquote(address))) is None:
            self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")
        elif self.headers.get("If-None-Match") == kept.etag:
            self.answer(304, etag=kept.etag)
        else:
            self.answer(200, kept.content, etag=kept.etag)

    def do_HEAD(self) -> None:
        """Answer with the size of what was put there."""
        kept = OBJECTS.get(unquote(self.path))
        self.answer(404) if kept is None else self.answer(200, size=kept.size, etag=kept.etag)

    def do_DELETE(self) -> None:
        """Forget it."""
        OBJECTS.pop(unquote(self.path.partition("?")[0]), None)
        self.answer(204)

    def answer(
        self, status: int, content: bytes = b"", *, size: int | None = None, etag: str = '"e"'
    ) -> None:
        """Send an answer with its length."""
        self.send_response_only(status)
        self.send_header("ETag", etag)
        self.send_header("Content-Length", str(len(content) if size is None else size))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


class Kept(NamedTuple):
    """An object: its size, and its bytes where they are small enough to be a registry or a page."""

    size: int
    content: bytes

    @property
    def etag(self) -> str:
        """The ETag, an MD5."""
        return f'"{hashlib.md5(self.content, usedforsecurity=False).hexdigest()}"'


SMALL = 1_000_000
OBJECTS: dict[str, Kept] = {}
LARGE = 0


def _serve(port: int, large: int) -> None:
    global LARGE  # noqa: PLW0603 - of the sink's own process
    LARGE = large
    # what a request's line and headers are read with must not swallow its body
    Sink.rbufsize = 0
    ThreadingHTTPServer(("127.0.0.1", port), Sink).serve_forever()


def make_wheels(folder: Path, *, count: int, size: int) -> None:
    """Write wheels of noise, and beside their folder what their verification would hand to publishing."""
    folder.mkdir()
    candidates = []
    for number in range(count):
        letter, version = "abcd"[number % 4], f"1.{number // 4}"
        files = files_of(name=letter, version=version, payload={f"{letter}.bin": os.urandom(size)})
        pack(folder / f"{letter}-{version}-py3-none-any.whl", files, method=zipfile.ZIP_STORED)
        candidates.append(candidate(folder, letter, version))
    folder.with_suffix(".pickle").write_bytes(pickle.dumps(candidates))


def main() -> None:
    """Measure, and print a table for each set of files."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--rounds", type=int, default=5)
    arguments.add_argument("--endpoint")
    chosen = arguments.parse_args()
    with ExitStack() as stack:
        work = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="workbench-upload-")))
        peers = Environment.create(work / "peers", python=sys.executable)
        peers.install(PEERS)
        sets = {"20 wheels of 10 MB": work / "many", "one wheel of 500 MB": work / "large"}
        make_wheels(sets["20 wheels of 10 MB"], count=20, size=10_000_000)
        make_wheels(sets["one wheel of 500 MB"], count=1, size=500_000_000)
        (large,) = sets["one wheel of 500 MB"].glob("*.whl")
        port = stack.enter_context(held_port())
        sink = get_context("spawn").Process(target=_serve, args=(port, large.stat().st_size), daemon=True)
        sink.start()
        stack.callback(sink.terminate)
        ceph.wait(lambda: socket.socket().connect_ex(("127.0.0.1", port)) == 0, "the sink")
        real = chosen.endpoint
        root = ceph.installed()
        if real is None and root is not None:
            data = Path(tempfile.mkdtemp(prefix="workbench-ceph-"))
            server = ceph.start(root, data)
            stack.callback(shutil.rmtree, data)
            stack.callback(ceph.end, server.pids)
            real = server.url
        if real is not None:
            # a fresh server has its pools to make
            _round(real, sets["20 wheels of 10 MB"], peers, is_real=True)
        for title, folder in sets.items():
            rounds = (_round(f"http://127.0.0.1:{port}", folder, peers) for _ in range(chosen.rounds))
            show(f"{title}, into a sink", rounds)
            if real is not None:
                rounds = (_round(real, folder, peers, is_real=True) for _ in range(chosen.rounds))
                show(f"{title}, into a real server", rounds)
        if real is not None:
            again = _nothing_to_do(real, sets["20 wheels of 10 MB"], peers, rounds=chosen.rounds)
            show("nothing to do, in a store of 20,000 wheels", again)


def show(title: str, rounds: Iterable[Sequence[tuple[str, Cost]]]) -> None:
    """Print what each program took, the medians of some rounds, and how it compares with the first, ours."""
    costs: dict[str, list[Cost]] = {}
    for each in rounds:
        for name, cost in each:
            costs.setdefault(name, []).append(cost)
    print(f"\n{title}, medians of {len(next(iter(costs.values())))}")
    print(f"{'':28}{'CPU s':>8}{'':>7}{'wall s':>8}{'':>7}{'MB':>6}")
    ours = None
    for name, found in costs.items():
        cpu, wall, peak = (median(getattr(cost, key) for cost in found) for key in ("cpu", "wall", "peak"))
        ours = ours or (cpu, wall)
        ratios = (f"×{cpu / ours[0]:.2f}", f"×{wall / ours[1]:.2f}")
        print(f"{name:28}{cpu:8.2f}{ratios[0]:>7}{wall:8.2f}{ratios[1]:>7}{peak:6.0f}", flush=True)


def _round(
    endpoint: str, folder: Path, peers: Environment, *, is_real: bool = False
) -> list[tuple[str, Cost]]:
    """Let each program upload a folder's files into a fresh bucket, and ours and ``aws s3 sync`` do so again."""
    keys = {**KEYS, "AWS_ENDPOINT_URL": endpoint}
    bucket = f"bench-{uuid.uuid4().hex}"
    programs = peers.path / "bin"
    if is_real:
        run([programs / "aws", "s3", "mb", f"s3://{bucket}"], env=keys)
    site = _site(folder.parent, bucket, endpoint)
    to = f"s3://{bucket}/copied/"
    wheels = sorted(folder.glob("*.whl"))
    s3pypi: list[str | Path] = [
        programs / "s3pypi",
        "upload",
        *wheels,
        "--bucket",
        bucket,
        "--prefix",
        "s3pypi",
    ]
    argv: dict[str, list[str | Path]] = {
        "workbench": _ours(site, folder),
        "aws s3 cp --recursive": [programs / "aws", "s3", "cp", "--quiet", "--recursive", folder, to],
        "boto3 upload_file": [peers.python, "-c", BOTO3, endpoint, bucket, folder],
        "s3pypi": [*s3pypi, "--s3-endpoint-url", endpoint],
    }
    order = random.sample(sorted(argv), len(argv))
    if is_real:
        order += ["workbench, nothing to do", "aws s3 sync, nothing to do"]
        argv["workbench, nothing to do"] = _ours(site, folder)
        argv["aws s3 sync, nothing to do"] = [programs / "aws", "s3", "sync", "--quiet", folder, to]
    costs = {name: measure(argv[name], keys) for name in order}
    shutil.rmtree(site)
    if is_real:
        run([programs / "aws", "s3", "rb", "--force", f"s3://{bucket}"], env=keys)
    return [(name, costs[name]) for name in argv]


def _nothing_to_do(
    endpoint: str, folder: Path, peers: Environment, *, rounds: int
) -> Iterator[list[tuple[str, Cost]]]:
    """Publish into a store whose registry has 20,000 wheels more, and measure what nothing to do takes there.

    ``aws s3 sync`` gets the folder's files at its destination and no others, for it would list them all.
    """
    keys = {**KEYS, "AWS_ENDPOINT_URL": endpoint}
    bucket = f"bench-{uuid.uuid4().hex}"
    aws = peers.path / "bin/aws"
    run([aws, "s3", "mb", f"s3://{bucket}"], env=keys)
    site = _site(folder.parent, bucket, endpoint)
    measure(_ours(site, folder), keys)
    measure([sys.executable, "-c", GROW, Path(__file__).resolve().parent.parent, site], keys)
    to = f"s3://{bucket}/copied/"
    measure([aws, "s3", "cp", "--quiet", "--recursive", folder, to], keys)
    sync: list[str | Path] = [aws, "s3", "sync", "--quiet", folder, to]
    for _ in range(rounds):
        yield [("workbench", measure(_ours(site, folder), keys)), ("aws s3 sync", measure(sync, keys))]
    shutil.rmtree(site)


def _site(work: Path, bucket: str, endpoint: str) -> Path:
    site = work / f"site-{bucket}"
    site.mkdir()
    (site / "workbench.yaml").write_text(
        f"store: {{s3: {{bucket: {bucket}, prefix: ours, endpoint: '{endpoint}'}}}}\n"
    )
    return site


def _ours(site: Path, folder: Path) -> list[str | Path]:
    checkout = Path(__file__).resolve().parent.parent
    return [sys.executable, "-c", OURS, checkout, site, folder.with_suffix(".pickle")]


if __name__ == "__main__":
    main()
