"""Wheels made to cost their reader dear: what they say is bounded, and so is the work (benchmarks/hostile.py)."""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING

import pytest

from fuzz.targets import elf
from tests.wheels import files_of, pack
from workbench.errors import UsageError
from workbench.verify import archive
from workbench.verify.checks import check
from workbench.wheel.inspect import inspect
from workbench.wheel.serves import Audience

if TYPE_CHECKING:
    from pathlib import Path

NAME = "demo-1.0-py3-none-any.whl"
SECONDS = 8
"""Of CPU, for what took from ten seconds to forever."""


def library(body: bytes = b"") -> bytes:
    head = bytearray(64)
    head[:6], head[18] = b"\x7fELF\2\1", 62
    return bytes(head) + body


def found_in(path: Path) -> str:
    """Verify and inspect a wheel, in time, and return what is said of it."""
    start = time.process_time()
    said = [str(finding) for finding in check(archive.read(path)).findings]
    try:
        said += [fault for each in inspect(str(path)).libraries for fault in each.faults]
    except UsageError as error:
        said.append(str(error))
    assert time.process_time() - start < SECONDS
    return "\n".join(said)


@pytest.mark.parametrize(
    ("member", "what"),
    [
        ("a/" * 16_000 + "x", "the name of a member is longer than a path can be"),
        ("x.cpython-" + "1" * 32_000 + ".py", "the name of a member is longer than a path can be"),
        ("\u0301\u0323" * 8_000, "the name of a member is longer than a path can be"),
    ],
)
def test_a_member_has_a_name_that_a_file_system_takes(tmp_path: Path, member: str, what: str) -> None:
    files = files_of(payload={"demo/__init__.py": b"", f"demo/{member}": b""})
    assert what in found_in(pack(tmp_path / NAME, files))


def test_a_path_as_deep_as_it_may_be_is_sound(tmp_path: Path) -> None:
    files = files_of(payload={"demo/__init__.py": b"", f"demo/{'a/' * 2000}{'b' * 85}": b""})
    assert found_in(pack(tmp_path / NAME, files)) == ""


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_a_record_of_endless_rows_is_not_read_to_its_end(tmp_path: Path, end: str) -> None:
    path = pack(tmp_path / NAME, files_of(), record=f"a,,{end}" * 500_000)
    assert "lines are too many to be true" in found_in(path)


def test_no_more_findings_are_made_than_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = 0

    def fits(*_: object) -> bool:
        nonlocal made
        made += 1
        return False

    monkeypatch.setattr("workbench.wheel.elf.Elf.fits", fits)
    platforms = ".".join(f"linux_{letter}" for letter in "abcdefghij")
    files = files_of(payload={f"demo/{n}": library() for n in range(1000)}, tag=f"cp311-cp311-{platforms}")
    path = pack(tmp_path / f"demo-1.0-cp311-cp311-{platforms}.whl", files)
    assert len(check(archive.read(path)).findings) == 1000
    assert made <= 1000


def archived(count: int, *, extra: bytes = b"", shared: bytes = b"") -> bytes:
    """Return an archive of members with `extra` fields; with `shared` data, all of them have the first one's."""
    made, rows = bytearray(), b""
    for number in range(count):
        name = b"demo/%d" % number
        at = 0 if shared else len(made)
        if not (shared and made):
            sizes = (0, len(shared), len(shared), len(name), len(extra))
            made += struct.pack("<4s5H3I2H", b"PK\3\4", 20, 0, 0, 0, 33, *sizes) + name + extra + shared
        fields = (0x314, 20, 0, 0, 0, 33, 0, len(shared), len(shared), len(name), 0, 0, 0, 0, 0x81A40000, at)
        rows += struct.pack("<4s6H3I5H2I", b"PK\1\2", *fields) + name
    return (
        bytes(made) + rows + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, len(rows), len(made), 0)
    )


