"""What publishing to S3 costs beside other programs, in the same run.

    .venv/bin/python benchmarks/upload.py [--rounds 3] [--endpoint URL]

Two servers: a sink of our own that drains what it is sent, so that a client's own CPU and memory are what is seen;
and a real one, for wall time: Ceph, started from where ``tests/integration/s3/setup`` put it, or `--endpoint` with
credentials in the environment. The files are 20 wheels of 10 MB (five versions of four packages), and one of 500 MB.
Ratios matter, not the figures.
"""

from __future__ import annotations

import argparse
import os
import pickle
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
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.integration.s3 import ceph
from tests.publish.sites import candidate
from tests.verify.wheels import files_of, pack
from workbench.environment import Environment
from workbench.process import run

if TYPE_CHECKING:
    from collections.abc import Sequence

PEERS = ("awscli>=1.40", "s3pypi>=2.0", "boto3")
"""The programs compared with, from the package index into an environment of their own."""

KEYS = {
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
from workbench.site import Site
from workbench.store.opening import open_store
site = Site(Path(sys.argv[2]))
publish(site, open_store(site), pickle.loads(Path(sys.argv[3]).read_bytes()))
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


def measure(argv: Sequence[str | Path], environment: dict[str, str]) -> Cost:
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


def _measured(pipe: Any, argv: list[str], environment: dict[str, str]) -> None:  # noqa: ANN401 - a Connection
    start = time.perf_counter()
    done = run(argv, env=environment, check=False)
    wall = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.status:
        pipe.send(f"{' '.join(argv)[:200]} failed:\n{done.tail}")
        return
    pipe.send(Cost(cpu=used.ru_utime + used.ru_stime, wall=wall, peak=used.ru_maxrss / 1000))


class Sink(BaseHTTPRequestHandler):
    """Drains large uploads and keeps small ones. Lists nothing, whatever is there."""

    protocol_version = "HTTP/1.1"
    buffer = bytearray(1 << 20)

    def do_PUT(self) -> None:
        """Drain a file or a part, and remember its size."""
        left = size = int(self.headers["Content-Length"])
        if size < SMALL:
            KEPT[self.path] = self.rfile.read(size)
            left = 0
        while left > 0 and (got := self.connection.recv_into(self.buffer, min(left, len(self.buffer)))):
            left -= got
        conditional = {"if-none-match", "if-match"} & {key.lower() for key in self.headers}
        # the probe expects a refusal; the kept sizes answer the look after each write
        refused = "/.probe/" in self.path and conditional
        if "partNumber" not in self.path and not refused:
            SIZES[self.path] = size
        self.answer(412 if refused else 200)

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
            SIZES[self.path.partition("?")[0]] = LARGE
            self.answer(
                200, b'<CompleteMultipartUploadResult><ETag>"e"</ETag></CompleteMultipartUploadResult>'
            )

    def do_GET(self) -> None:
        """Answer with what was kept; listings are empty."""
        if "list-type" in self.path:
            self.answer(200, b"<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")
        elif "uploads" in self.path:
            self.answer(200, b"<ListMultipartUploadsResult></ListMultipartUploadsResult>")
        elif self.path in KEPT:
            self.answer(200, KEPT[self.path])
        else:
            self.answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    def do_HEAD(self) -> None:
        """Answer with the size of what was put there."""
        size = SIZES.get(self.path)
        self.answer(404 if size is None else 200, size=size)

    def do_DELETE(self) -> None:
        """Agree."""
        self.answer(204)

    def answer(self, status: int, content: bytes = b"", *, size: int | None = None) -> None:
        """Send an answer with its length."""
        self.send_response_only(status)
        self.send_header("ETag", '"e"')
        self.send_header("Content-Length", str(len(content) if size is None else size))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


SMALL = 1_000_000
KEPT: dict[str, bytes] = {}
"""What is small enough to be a registry or a page is kept, so that clients who read what they wrote go on."""

SIZES: dict[str, int] = {}
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
    arguments.add_argument("--rounds", type=int, default=3)
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
        port = ceph.free_port()
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
        for title, folder in sets.items():
            compare(f"{title}, into a sink", f"http://127.0.0.1:{port}", folder, peers, rounds=chosen.rounds)
            if real is not None:
                compare(f"{title}, into a real server", real, folder, peers, rounds=chosen.rounds, again=True)


def compare(
    title: str, endpoint: str, folder: Path, peers: Environment, *, rounds: int, again: bool = False
) -> None:
    """Print what each program takes, the best of some rounds, and beside ours."""
    keys = {**KEYS, "AWS_ENDPOINT_URL": endpoint}
    best: dict[str, Cost] = {}
    for _ in range(rounds):
        for name, cost in _round(endpoint, folder, peers, keys, again=again):
            known = best.get(name)
            best[name] = cost if known is None or cost.cpu < known.cpu else known
            if known is not None and known.wall < cost.wall:
                best[name] = Cost(cpu=best[name].cpu, wall=known.wall, peak=best[name].peak)
    print(f"\n{title}\n{'':28}{'CPU s':>8}{'wall s':>8}{'MB':>6}")
    for name, cost in best.items():
        print(f"{name:28}{cost.cpu:8.2f}{cost.wall:8.2f}{cost.peak:6.0f}")


def _round(
    endpoint: str, folder: Path, peers: Environment, keys: dict[str, str], *, again: bool
) -> list[tuple[str, Cost]]:
    bucket = f"bench-{uuid.uuid4().hex}"
    programs = peers.path / "bin"
    if again:
        run([programs / "aws", "s3", "mb", f"s3://{bucket}"], env=keys)
    site = folder.parent / f"site-{bucket}"
    site.mkdir()
    (site / "workbench.yaml").write_text(
        f"store: {{s3: {{bucket: {bucket}, prefix: ours, endpoint: '{endpoint}'}}}}\n"
    )
    checkout = Path(__file__).resolve().parent.parent
    ours: list[str | Path] = [sys.executable, "-c", OURS, checkout, site, folder.with_suffix(".pickle")]
    wheels = sorted(folder.glob("*.whl"))
    copy: list[str | Path] = [
        programs / "aws",
        "s3",
        "cp",
        "--quiet",
        "--recursive",
        folder,
        f"s3://{bucket}/copied/",
    ]
    sync: list[str | Path] = [programs / "aws", "s3", "sync", "--quiet", folder, f"s3://{bucket}/copied/"]
    boto3: list[str | Path] = [peers.python, "-c", BOTO3, endpoint, bucket, folder]
    s3pypi: list[str | Path] = [
        programs / "s3pypi",
        "upload",
        *wheels,
        "--bucket",
        bucket,
        "--prefix",
        "s3pypi",
    ]
    s3pypi += ["--s3-endpoint-url", endpoint]
    found = [
        ("workbench", measure(ours, keys)),
        ("aws s3 cp --recursive", measure(copy, keys)),
        ("boto3 upload_file", measure(boto3, keys)),
        ("s3pypi", measure(s3pypi, keys)),
    ]
    if again:
        found += [
            ("workbench, nothing to do", measure(ours, keys)),
            ("aws s3 sync, nothing to do", measure(sync, keys)),
        ]
    shutil.rmtree(site)
    return found


if __name__ == "__main__":
    main()
