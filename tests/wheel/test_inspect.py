from __future__ import annotations

import json
import os
import re
import subprocess
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.libraries import ELF, PTX, F, container, dummy, entry, library
from tests.serving import held_port
from tests.serving import serving as running
from tests.wheels import ARCH, files_of, pack, wheel
from workbench.errors import SourceError, UsageError
from workbench.process import run
from workbench.wheel.inspect import inspect, library_rows, summary

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.needs("gcc")

TAG = f"py3-none-linux_{ARCH}"
LIBRARY = "demo/lib.so"
CODE = {".nv_fatbin": container(entry(ELF, 121), entry(ELF, 120, F), entry(PTX, 120))}


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    """A wheel with a library that has GPU code and is linked to torch, beside a large file that is not a binary."""
    torch = dummy(tmp_path / "torch", "libc10.so")
    call = (
        f"void {torch.function}(void); int rand(void); int go(void) {{ {torch.function}(); return rand(); }}"
    )
    path = library(tmp_path / "lib.so", CODE, f"-L{torch.folder}", "-l:libc10.so", code=call)
    files = {"demo/weights.bin": os.urandom(6 << 20), LIBRARY: path.read_bytes()}
    return wheel(tmp_path, files, requires=["torch==2.13.*", 'rich; extra == "x"'], tag=TAG)


