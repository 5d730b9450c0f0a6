from __future__ import annotations

import hashlib
import io
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import warnings
import zipfile
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from tests.wheels import data_start, files_of, good, info_of, pack, record_of
from workbench.paths import CHECKOUT
from workbench.process import run
from workbench.verify import archive
from workbench.verify.checks import check
from workbench.wheel import content
from workbench.wheel.zipformat import read_directory

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from workbench.verify.report import Finding
    from workbench.wheel.zipformat import Entry

NAME = "demo-1.0-py3-none-any.whl"
MODULE = "demo/__init__.py"


@pytest.fixture(autouse=True, params=["isal", "zlib"])
def inflater(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "zlib":
        monkeypatch.setattr(content, "deflate", zlib)


def findings(path: Path) -> tuple[Finding, ...]:
    return check(archive.read(path)).findings


def entry_of(path: Path, name: str = MODULE) -> Entry:
    with path.open("rb") as file:
        return next(entry for entry in read_directory(file).entries if entry.name == name)


def damage(path: Path, at: int, *, flip: int = 0x10) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ flip]))


def insert(path: Path, at: int, extra: bytes) -> None:
    """Put bytes before what stands at an offset, and move the directory's offsets behind them along."""
    data = bytearray(path.read_bytes())
    with path.open("rb") as file:
        directory = read_directory(file)
    position = directory.offset
    for _ in directory.entries:
        lengths = struct.unpack_from("<3H", data, position + 28)
        (offset,) = struct.unpack_from("<I", data, position + 42)
        struct.pack_into("<I", data, position + 42, offset + (len(extra) if offset >= at else 0))
        position += 46 + sum(lengths)
    struct.pack_into("<I", data, position + 16, directory.offset + len(extra))
    path.write_bytes(data[:at] + extra + data[at:])


