from __future__ import annotations

import platform
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.wheels import good
from workbench.verify import archive
from workbench.wheel.elf_reader import ElfReader, _version_names
from workbench.wheel.stream import WINDOW, BadBinary

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.wheel.elf import Elf

pytestmark = pytest.mark.needs("gcc", "patchelf")

X86 = pytest.mark.skipif(platform.machine() != "x86_64", reason="assembles for x86")


def run(*words: str | Path) -> None:
    subprocess.run([str(word) for word in words], check=True, capture_output=True)


def library(folder: Path, *options: str, source: str = "int answer(void) { return 42; }\n") -> Path:
    code, path = folder / "lib.c", folder / "lib.so"
    code.write_text(source)
    run("gcc", "-shared", "-fPIC", "-o", path, code, *options)
    return path


def read(path: Path, *, chunk: int = 1 << 16) -> Elf | None:
    data = path.read_bytes()
    reader = ElfReader("lib.so", len(data))
    for at in range(0, len(data), chunk):
        reader.feed(data[at : at + chunk])
    assert not reader.again
    return reader.finish()


def test_a_library_says_what_it_is_and_needs(tmp_path: Path) -> None:
    path = library(tmp_path, "-Wl,-soname,libanswer.so.1", "-Wl,--no-as-needed", "-lm")
    elf = read(path)
    assert elf is not None
    assert (elf.machine, elf.bits, elf.big_endian) == (platform.machine(), 64, False)
    assert elf.soname == "libanswer.so.1"
    assert elf.needed == ("libm.so.6", "libc.so.6")
    assert (elf.rpath, elf.runpath) == ((), ())


@pytest.mark.parametrize("chunk", [1, 7, 4096, 1 << 20])
def test_chunks_of_any_size_give_the_same_facts(tmp_path: Path, chunk: int) -> None:
    path = library(tmp_path, "-Wl,-rpath,$ORIGIN/../demo.libs:/opt/x/lib", "-Wl,--enable-new-dtags")
    elf = read(path, chunk=chunk)
    assert elf is not None
    assert elf.runpath == ("$ORIGIN/../demo.libs", "/opt/x/lib")


def test_the_older_rpath_is_told_from_runpath(tmp_path: Path) -> None:
    elf = read(library(tmp_path, "-Wl,-rpath,/usr/local/lib", "-Wl,--disable-new-dtags"))
    assert elf is not None
    assert (elf.rpath, elf.runpath) == (("/usr/local/lib",), ())


def test_a_path_that_patchelf_set_is_found_where_it_moved_it(tmp_path: Path) -> None:
    path = library(tmp_path)
    long = ":".join(f"$ORIGIN/../a/long/way/to/folder{number}" for number in range(200))
    run("patchelf", "--set-rpath", long, path)
    elf = read(path, chunk=512)
    assert elf is not None
    assert ":".join(elf.runpath) == long
    run("patchelf", "--set-rpath", "", path)
    emptied = read(path)
    assert emptied is not None
    assert emptied.runpath == ()


def test_strings_that_have_gone_by_are_read_by_a_second_look(tmp_path: Path) -> None:
    """With 60,000 symbols .dynstr lies beyond the window, and a table parts it from .dynamic."""
    symbols = "".join(f".globl symbol_{number}\nsymbol_{number}:\n" for number in range(60_000))
    code = tmp_path / "many.s"
    code.write_text(
        f'.data\n{symbols}.byte 0\n.section .rodata\n.zero 1000000\n.section .note.GNU-stack,"",%progbits\n'
    )
    path = tmp_path / "many.so"
    run("gcc", "-shared", "-Wl,-rpath,/build/host/lib", "-Wl,-soname,libmany.so", "-o", path, code)
    data = path.read_bytes()
    reader = ElfReader("many.so", len(data))
    for at in range(0, len(data), 1 << 16):
        reader.feed(data[at : at + (1 << 16)])
    assert len(data) > WINDOW
    assert reader.again
    wheel = good(tmp_path, "py3-none-linux_x86_64", {"many.so": data})
    (elf,) = archive.read(wheel).libraries
    assert (elf.soname, elf.runpath) == ("libmany.so", ("/build/host/lib",))


@X86
def test_32_bit_libraries_are_read(tmp_path: Path) -> None:
    path = library(tmp_path, "-m32", "-nostdlib", "-Wl,-soname,libold.so", "-Wl,-rpath,$ORIGIN")
    elf = read(path)
    assert elf is not None
    assert (elf.machine, elf.bits, elf.soname, elf.runpath) == ("i386", 32, "libold.so", ("$ORIGIN",))


def test_an_object_file_has_no_dynamic_section_and_is_read(tmp_path: Path) -> None:
    (tmp_path / "one.c").write_text("int one = 1;\n")
    run("gcc", "-c", "-o", tmp_path / "one.o", tmp_path / "one.c")
    elf = read(tmp_path / "one.o")
    assert elf is not None
    assert (elf.machine, elf.needed, elf.soname) == (platform.machine(), (), None)


@pytest.mark.parametrize("content", [b"", b"\x7f", b"\x7fEL", b"import this\n" * 99])
def test_what_is_no_elf_file_is_none(content: bytes) -> None:
    reader = ElfReader("x", len(content))
    reader.feed(content)
    assert reader.finish() is None


def test_a_damaged_library_is_a_bad_elf_and_nothing_else(tmp_path: Path) -> None:
    path = library(tmp_path)
    data = path.read_bytes()
    bad = 0
    for at in range(4, 1200):
        damaged = bytearray(data)
        damaged[at] ^= 0xFF
        reader = ElfReader("lib.so", len(damaged))
        reader.feed(bytes(damaged))
        try:
            reader.finish()
        except BadBinary:
            bad += 1
    assert bad > 10


def test_a_library_that_is_cut_short_is_a_finding(tmp_path: Path) -> None:
    data = library(tmp_path).read_bytes()[:300]
    wheel = good(tmp_path, "py3-none-linux_x86_64", {"lib.so": data})
    (found,) = archive.read(wheel).findings
    assert (found.check, found.where) == ("elf", "lib.so")


def test_a_count_of_versions_that_repeat_without_end_is_not_followed() -> None:
    """Found by fuzzing: 301 bytes that say 65,535 versions, each where the one before it lies."""
    with pytest.raises(BadBinary, match="more symbol versions"):
        _version_names("<", struct.pack("<2H3I", 1, 0xFFFF, 1, 16, 0))