class Server(BaseHTTPRequestHandler):
    """Serves files with byte ranges, as object stores do; a test may switch that off, or change the file."""

    ranges = True
    suffixes = True
    short = 0
    etag = '"1"'
    sent = 0
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        path = Path(self.server.root, self.path.lstrip("/"))  # type: ignore[attr-defined]  # set by `serving`
        if not path.is_file():
            self.send_error(404)
            return
        data = path.read_bytes()
        asked = re.fullmatch(r"bytes=(\d*)-(\d*)", self.headers.get("Range", ""))
        start, end = 0, len(data)
        if asked and self.ranges and not (asked[1] or self.suffixes):
            self.send_error(416)
            return
        if asked and self.ranges:
            start = int(asked[1]) if asked[1] else max(0, len(data) - int(asked[2]))
            end = int(asked[2]) + 1 if asked[1] and asked[2] else len(data)
            self.send_response(206)
            lies = self.short
            self.send_header("Content-Range", f"bytes {start - lies}-{end - 1 - lies}/{len(data) - lies}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(end - start))
        self.send_header("ETag", self.etag)
        self.end_headers()
        if self.command == "GET":
            self.sent_some(data[start:end])

    do_HEAD = do_GET  # noqa: N815 - the base class's name

    def sent_some(self, data: bytes) -> None:
        try:
            for at in range(0, len(data), 1 << 16):
                self.wfile.write(data[at : at + (1 << 16)])
        except OSError:
            self.close_connection = True  # the reader has seen enough

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def serving(folder: Path, **settings: object) -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Server", (Server,), settings))
    server.root = folder  # type: ignore[attr-defined]
    server.daemon_threads = True
    with running(server):
        yield f"http://127.0.0.1:{server.server_port}"


def test_a_wheel_on_disk_tells_all_that_is_asked(demo: Path) -> None:
    found = inspect(str(demo))
    plain = json.loads(json.dumps(found.as_dict()))
    assert (plain["name"], plain["version"], plain["tags"]) == ("demo", "1.0", [TAG])
    assert plain["gpu_architectures"] == ["sm_120f", "sm_121", "compute_120"]
    assert plain["torch"] == {"requires": "torch==2.13.*", "linked_to": ["libc10.so"]}
    assert "libc.so.6" in plain["needed"]
    assert re.fullmatch(r"2\.\d+(\.\d+)?", plain["floors"]["GLIBC"])
    (each,) = plain["libraries"]
    assert (each["path"], each["machine"]) == (LIBRARY, ARCH)
    assert each["gpu_code"]["linked"] == {"sm_120f": 1, "sm_121": 1, "compute_120": 1}
    assert plain["fetched"] is None
    assert found.size == demo.stat().st_size


def test_of_a_wheel_on_a_server_only_what_is_needed_is_fetched(demo: Path) -> None:
    with serving(demo.parent) as url:
        found = inspect(f"{url}/{demo.name}")
    assert found.fetched is not None
    assert found.fetched < 1 << 20 < found.size
    there, here = found.as_dict(), inspect(str(demo)).as_dict()
    for key in ("where", "fetched"):
        del there[key], here[key]
    assert there == here


def test_a_server_without_ranges_is_read_as_a_whole(demo: Path) -> None:
    with serving(demo.parent, ranges=False) as url:
        found = inspect(f"{url}/{demo.name}")
    assert found.gpu_architectures == ("sm_120f", "sm_121", "compute_120")
    assert found.fetched is None


def test_a_server_that_knows_no_suffix_of_a_file_is_asked_by_its_length(demo: Path) -> None:
    with serving(demo.parent, suffixes=False) as url:
        found = inspect(f"{url}/{demo.name}")
    assert found.fetched is not None
    assert found.fetched < 1 << 20 < found.size


def test_a_server_that_says_too_short_a_length_is_not_believed(demo: Path) -> None:
    with serving(demo.parent, short=1000) as url, pytest.raises(SourceError, match=r"bytes, which is wrong$"):
        inspect(f"{url}/{demo.name}")


def test_what_the_network_does_is_one_message(demo: Path) -> None:
    with (
        serving(demo.parent) as url,
        pytest.raises(SourceError, match=r"other-1\.0-py3-none-any\.whl: the server says 404 Not Found$"),
    ):
        inspect(f"{url}/other-1.0-py3-none-any.whl")
    with held_port() as port, pytest.raises(SourceError, match=r"try again"):
        inspect(f"http://127.0.0.1:{port}/{demo.name}")


def test_a_password_in_a_url_is_not_shown(demo: Path) -> None:
    with serving(demo.parent) as url:
        secret = url.replace("http://", "http://user:secret@")
        found = inspect(f"{secret}/{demo.name}")
        assert "secret" not in found.where
        with pytest.raises(SourceError) as caught:
            inspect(f"{secret}/other-1.0-py3-none-any.whl")
    assert "secret" not in str(caught.value)


def test_a_large_directory_and_a_library_far_from_it(tmp_path: Path) -> None:
    """The end that is fetched first does not hold it all."""
    many = {f"demo/data/{number:05}_{'x' * 60}.txt": b"" for number in range(4000)}
    lib = library(tmp_path / "lib.so", CODE).read_bytes()
    path = wheel(tmp_path, {LIBRARY: lib, "demo/weights.bin": os.urandom(3 << 20), **many}, tag=TAG)
    with serving(tmp_path) as url:
        found = inspect(f"{url}/{path.name}")
    assert found.gpu_architectures == ("sm_120f", "sm_121", "compute_120")
    assert found.fetched is not None
    assert found.fetched < 3 << 20


@pytest.mark.needs("g++")
@pytest.mark.parametrize(
    ("parameter", "new", "abi"),
    [("std::string const &", 1, "cxx11"), ("std::string const &", 0, "pre-cxx11"), ("int", 1, None)],
)
def test_the_cxx_abi_is_told_by_the_symbols(
    tmp_path: Path, parameter: str, new: int, abi: str | None
) -> None:
    source, built = tmp_path / "take.cpp", tmp_path / "take.so"
    source.write_text(f"#include <string>\nvoid take({parameter}) {{}}\n")
    subprocess.run(
        ["g++", "-shared", "-fPIC", f"-D_GLIBCXX_USE_CXX11_ABI={new}", "-o", built, source], check=True
    )
    (found,) = inspect(str(wheel(tmp_path, {LIBRARY: built.read_bytes()}, tag=TAG))).libraries
    assert found.cxx_abi == abi


def test_people_see_the_largest_library_first(demo: Path, tmp_path: Path) -> None:
    facts = dict(summary(inspect(str(demo))))
    assert facts["GPU code"] == "sm_120f, sm_121, compute_120"
    assert facts["torch"] == "torch==2.13.*; linked to libc10.so"
    small = library(tmp_path / "small.so", {"__nv_relfatbin": container(entry(ELF, 90))}).read_bytes()
    big = library(
        tmp_path / "big.so", {".kernels": container(entry(ELF, 100)), ".pad": bytes(1 << 16)}
    ).read_bytes()
    folder = tmp_path / "two"
    folder.mkdir()
    columns, rows = library_rows(inspect(str(wheel(folder, {"a/small.so": small, "a/big.so": big}, tag=TAG))))
    assert columns[:3] == ("library", "size", "GPU code")
    assert [row[0] for row in rows] == ["a/big.so", "a/small.so"]
    assert [row[2] for row in rows] == ["loaded by itself: sm_100", "not linked: sm_90"]


def test_gpu_code_that_cannot_be_read_is_told_with_the_library(tmp_path: Path) -> None:
    lib = library(tmp_path / "lib.so", {".nv_fatbin": container(entry(ELF, 121), version=9)}).read_bytes()
    (each,) = inspect(str(wheel(tmp_path, {LIBRARY: lib}, tag=TAG))).libraries
    assert "version 9" in each.faults[0]
    assert each.elf is not None


def test_what_is_no_wheel_is_said_so(tmp_path: Path, demo: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        inspect(str(tmp_path / "demo-2.0-py3-none-any.whl"))
    with pytest.raises(UsageError, match="Invalid wheel filename"):
        inspect(str(tmp_path / "demo.tar.gz"))
    demo.write_bytes(demo.read_bytes()[:-400])
    with pytest.raises(UsageError, match="not a whole wheel"):
        inspect(str(demo))


def test_a_wheel_that_has_lost_bytes_in_its_middle_is_said_so(tmp_path: Path) -> None:
    lib = library(tmp_path / "lib.so", CODE).read_bytes()
    path = wheel(tmp_path, {LIBRARY: lib, "demo/weights.bin": os.urandom(1 << 20)}, tag=TAG)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2] + data[-len(data) // 4 :])
    with pytest.raises(UsageError, match=rf"{path}: not a whole wheel: .* bytes are missing"):
        inspect(str(path))


def test_a_library_whose_bytes_have_changed_is_told_as_damaged(tmp_path: Path) -> None:
    lib = library(tmp_path / "lib.so", {**CODE, ".pad": b"unchanged" * 1000}).read_bytes()
    path = wheel(tmp_path, {LIBRARY: lib}, tag=TAG)
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    (sound,) = inspect(str(path)).libraries
    path.write_bytes(path.read_bytes().replace(b"unchanged", b"different", 1))
    (damaged,) = inspect(str(path)).libraries
    assert sound.faults == ()
    assert re.match(r"damaged: its bytes have crc32 \w{8}, and the archive says \w{8}", damaged.faults[0])
    size = len(lib).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size * 2, size + (len(lib) + 1).to_bytes(4, "little")))
    (longer,) = inspect(str(path)).libraries
    assert longer.faults == (f"damaged: it holds {len(lib)} bytes, and the archive says {len(lib) + 1}",)