class Unseekable(io.RawIOBase):
    """A stream such as a pipe: zipfile then writes data descriptors."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        return self._file.write(data)

    def close(self) -> None:
        self._file.close()
        super().close()


def with_descriptors(path: Path) -> Path:
    files = files_of()
    with Unseekable(path) as stream, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as out:
        for name, content in {**files, f"{info_of(files)}/RECORD": record_of(files).encode()}.items():
            out.writestr(name, content)
    return path


def test_a_sound_wheel_has_no_finding_and_its_facts(tmp_path: Path) -> None:
    path = good(tmp_path)
    contents = archive.read(path)
    assert check(contents).findings == ()
    assert contents.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert contents.size == path.stat().st_size
    members = {member.name: member.digest for member in contents.members}
    assert members == {
        name: hashlib.sha256(content).digest()
        for name, content in {
            **files_of(),
            "demo-1.0.dist-info/RECORD": record_of(files_of()).encode(),
        }.items()
    }
    assert contents.texts["demo-1.0.dist-info/METADATA"] == files_of()["demo-1.0.dist-info/METADATA"]


def test_stored_members_are_read_as_they_are(tmp_path: Path) -> None:
    path = pack(tmp_path / NAME, files_of(), method=zipfile.ZIP_STORED)
    assert findings(path) == ()


def test_data_descriptors_are_read(tmp_path: Path) -> None:
    path = with_descriptors(tmp_path / NAME)
    assert entry_of(path).flags & 0x08
    assert findings(path) == ()


def test_zip64_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = files_of()
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 1)
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 10)
    path = pack(tmp_path / NAME, files)
    data = path.read_bytes()
    assert b"PK\6\6" in data
    assert b"PK\6\7" in data
    assert findings(path) == ()


def test_zip64_with_data_descriptors_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 10)
    assert findings(with_descriptors(tmp_path / NAME)) == ()


def generated(path: Path, seed: int) -> Path:
    """Write an archive of a few members of whatever kind: stored, deflated, described after, wide, empty, folders."""
    choose = random.Random(seed)  # noqa: S311 - repeatable
    with path.open("wb") if seed % 2 else Unseekable(path) as stream, zipfile.ZipFile(stream, "w") as out:
        for number in range(choose.randrange(1, 9)):
            name = f"{'n' * choose.choice((1, 1, 40, 90))}{number}{choose.choice(('', '/', '.py', 'é.so'))}"
            content = b"" if name.endswith("/") else choose.randbytes(choose.choice((0, 1, 30, 200))) * 2
            member = zipfile.ZipInfo(name, date_time=(2026, 11, 28, 12, 0, 0))
            member.compress_type = choose.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
            with out.open(member, "w", force_zip64=choose.random() < 0.3) as file:
                file.write(content)
        out.comment = b"made" * choose.randrange(2)
    return path


@pytest.mark.parametrize("seed", range(8))
def test_what_is_read_is_what_zipfile_reads_whatever_the_size_of_the_buffer(
    tmp_path: Path, seed: int
) -> None:
    path = generated(tmp_path / NAME, seed)
    with zipfile.ZipFile(path) as plain:
        expected = {
            name: None if name.endswith("/") else hashlib.sha256(plain.read(name)).digest()
            for name in plain.namelist()
        }
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    for chunk in range(1, path.stat().st_size + 2, 1 if path.stat().st_size < 1000 else 3):
        contents = archive.read(path, chunk=chunk)
        assert contents.findings == (), chunk
        assert {member.name: member.digest for member in contents.members} == expected, chunk
        assert contents.sha256 == sha256, chunk


def test_a_wheel_of_many_members_is_sound(tmp_path: Path) -> None:
    """Local headers lie across every boundary of what is read at a time."""
    assert findings(good(tmp_path, payload={f"demo/{number}.py": b"" for number in range(5_000)})) == ()


def test_folders_and_a_comment_do_no_harm(tmp_path: Path) -> None:
    path = pack(tmp_path / NAME, {"demo/": b"", **files_of()})
    with zipfile.ZipFile(path, "a") as out:
        out.comment = b"made by hand"
    assert findings(path) == ()


def test_every_flipped_byte_of_a_members_data_is_found(tmp_path: Path) -> None:
    path = good(tmp_path)
    entry = entry_of(path)
    start = data_start(path, entry)
    for at in range(start, start + entry.compressed):
        damage(path, at)
        found = findings(path)
        assert ("archive", MODULE) in [(each.check, each.where) for each in found], at
        damage(path, at)
    assert findings(path) == ()


def test_a_flipped_byte_of_a_stored_member_is_found_by_crc_and_by_record(tmp_path: Path) -> None:
    path = pack(tmp_path / NAME, files_of(), method=zipfile.ZIP_STORED)
    damage(path, data_start(path, entry_of(path)))
    found = findings(path)
    assert [(each.check, each.where) for each in found] == [("archive", MODULE), ("record", MODULE)]
    assert "crc32" in found[0].what
    assert "sha256" in found[1].what


def test_no_flipped_byte_anywhere_ends_in_a_traceback(tmp_path: Path) -> None:
    path = good(tmp_path)
    for at in range(0, path.stat().st_size, 3):
        damage(path, at, flip=0xFF)
        findings(path)
        damage(path, at, flip=0xFF)


def test_every_truncation_is_found(tmp_path: Path) -> None:
    path = good(tmp_path)
    whole = path.read_bytes()
    for length in [*range(0, len(whole), 7), len(whole) - 1]:
        path.write_bytes(whole[:length])
        contents = archive.read(path)
        assert [each.check for each in contents.findings] == ["archive"], length
        assert contents.size == length


def test_what_is_no_zip_file_is_a_finding(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(b"<html>404</html>")
    checked = check(archive.read(path))
    assert checked.checks == ("archive",)
    (found,) = checked.findings
    assert "not a zip file" in found.what


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"MZ and more")


def prepend(path: Path) -> None:
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())


def prepend_and_adjust(path: Path) -> None:
    insert(path, 0, b"#!/bin/sh\n")


def hide_between_members(path: Path) -> None:
    insert(path, entry_of(path, "demo-1.0.dist-info/METADATA").offset, b"hidden")


def hide_before_the_directory(path: Path) -> None:
    with path.open("rb") as file:
        offset = read_directory(file).offset
    insert(path, offset, b"hidden")


def hide_after_the_directory(path: Path) -> None:
    data = path.read_bytes()
    end = data.rindex(b"PK\5\6")
    path.write_bytes(data[:end] + b"hidden" + data[end:])


def hide_in_compressed_data(path: Path) -> None:
    entry = entry_of(path)
    insert(path, data_start(path, entry) + entry.compressed, b"hidden")
    set_sizes(path, compressed=entry.compressed + 6)


def set_sizes(path: Path, *, compressed: int | None = None, size: int | None = None) -> None:
    """Say other sizes of the module, in its local header and in the central directory alike."""
    data = bytearray(path.read_bytes())
    entry = entry_of(path)
    for at in (entry.offset + 18, data.index(b"PK\1\2") + 20):
        if compressed is not None:
            struct.pack_into("<I", data, at, compressed)
        if size is not None:
            struct.pack_into("<I", data, at + 4, size)
    path.write_bytes(data)


def promise_less(path: Path) -> None:
    set_sizes(path, size=10)


def promise_more(path: Path) -> None:
    set_sizes(path, size=10_000)


def end_early(path: Path) -> None:
    set_sizes(path, compressed=entry_of(path).compressed - 4)


def reach_into_the_next(path: Path) -> None:
    set_sizes(path, compressed=entry_of(path).compressed + 4)


def duplicate(path: Path) -> None:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "a") as out:
        warnings.simplefilter("ignore")
        out.writestr(MODULE, files_of()[MODULE])


def overlap(path: Path) -> None:
    """Two entries of the directory share one member's bytes, as a zip bomb's do."""
    data = bytearray(path.read_bytes())
    second = data.index(b"PK\1\2", data.index(b"PK\1\2") + 1)
    struct.pack_into("<I", data, second + 42, 0)
    path.write_bytes(data)


def rename_in_the_local_header(path: Path) -> None:
    damage(path, entry_of(path).offset + 30)


def other_crc_in_the_local_header(path: Path) -> None:
    damage(path, entry_of(path).offset + 14)


def no_local_header(path: Path) -> None:
    damage(path, entry_of(path).offset)


def encrypt(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[entry_of(path).offset + 6] |= 1
    data[data.index(b"PK\1\2") + 8] |= 1
    path.write_bytes(data)


def compress_with_bzip2(path: Path) -> None:
    pack(path, files_of(), method=zipfile.ZIP_BZIP2)


def a_second_end_in_the_comment(path: Path) -> None:
    comment = b"PK\5\6" + bytes(16) + struct.pack("<H", 5)
    with zipfile.ZipFile(path, "a") as out:
        out.comment = comment


def wrong_descriptor(path: Path) -> None:
    with_descriptors(path)
    entry = entry_of(path)
    damage(path, data_start(path, entry) + entry.compressed + 4)


def hide_after_a_descriptor(path: Path) -> None:
    with_descriptors(path)
    insert(path, entry_of(path, "demo-1.0.dist-info/METADATA").offset, bytes(1000))


def promise_too_much(path: Path) -> None:
    set_sizes(path, compressed=0xFFFF_FFFE, size=0xFFFF_FFFE)


def fill_a_folder(path: Path) -> None:
    pack(path, {**files_of(), "demo/": b"hidden"})


def miscount(path: Path) -> None:
    data = bytearray(path.read_bytes())
    end = data.rindex(b"PK\5\6")
    struct.pack_into("<2H", data, end + 8, 7, 7)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("do", "where", "what"),
    [
        (append, NAME, "11 bytes after its end"),
        (prepend, NAME, "central directory"),
        (prepend_and_adjust, NAME, "10 bytes before its first member"),
        (hide_between_members, MODULE, "6 bytes after it belong to no member"),
        (hide_before_the_directory, "demo-1.0.dist-info/RECORD", "6 bytes after it belong to no member"),
        (hide_after_the_directory, NAME, "6 bytes between the central directory and its end record"),
        (hide_in_compressed_data, MODULE, "6 bytes are hidden behind its compressed data"),
        (promise_less, MODULE, "it holds more bytes, and the archive says 10"),
        (promise_more, MODULE, "it holds 240 bytes, and the archive says 10000"),
        (end_early, MODULE, "ends early"),
        (reach_into_the_next, MODULE, "hidden behind its compressed data"),
        (duplicate, MODULE, "more than one member has this name"),
        (overlap, "demo-1.0.dist-info/METADATA", "overlaps the member before it"),
        (rename_in_the_local_header, MODULE, "its local header names it 'temo/__init__.py'"),
        (other_crc_in_the_local_header, MODULE, "disagrees with the central directory on its crc"),
        (no_local_header, MODULE, "no local header"),
        (encrypt, MODULE, "encrypted"),
        (compress_with_bzip2, MODULE, "compression method 12"),
        (a_second_end_in_the_comment, NAME, "second end record"),
        (wrong_descriptor, MODULE, "data descriptor disagrees"),
        (hide_after_a_descriptor, MODULE, "bytes after it belong to no member"),
        (promise_too_much, MODULE, "bytes are hidden behind its compressed data"),
        (fill_a_folder, "demo/", "a folder with 6 bytes of content"),
        (miscount, NAME, "counts 7 members"),
    ],
)
def test_damage_is_found_and_said_where(
    tmp_path: Path, do: Callable[[Path], None], where: str, what: str
) -> None:
    path = good(tmp_path)
    do(path)
    found = [each for each in archive.read(path).findings if each.where == where and what in each.what]
    assert [each.check for each in found] == ["archive"], archive.read(path).findings
    assert archive.read(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


LEFT = {
    "who made it": range(4, 6),
    "internal attributes": range(36, 38),
    "the archive attribute": range(38, 39),
    "permissions": range(40, 42),
}
"""Fields of the central directory in which a flip may be overlooked, as docs/verification.md lists them."""


def test_every_flipped_bit_of_a_header_is_found_but_in_the_fields_that_the_docs_list(tmp_path: Path) -> None:
    path = with_descriptors(tmp_path / NAME)
    pack(tmp_path / "plain.whl", files_of())
    for each in (path, (tmp_path / "plain.whl").rename(path)):
        data = each.read_bytes()
        local, central, end = data.index(b"PK\3\4"), data.index(b"PK\1\2"), data.index(b"PK\5\6")
        central_length = 46 + sum(struct.unpack_from("<3H", data, central + 28))
        left = {central + at for field in LEFT.values() for at in field}
        for at in (
            *range(local, local + 30),
            *range(central, central + central_length),
            *range(end, len(data)),
        ):
            for bit in range(8):
                damage(each, at, flip=1 << bit)
                assert at in left or findings(each), (at - central, bit)
                damage(each, at, flip=1 << bit)


@pytest.mark.needs("unzip", "bsdtar")
def test_no_bit_that_is_left_changes_what_unpacks(tmp_path: Path) -> None:
    path = good(tmp_path)
    whole = path.read_bytes()
    central = whole.index(b"PK\1\2")
    into = tmp_path / "into"
    left = 0
    for at, bit in ((at, bit) for field in LEFT.values() for at in field for bit in range(8)):
        data = bytearray(whole)
        data[central + at] ^= 1 << bit
        path.write_bytes(data)
        if findings(path):
            continue
        left += 1
        for words in (("unzip", "-q", path, "-d", into), ("bsdtar", "-x", "-f", path, "-C", into)):
            into.mkdir()
            run(words)
            (into / MODULE).chmod(0o600)
            assert (into / MODULE).read_bytes() == files_of()[MODULE], (at, bit, words[0])
            shutil.rmtree(into)
    assert left > 20


@pytest.mark.needs("unzip", "bsdtar")
def test_what_is_left_changes_neither_what_is_extracted_nor_what_installers_take(tmp_path: Path) -> None:
    path = good(tmp_path)
    data = bytearray(path.read_bytes())
    central = data.index(b"PK\1\2")
    data[central + 4] ^= 0x0B
    data[central + 36] ^= 0x01
    path.write_bytes(data)
    assert findings(path) == ()
    with zipfile.ZipFile(path) as plain:
        assert plain.testzip() is None
    run(["unzip", "-q", path, "-d", tmp_path / "unzipped"])
    (tmp_path / "bsdtar").mkdir()
    run(["bsdtar", "-x", "-f", path, "-C", tmp_path / "bsdtar"])
    run(["uv", "pip", "install", "-q", "--no-deps", "--target", tmp_path / "uv", path])
    run([sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", tmp_path / "pip", path])
    for folder in ("unzipped", "bsdtar", "uv", "pip"):
        assert (tmp_path / folder / MODULE).read_bytes() == files_of()[MODULE]


def test_a_record_with_stronger_hashes_is_checked_by_them(tmp_path: Path) -> None:
    files = files_of()
    path = pack(tmp_path / NAME, files, record=record_of(files, "sha512"))
    assert findings(path) == ()
    record = re.sub(
        r"(sha512=)(.)", lambda match: match[1] + chr(ord(match[2]) ^ 1), record_of(files, "sha512")
    )
    pack(path, files, record=record)
    assert {each.check for each in findings(path)} == {"record"}


def test_every_byte_is_read_once(tmp_path: Path) -> None:
    path = good(tmp_path, payload={"demo/__init__.py": b"", "demo/noise.bin": os.urandom(4 << 20)})
    size = path.stat().st_size
    counts: list[int] = []
    before = read_so_far()
    archive.read(path, progress=counts.append)
    assert read_so_far() - before < size * 1.1
    assert sum(counts) == size


def read_so_far() -> int:
    with open("/proc/self/io") as file:  # noqa: PTH123 - one line of a kernel's file
        return int(file.readline().split()[1])


MEASURE = """
import sys, zlib
from pathlib import Path
from workbench.verify import archive
from workbench.wheel import content
if sys.argv[2] == "zlib":
    content.deflate = zlib
assert archive.read(Path(sys.argv[1])).findings == ()
status = Path("/proc/self/status").read_text()
print(status.partition("VmHWM:")[2].split()[0])
"""


def test_memory_does_not_grow_with_the_wheel(tmp_path: Path) -> None:
    path = tmp_path / NAME
    with zipfile.ZipFile(path, "w") as out:
        for name, method in (("zeros", zipfile.ZIP_DEFLATED), ("plain", zipfile.ZIP_STORED)):
            out.writestr(name, bytes(100 << 20), compress_type=method, compresslevel=1)
    which = "zlib" if vars(content)["deflate"] is zlib else "isal"
    words = [sys.executable, "-c", MEASURE, str(path), which]
    done = subprocess.run(words, cwd=CHECKOUT, capture_output=True, text=True, check=True)
    assert int(done.stdout) < 60 << 10