def test_extra_fields_without_end_are_not_followed(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(archived(1000, extra=b"\xfe\xca\0\0" * 16_000))
    assert "its extra fields are damaged, or too many" in found_in(path)


def test_members_that_share_their_bytes_are_not_read_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes(archived(5000, shared=library(bytes(1 << 20))))
    assert "demo/1 overlaps the member before it" in found_in(path)


def test_gpu_code_that_begins_where_none_can_is_bounded(tmp_path: Path) -> None:
    body = b"abcd\x50\xed\x55\xba" * (2 << 20)
    path = pack(tmp_path / NAME, files_of(payload={"demo/__init__.py": b"", "demo/x.so": library(body)}))
    assert "too many to be true" in found_in(path)


@pytest.mark.parametrize("text", [b"\0_Z" + b"a" * 60_000, b"\0RSs" * 100, b"\0_ZNSs" + b"RKS" * 100])
def test_names_that_only_look_like_the_older_abi_cost_little(tmp_path: Path, text: bytes) -> None:
    strings = b"\0" + text * ((16 << 20) // len(text)) + b"\0"
    dynamic = struct.pack("<8Q", 5, 240, 10, len(strings), 0, 0, 0, 0)
    segments = struct.pack("<2I6Q", 1, 5, 0, 0, 0, 1 << 40, 1 << 40, 0)
    segments += struct.pack("<2I6Q", 2, 6, 176, 176, 176, 64, 64, 0)
    header = struct.pack("<2HI3QI6H", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    made = b"\x7fELF\2\1\1" + bytes(9) + header + segments + dynamic + strings
    path = pack(tmp_path / NAME, files_of(payload={"demo/__init__.py": b"", "demo/x.so": made}))
    found_in(path)
    assert inspect(str(path)).cxx_abis == ()


DIGITS = "1" * 5000
"""More than Python makes a number of: ValueError."""


@pytest.mark.parametrize(
    ("field", "value"),
    [("Version", DIGITS), ("Requires-Python", f">={DIGITS}"), ("Requires-Dist", f"six>={DIGITS}")],
)
def test_a_version_of_endless_digits_is_a_finding(tmp_path: Path, field: str, value: str) -> None:
    files = files_of(requires_python=None)
    info = "demo-1.0.dist-info/METADATA"
    text = files[info].replace(b"Version: 1.0\n", b"") if field == "Version" else files[info]
    files[info] = text.replace(b"Summary:", f"{field}: {value}\nSummary:".encode())
    assert "a number in a version is too long to be true" in found_in(pack(tmp_path / NAME, files))


@pytest.mark.parametrize("value", ["text/markdown; " + "a=b; " * 100_000, '"' * 500_000])
def test_a_media_type_of_endless_parameters_is_a_finding(tmp_path: Path, value: str) -> None:
    files = files_of()
    info = "demo-1.0.dist-info/METADATA"
    files[info] = files[info].replace(b"text/markdown", value.encode())
    assert "Description-Content-Type of more than" in found_in(pack(tmp_path / NAME, files))


def test_a_symbol_version_of_endless_digits_is_no_number(tmp_path: Path) -> None:
    made = elf.library(64).replace(b"GLIBC_2.17\0", b"GLIBC_2." + DIGITS.encode() + b"\0")
    path = pack(tmp_path / NAME, files_of(payload={"demo/__init__.py": b"", "demo/x.so": made}))
    found_in(path)
    assert "GLIBC" not in inspect(str(path)).floors


def test_a_filename_is_no_longer_than_a_file_system_takes() -> None:
    with pytest.raises(UsageError, match="longer than 255 characters"):
        inspect(f"https://example.invalid/demo-{DIGITS}-py3-none-any.whl")


def test_a_tag_of_a_python_far_away_is_not_counted_up_to() -> None:
    start = time.process_time()
    name = "demo-1.0-cp3999999999-cp3999999999-linux_x86_64.whl"
    assert Audience.of(name).pythons("x86_64", "2.36") == ()
    assert time.process_time() - start < SECONDS


def test_thousands_of_small_libraries_are_not_all_read(tmp_path: Path) -> None:
    files = files_of(payload={f"demo/{n}": library() for n in range(5100)})
    assert "more than 5000 libraries" in found_in(pack(tmp_path / NAME, files))