def test_a_library_that_is_longer_than_the_archive_says_is_told_as_damaged(tmp_path: Path) -> None:
    lib = library(tmp_path / "lib.so", {**CODE, ".pad": b"unchanged" * 1000}).read_bytes()
    path = wheel(tmp_path, {LIBRARY: lib}, tag=TAG)
    size, less = len(lib).to_bytes(4, "little"), (len(lib) - 1).to_bytes(4, "little")
    path.write_bytes(path.read_bytes().replace(size, less))
    (damaged,) = inspect(str(path)).libraries
    assert damaged.faults[0] == f"damaged: it holds more bytes, and the archive says {len(lib) - 1}"


def test_damaged_members_are_an_error_and_never_a_loop(demo: Path) -> None:
    data = demo.read_bytes()
    at = data.index(LIBRARY.encode()) + len(LIBRARY)
    for offset in range(at, at + 400, 7):
        damaged = bytearray(data)
        damaged[offset] ^= 0x55
        demo.write_bytes(bytes(damaged))
        try:
            found = inspect(str(demo))
        except UsageError:
            continue
        assert len(found.libraries) <= 1


@pytest.mark.needs("gcc")
def test_search_paths_are_shown_by_library(tmp_path: Path) -> None:
    source = tmp_path / "a.c"
    source.write_text("int a(void) { return 1; }\n")
    run(["gcc", "-shared", "-o", tmp_path / "a.so", source, "-Wl,-rpath,$ORIGIN/libs:$ORIGIN"])
    columns, (row,) = library_rows(
        inspect(str(wheel(tmp_path, {"a/a.so": (tmp_path / "a.so").read_bytes()}, tag=TAG)))
    )
    assert row[columns.index("RPATH")] == "$ORIGIN/libs:$ORIGIN"


def test_what_is_a_library_is_decided_by_its_content(tmp_path: Path) -> None:
    lib = library(tmp_path / "lib.so", CODE).read_bytes()
    named = ["demo/data/x.bin", "demo/lib.so", "demo/tool-1.2", "demo/tool.exe.tmp"]
    path = wheel(
        tmp_path, {**dict.fromkeys(named, lib), "demo/not.so": b"\x7fELF", "demo/text.so": b"x"}, tag=TAG
    )
    found = inspect(str(path))
    assert sorted(each.path for each in found.libraries) == named
    with serving(tmp_path) as url:
        assert inspect(f"{url}/{path.name}").libraries == found.libraries


def test_a_dist_info_that_is_vendored_or_spelled_otherwise_misleads_nobody(tmp_path: Path) -> None:
    files = files_of(
        name="Demo", requires=["rich"], payload={"demo/_vendor/six-1.0.dist-info/METADATA": b"Name: six"}
    )
    found = inspect(str(pack(tmp_path / "demo-1.0-py3-none-any.whl", files)))
    assert (found.name, found.requires_dist) == ("demo", ("rich",))
