"""What hostile files cost beside sound ones of the same compressed and inflated size, command by command.

    .venv/bin/python benchmarks/hostile.py [KIND…] [--command verify] [--folder /dev/shm]

Each hostile file exploits one weakness that readers have: work that grows with the square of a table, limits of each
item that do not bound them all, bytes that are looked at over and over. The sound file beside it has as many bytes,
inflated as well, and as many members where the hostile one lives by their number. Both are read by the command in a
process of its own (with all that it starts): no more than `MOST_TIMES` the CPU and `MOST_MORE` MB more memory, and no
exit status 70, which is a traceback. It prints a row for each, as docs/security.md has them, and fails where one is
over the limit.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import multiprocessing
import os
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fuzz.targets import elf
from workbench.registry.file import dumps
from workbench.registry.model import Package, PublishedWheel, Registry
from workbench.wheel.record import encoded
from workbench.wheel.zipformat import BadZip, read_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

CHECKOUT = Path(__file__).resolve().parent.parent
MOST_TIMES, MOST_MORE = 5, 256
SECONDS = 180
"""What takes longer is killed."""
TRACEBACK = 70

TAG = "cp311-cp311-win_amd64"
"""No wheel for this system: so no smoke test is run."""
NAME = f"demo-1.0-{TAG}.whl"
INFO = "demo-1.0.dist-info"
METADATA = "Metadata-Version: 2.4\nName: demo\nVersion: 1.0\n"
WHEEL = f"Wheel-Version: 1.0\nGenerator: hand\nRoot-Is-Purelib: false\nTag: {TAG}\n"
MB = 1 << 20
MANY = 1000
"""Members from which on the sound wheel has as many."""

FILE_COMMANDS = ("verify", "inspect")
SITE_COMMANDS = ("list", "show", "index")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of hostile input: what makes it in a folder, and the commands that read it."""

    name: str
    make: Callable[[Path], None]
    commands: tuple[str, ...]
    twin: Callable[[Path, Path], None]


KINDS: list[Kind] = []


def wheel(title: str) -> Callable[[Callable[[], bytes]], None]:
    """Declare a hostile wheel: its bytes."""

    def declare(make: Callable[[], bytes]) -> None:
        KINDS.append(
            Kind(
                name=title,
                make=lambda folder: _write(folder / NAME, make()),
                commands=FILE_COMMANDS,
                twin=sound_wheel,
            )
        )

    return declare


def registry(title: str) -> Callable[[Callable[[], str]], None]:
    """Declare a hostile registry: its text."""

    def declare(make: Callable[[], str]) -> None:
        KINDS.append(
            Kind(
                name=title,
                make=lambda folder: _write(folder / "packages.json", make().encode("utf-8", "surrogatepass")),
                commands=SITE_COMMANDS,
                twin=sound_registry,
            )
        )

    return declare


def settings(title: str) -> Callable[[Callable[[], str]], None]:
    """Declare a hostile ``workbench.yaml``: its text."""

    def declare(make: Callable[[], str]) -> None:
        KINDS.append(
            Kind(
                name=title,
                make=lambda folder: _write(folder / "workbench.yaml", make().encode()),
                commands=("index",),
                twin=sound_settings,
            )
        )

    return declare


def page(title: str) -> Callable[[Callable[[], str]], None]:
    """Declare a hostile page of an index: its text."""

    def declare(make: Callable[[], str]) -> None:
        KINDS.append(
            Kind(
                name=title,
                make=lambda folder: _write(folder / "demo" / "index.html", make().encode()),
                commands=("check-index",),
                twin=sound_page,
            )
        )

    return declare


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


# ---------------------------------------------------------------- sound files


def packed(
    payload: dict[str, bytes],
    *,
    metadata: str = METADATA,
    wheel_file: str = WHEEL,
    record: str | None = None,
    folder: str = INFO,
) -> bytes:
    """Return a wheel of some files, with the right RECORD unless another is given."""
    files = {
        **payload,
        f"{folder}/METADATA": metadata.encode("utf-8", "surrogateescape"),
        f"{folder}/WHEEL": wheel_file.encode(),
    }
    rows = [
        f"{name},sha256={encoded(hashlib.sha256(text).digest())},{len(text)}" for name, text in files.items()
    ]
    files[f"{folder}/RECORD"] = (
        "\n".join([*rows, f"{folder}/RECORD,,\n"]) if record is None else record
    ).encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
        for name, text in files.items():
            target.writestr(zipfile.ZipInfo(name), text, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def sound_wheel(hostile: Path, folder: Path) -> None:
    """Write a sound wheel of the same sizes: noise for what is compressed, zeros for what more is inflated."""
    path = hostile / NAME
    compressed, inflated, members = path.stat().st_size, path.stat().st_size, 1
    try:
        with path.open("rb") as file:
            entries = read_directory(file).entries
        members = len(entries)
        inflated = max(
            compressed, sum(entry.size for entry in entries if entry.offset + entry.compressed <= compressed)
        )
    except BadZip:
        pass
    noise = random.Random(1).randbytes(max(0, compressed - inflated // 1000 - 1000))  # noqa: S311 - filler
    payload = {"demo/__init__.py": b"", "demo/noise.bin": noise}
    zeros = max(0, min(inflated, 4 << 30) - len(noise))
    payload |= {f"demo/zeros{at}.bin": bytes(min(64 * MB, zeros - at)) for at in range(0, zeros, 64 * MB)}
    if members > MANY:
        payload |= {f"demo/{number}.txt": b"" for number in range(members)}
    _write(folder / NAME, packed(payload))


def sound_registry(hostile: Path, folder: Path) -> None:
    """Write a sound registry of the same size."""
    size = (hostile / "packages.json").stat().st_size
    one = dumps(_projects(2))
    each = len(dumps(_projects(102))) - len(dumps(_projects(2)))
    _write(folder / "packages.json", dumps(_projects(1 + max(1, (size - len(one)) * 100 // each))).encode())


def _projects(count: int) -> Registry:
    packages = {}
    for number in range((count + 19) // 20):
        wheels = tuple(
            _published(f"p{number}", f"1.{patch}") for patch in range(min(20, count - number * 20))
        )
        packages[f"p{number}"] = Package(source_repo="https://example.invalid/p", wheels=wheels)
    return Registry(generation=1, updated="2026-11-29T00:00:00Z", change="x", packages=packages)


def _published(project: str, version: str, tags: str = "cp312-cp312-manylinux_2_28_x86_64") -> PublishedWheel:
    filename = f"{project}-{version}-{tags}.whl"
    return PublishedWheel(
        filename=filename,
        url=f"files/{project}/{filename}",
        python_version="3.12",
        platform="manylinux_2_28_x86_64",
        upload_date="2026-11-29",
        sha256="a" * 64,
        size=12,
        upload_time="2026-11-29T00:00:00Z",
        requires_python=">=3.10",
        metadata_sha256="b" * 64,
    )


def sound_settings(hostile: Path, folder: Path) -> None:
    """Write sound settings of the same size."""
    size = (hostile / "workbench.yaml").stat().st_size
    lines = "".join(f'    - "--label=x{number:09}"\n' for number in range(size // 28))
    _write(folder / "workbench.yaml", f"container:\n  create_args:\n{lines}".encode() if lines else b"")


def sound_page(hostile: Path, folder: Path) -> None:
    """Write a project's sound page of the same size, with the files that it lists."""
    size = (hostile / "demo" / "index.html").stat().st_size
    text = "<!DOCTYPE html><html><body>\n"
    for number in range(size // 180):
        name = f"demo-1.{number}-py3-none-any.whl"
        _write(folder / "demo" / name, b"")
        digest = hashlib.sha256(b"").hexdigest()
        text += f'<a href="{name}#sha256={digest}" data-requires-python="&gt;=3.9">{name}</a>\n'
    _write(folder / "demo" / "index.html", (text + "</body></html>\n").encode())


# ---------------------------------------------------------------- wheels


def _library(count: int, *, sections: Iterable[tuple[int, int, int, int]] = (), body: bytes = b"") -> bytes:
    """Return an ELF file with a body, and `count` of section headers that begin with those given."""
    header = bytearray(64)
    header[:6], header[18] = b"\x7fELF\2\1", 62
    at = 64 + len(body) + -len(body) % 8
    struct.pack_into("<Q", header, 40, at)
    struct.pack_into("<3H", header, 58, 64, count, 0)
    rows = b"".join(struct.pack("<IIQQQQIIQQ", n, kind, 0, 0, o, s, 0, 0, 0, 0) for n, kind, o, s in sections)
    return bytes(header) + body + bytes(-len(body) % 8) + rows


@wheel("GPU code that begins in a file's last bytes")
def _magic_at_the_end() -> bytes:
    return packed({"demo/x.so": _library(0, body=b"\x50\xed\x55\xba" * 2)[:-3]})


@wheel("Tag: of a hundred Pythons × ABIs × platforms")
def _tag_products() -> bytes:
    many = ("".join(f".{letter}{n}" for n in range(100))[1:] for letter in "abc")
    return packed({"demo/__init__.py": b""}, wheel_file=WHEEL + "Tag: " + "-".join(many) + "\n")


@wheel("Containers of GPU code × sections that each hold all of them")
def _sections_and_containers() -> bytes:
    containers = struct.pack("<IHHQ", 0xBA55ED50, 1, 16, 0) * 6000
    names = b"\0.nv_fatbin\0".ljust(16, b"\0")
    rows = [(1, 3, 64 + len(containers), len(names)), *[(1, 1, 64, len(containers))] * 20000]
    return packed({"demo/x.so": _library(20001, sections=rows, body=containers + names)})


@wheel("60,000 sections with one name of 1 MiB")
def _long_section_names() -> bytes:
    names = b"A" * MB + b"\0"
    rows = [(0, 3, 80, len(names)), *[(0, 1, 64, 16)] * 60000]
    return packed(
        {"demo/x.so": _library(60001, sections=rows, body=struct.pack("<IHHQ", 0xBA55ED50, 1, 16, 0) + names)}
    )


@wheel("The magic of GPU code wherever none can begin")
def _misaligned_magics() -> bytes:
    return packed({"demo/x.so": _library(0, body=b"abcd\x50\xed\x55\xba" * (32 * MB))})


@wheel("Containers of GPU code within each other")
def _nested_containers() -> bytes:
    inner = b"".join(struct.pack("<IHHQ", 0xBA55ED50, 1, 16, 64 * MB - 16 * n) for n in range(4 * MB))
    return packed({"demo/x.so": _library(0, body=inner)})


@wheel("50,000 libraries, each with what a header can hold")
def _many_small_libraries() -> bytes:
    return packed({f"demo/{n}.so": elf.library(64) for n in range(50000)})


@wheel("30,000 libraries in a wheel for 25 architectures")
def _many_libraries_many_architectures() -> bytes:
    return packed({f"demo/{n}": _library(0) for n in range(30000)})


@wheel("A string table of 256 MB that hints at the older C++ ABI and never has it")
def _mangled_names() -> bytes:
    return packed({"demo/x.so": _with_strings(b"\0RSs_Z" + b"RKS" * 20000 + b"7__cxx1" * 3000, 256 * MB)})


def _with_strings(text: bytes, size: int) -> bytes:
    strings = b"\0" + text * (size // len(text))
    dynamic = struct.pack("<8Q", 5, 240, 10, len(strings), 0, 0, 0, 0)
    segments = struct.pack("<2I6Q", 1, 5, 0, 0, 0, 1 << 40, 1 << 40, 0)
    segments += struct.pack("<2I6Q", 2, 6, 176, 176, 176, 64, 64, 0)
    ident = b"\x7fELF\2\1\1" + bytes(9)
    head = ident + struct.pack("<2HI3QI6H", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    return head + segments + dynamic + strings


@wheel("Headers that each lie before the one that names them: a pass over 256 MB for each")
def _headers_backwards() -> bytes:
    body = 256 * MB
    texts = b"\0libc.so.6\0GLIBC_2.17\0"
    strings, needs, dynamic, programs = (body * n // 5 for n in (1, 2, 3, 4))
    file = bytearray(body)
    file[:64] = (
        b"\x7fELF\2\1\1"
        + bytes(9)
        + struct.pack("<2HI3QI6H", 3, 62, 1, 0, programs, 0, 0, 64, 56, 2, 64, 0, 0)
    )
    file[strings : strings + len(texts)] = texts
    file[needs : needs + 32] = struct.pack("<2H3I", 1, 1, 1, 16, 0) + struct.pack("<I2H2I", 0, 0, 2, 11, 0)
    pairs = [(1, 1), (5, strings), (10, 1 << 20), (0x6FFFFFFE, needs), (0, 0)]
    file[dynamic : dynamic + 80] = b"".join(struct.pack("<2Q", *pair) for pair in pairs)
    file[programs : programs + 112] = struct.pack("<2I6Q", 1, 5, 0, 0, 0, body, body, 0) + struct.pack(
        "<2I6Q", 2, 6, dynamic, dynamic, dynamic, 80, 80, 0
    )
    return packed({"demo/x.so": bytes(file)})


@wheel("Names of symbol versions that are each as long as one can be")
def _many_version_names() -> bytes:
    count = 1000
    table = struct.pack("<2H3I", 1, count, 1, 16, 0)
    table += b"".join(struct.pack("<I2H2I", 0, 0, 2, 1 + n, 16) for n in range(count))
    strings = b"\0" + b"GLIBC_" + b"9" * (MB // 2) + b"\0"
    dynamic = struct.pack("<8Q", 5, 240 + len(table), 10, len(strings), 0x6FFFFFFE, 240, 0, 0)
    segments = struct.pack("<2I6Q", 1, 5, 0, 0, 0, 1 << 40, 1 << 40, 0)
    segments += struct.pack("<2I6Q", 2, 6, 176, 176, 176, 64, 64, 0)
    ident = b"\x7fELF\2\1\1" + bytes(9)
    head = ident + struct.pack("<2HI3QI6H", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2, 64, 0, 0)
    library = head + segments + dynamic + table + strings
    return packed({f"demo/{n}.so": library for n in range(40)})


@wheel("A library that needs GLIBC of 4,400 digits")
def _long_version_number() -> bytes:
    return packed({"demo/x.so": elf.library(64).replace(b"GLIBC_2.17\0", b"GLIBC_2." + b"9" * 4400 + b"\0")})


@wheel("24 .dist-info folders of 48 MB")
def _many_dist_infos() -> bytes:
    zeros = bytes(16 * MB)
    names = ("METADATA", "WHEEL", "RECORD")
    return packed({f"x{n}.dist-info/{name}": zeros for n in range(24) for name in names})


@wheel("15 MB of one folded field")
def _folded_metadata() -> bytes:
    return packed({"demo/__init__.py": b""}, metadata=METADATA + "Summary: x\n" + " y\n" * (5 * MB))


@wheel("As many fields as METADATA may have lines")
def _many_fields() -> bytes:
    return packed({"demo/__init__.py": b""}, metadata=METADATA + "Classifier: a\n" * 19000)


@wheel("As many requirements as METADATA may have lines, none of them valid")
def _many_requirements() -> bytes:
    return packed({"demo/__init__.py": b""}, metadata=METADATA + "Requires-Dist: a>=1 ; ((a\n" * 19000)


@wheel("Fields of many unknown names")
def _many_unknown_fields() -> bytes:
    lines = "".join(f"X-{n}: y\n" for n in range(19000))
    return packed({"demo/__init__.py": b""}, metadata=METADATA + lines)


@wheel("2,000 nested parentheses in Requires-Dist")
def _nested_parentheses() -> bytes:
    deep = "(" * 2000 + "python_version>'3'" + ")" * 2000
    return packed({"demo/__init__.py": b""}, metadata=f"{METADATA}Requires-Dist: six ; {deep}\n")


@wheel("A Description-Content-Type of parameters without end")
def _content_type() -> bytes:
    return packed(
        {"demo/__init__.py": b""}, metadata=f"{METADATA}Description-Content-Type: {'a=b; ' * 100_000}\n"
    )


@wheel("Nested parentheses in License-Expression")
def _nested_license() -> bytes:
    deep = "(" * 8000 + "MIT" + ")" * 8000
    return packed({"demo/__init__.py": b""}, metadata=f"{METADATA}License-Expression: {deep}\n")


@wheel("A marker of a thousand parts")
def _long_conjunction() -> bytes:
    marker = " and ".join(["python_version>'3'"] * 700)
    return packed({"demo/__init__.py": b""}, metadata=METADATA + f"Requires-Dist: six ; {marker}\n" * 70)


@wheel("A Requires-Python of thousands of versions")
def _long_specifier() -> bytes:
    return packed(
        {"demo/__init__.py": b""}, metadata=f"{METADATA}Requires-Python: {','.join(['!=3.1.1'] * 2000)}\n"
    )


@wheel("A version of 5,000 digits")
def _huge_number() -> bytes:
    return packed(
        {"demo/__init__.py": b""}, metadata=METADATA.replace("Version: 1.0", f"Version: {'1' * 5000}")
    )


@wheel("A Requires-Python of 5,000 digits")
def _huge_number_in_requires_python() -> bytes:
    return packed({"demo/__init__.py": b""}, metadata=f"{METADATA}Requires-Python: >={'1' * 5000}\n")


@wheel("A description of nested reStructuredText lists")
def _rst_nested() -> bytes:
    text = "".join(f"{' ' * (2 * n)}- x\n\n" for n in range(600))
    return packed(
        {"demo/__init__.py": b""}, metadata=f"{METADATA}Description-Content-Type: text/x-rst\n\n{text}"
    )


@wheel("A description of reStructuredText markup that never ends")
def _rst_markup() -> bytes:
    text = "`a <b " * 40000 + "\n\n" + "*a" * 40000 + "\n\n" + "|x" * 40000
    return packed(
        {"demo/__init__.py": b""}, metadata=f"{METADATA}Description-Content-Type: text/x-rst\n\n{text}"
    )


@wheel("A description that is one reStructuredText table")
def _rst_table() -> bytes:
    row = "+-" * 400 + "+\n" + "| " * 400 + "|\n"
    text = row * 200 + "+-" * 400 + "+\n"
    return packed(
        {"demo/__init__.py": b""}, metadata=f"{METADATA}Description-Content-Type: text/x-rst\n\n{text}"
    )


@wheel("A description whose substitutions multiply each other")
def _rst_substitutions() -> bytes:
    text = (
        "".join(f".. |a{n}| replace:: |a{n + 1}| |a{n + 1}|\n" for n in range(24))
        + ".. |a24| replace:: x\n\n|a0|\n"
    )
    return packed(
        {"demo/__init__.py": b""}, metadata=f"{METADATA}Description-Content-Type: text/x-rst\n\n{text}"
    )


@wheel("A description of Markdown brackets that never close")
def _markdown_brackets() -> bytes:
    text = "[" * 500_000 + "\n\n" + "![a](" * 50000 + "\n\n" + "> " * 50000 + "\n\n" + "<!--" * 50000
    return packed(
        {"demo/__init__.py": b""}, metadata=f"{METADATA}Description-Content-Type: text/markdown\n\n{text}"
    )


@wheel("A large description that says nothing of its type, and so is reStructuredText")
def _description_without_type() -> bytes:
    return packed({"demo/__init__.py": b""}, metadata=f"{METADATA}\n" + "*a* `b`_ |c| d_\n" * 60000)


@wheel("A RECORD whose 4,000,000 lines end in a carriage return alone")
def _record_of_returns() -> bytes:
    return packed({"demo/__init__.py": b""}, record="a,,\r" * 4_000_000)


@wheel("A RECORD of empty quoted cells")
def _record_of_quotes() -> bytes:
    return packed({"demo/__init__.py": b""}, record='"",' * 5_000_000)


@wheel("A RECORD that makes every member be read a second time")
def _record_of_sha512() -> bytes:
    payload = {f"demo/{n}.bin": bytes(16 * MB) for n in range(16)}
    rows = "".join(f"{name},sha512=x,{len(text)}\n" for name, text in payload.items())
    return packed(payload, record=rows)


@wheel("Members that lie as deep as a path can be")
def _deep_paths() -> bytes:
    return packed({f"demo/{n}/" + "a/" * 2000 + "x": b"" for n in range(5000)})


@wheel("Members that lie deeper than a path can be")
def _too_deep_paths() -> bytes:
    return packed({f"demo/{n}/" + "a/" * 30000 + "x": b"" for n in range(100)})


@wheel("Extension modules whose suffix is digits")
def _digits_in_suffixes() -> bytes:
    return packed({f"demo/{n}.cpython-" + "1" * 230: b"" for n in range(20000)})


@wheel("Names of combining characters in the wrong order")
def _combining_marks() -> bytes:
    return packed({f"demo/{n}" + "\u0301\u0323" * 60: b"" for n in range(20000)})


@wheel("20,000 members that are installed to one path")
def _one_name_many_times() -> bytes:
    return packed(
        {f"demo-1.0.data/{'pure' if n % 2 else 'plat'}lib/{'./' * (n % 100)}x": b"" for n in range(20000)}
    )


@wheel("100,000 members")
def _many_members() -> bytes:
    return packed({f"demo/{n}.py": b"" for n in range(100_000)})


@wheel("1 GB of zeros")
def _bomb() -> bytes:
    return packed({f"demo/{n}.bin": bytes(64 * MB) for n in range(16)})


def _archive(
    members: Iterable[tuple[bytes, bytes, int, int]], *, extra: bytes = b"", shared: bool = False
) -> bytes:
    """Return an archive of members: name, data as it lies there, size, method; `shared`: the first's data for all."""
    out, rows = io.BytesIO(), list[bytes]()
    for name, data, size, method in members:
        at = out.tell()
        if not (shared and rows):
            fields = (20, 0, method, 0, 33, 0, len(data), size, len(name), len(extra))
            out.write(struct.pack("<4s5H3I2H", b"PK\3\4", *fields) + name + extra + data)
        else:
            at = 0
        rows.append(
            struct.pack(
                "<4s6H3I5H2I", b"PK\1\2", 0x314, 20, 0, method, 0, 33, 0, len(data), size,
                len(name), 0, 0, 0, 0, 0x81A40000, at,
            )
            + name
        )  # fmt: skip
    at = out.tell()
    directory = b"".join(rows)
    out.write(directory)
    out.write(struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, len(rows), len(rows), len(directory), at, 0))
    return out.getvalue()


@wheel("Local headers of 64 KB of extra fields")
def _extra_fields() -> bytes:
    return _archive(((b"demo/%d" % n, b"", 0, 0) for n in range(2000)), extra=b"\xfe\xca\0\0" * 16383)


@wheel("20,000 members that share the data of one library")
def _overlapping_members() -> bytes:
    library = elf.library(64) + bytes(MB)
    return _archive(((b"demo/%d" % n, library, len(library), 0) for n in range(20000)), shared=True)


@wheel("Compressed data of empty blocks: 64 MB that inflate to nothing")
def _empty_blocks() -> bytes:
    data = b"\0\0\0\xff\xff" * (64 * MB // 5) + b"\1\0\0\xff\xff"
    return _archive([(b"demo/x", data, 100, 8), (b"demo/y", data, 0, 8)])


@wheel("A central directory of 100,000 empty entries and no members")
def _big_directory() -> bytes:
    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", *[0] * 16)
    directory = entry * 100_000
    wide = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, 100_000, 100_000, len(directory), 0)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, len(directory), 1)
    return (
        directory
        + wide
        + locator
        + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, *[0xFFFF] * 2, *[0xFFFFFFFF] * 2, 0)
    )


@wheel("A comment that is nothing but end records")
def _end_records() -> bytes:
    return (
        _archive([(b"demo/x", b"", 0, 0)])
        + struct.pack("<4s4H2IH", b"PK\5\6", *[0] * 7) * 2900
        + b"PK\5\6" * 900
    )


# ---------------------------------------------------------------- registries


def _document(packages: str, more: str = "") -> str:
    return f'{{"schema": 2, "generation": 1, "packages": {packages}{more}}}'


def _entry(**changes: object) -> dict[str, object]:
    base: dict[str, object] = json.loads(dumps(_projects(1)))["packages"]["p0"]["wheels"][0]
    return {**base, **changes}


def _one(**facts: object) -> str:
    return _document(json.dumps({"demo": {"source_repo": "x", **facts}}))


@registry("A registry nested 20,000 deep")
def _nested_json() -> str:
    return _document('{"demo": ' + "[" * 20000 + "]" * 20000 + "}")


@registry("A registry of mappings in mappings")
def _nested_mappings() -> str:
    return _document('{"a":' * 100_000 + "1" + "}" * 100_000)


@registry("8 MB of brackets")
def _brackets() -> str:
    return _document('{"demo": [' + "[]," * (8 * MB // 3) + "[]]}")


@registry("A key that is there 200,000 times")
def _twice_the_same_key() -> str:
    return _document("{" + ",".join(['"demo": {"source_repo": "x"}'] * 200_000) + "}")


@registry("An unknown key of 4 MB")
def _unknown_keys() -> str:
    return _one(**{"w" * (4 * MB): 1})


@registry("A number of 100,000 digits")
def _huge_whole_number() -> str:
    return _document("{}", f', "removed": {"1" * 100_000}')


@registry("Half a character in a description")
def _half_characters() -> str:
    return _document('{"demo": {"source_repo": "x", "description": "\\ud800"}}')


@registry("20,000 targets without a wheel")
def _many_reasons() -> str:
    reasons = [
        {"reason": "x", "python": f"3.{n % 100}", "arch": "x86_64", "compute": f"cu{n}", "torch": f"2.{n}"}
        for n in range(20_000)
    ]
    return _one(unavailable=reasons)


@registry("Targets without a wheel × wheels of as many others")
def _many_reasons_many_wheels() -> str:
    reasons = [{"reason": "x", "python": f"3.{n}"} for n in range(3000)]
    names = [f"demo-1.{n}-py3-none-any.whl" for n in range(3000)]
    return _one(
        unavailable=reasons, wheels=[_entry(filename=name, url=f"files/demo/{name}") for name in names]
    )


@registry("Filenames whose tags multiply")
def _many_dots() -> str:
    tags = "-".join(".".join(f"{letter}{n}" for n in range(10)) for letter in "abc")
    names = [f"demo-1.{n}-{tags}.whl" for n in range(5000)]
    return _one(wheels=[_entry(filename=name, url=f"files/demo/{name}") for name in names])


@registry("Wheels for Python 3.999999999")
def _huge_pythons() -> str:
    names = [f"demo-1.{n}-cp3999999999-cp3999999999-linux_x86_64.whl" for n in range(100)]
    return _one(
        wheels=[
            _entry(filename=name, url=f"files/demo/{name}", python_version="3.999999999") for name in names
        ]
    )


@registry("A Requires-Python of 2 MB")
def _long_requires_python() -> str:
    name = "demo-1.0-py3-none-any.whl"
    return _one(
        wheels=[_entry(filename=name, url=f"files/demo/{name}", requires_python="!=3.1.1," * 300_000 + "!=3")]
    )


@registry("Versions of 200 digits and locals of many parts")
def _long_version() -> str:
    names = [
        f"demo-{'1' * 100}.{n}+{'.'.join('a1' * 1 for _ in range(30))}-py3-none-any.whl" for n in range(3000)
    ]
    return _one(wheels=[_entry(filename=name, url=f"files/demo/{name}") for name in names])


@registry("Descriptions and reasons full of what looks like URLs with logins")
def _links_in_text() -> str:
    return _one(description="https://a:b@" * 200_000, status_reason="token=" * 200_000)


# ---------------------------------------------------------------- settings


@settings("Settings nested 20,000 deep")
def _nested_yaml() -> str:
    return "store: " + "[" * 20000 + "]" * 20000


@settings("Settings nested by indentation")
def _indented_yaml() -> str:
    return "".join(f"{' ' * n}a:\n" for n in range(1500))


@settings("Aliases that multiply each other")
def _yaml_aliases() -> str:
    lines = ["a0: &a0 [x, x]"] + [f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 40)]
    return "\n".join([*lines, "container: {create_args: *a39}"])


@settings("Merge keys that multiply each other")
def _yaml_merges() -> str:
    lines = ["a0: &a0 {x: 1, y: 2}"] + [
        f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 8)}]}}" for n in range(1, 12)
    ]
    return "\n".join(lines)


# ---------------------------------------------------------------- pages


@page("A page of tags that never end")
def _open_tags() -> str:
    return "<!DOCTYPE html>" + "<a " * 300_000


@page("A page of comments that never end")
def _open_comments() -> str:
    return "<!DOCTYPE html>" + "<!--" * 300_000 + "<!-" * 100_000


@page("An anchor of 100,000 attributes")
def _attributes() -> str:
    return "<!DOCTYPE html><a " + " ".join(f"x{n}=y" for n in range(100_000)) + ">x</a>"


@page("An anchor of spaces and slashes")
def _spaces_between() -> str:
    return "<!DOCTYPE html><a " + " / = " * 200_000 + ">x</a>"


@page("A page of character references, one of 100,000 digits")
def _character_references() -> str:
    return "<!DOCTYPE html><a href=x>" + "&amp" * 200_000 + "&#" + "9" * 100_000 + ";</a>"


@page("A page of hardly more than links")
def _tiny_links() -> str:
    return "<!DOCTYPE html>" + "<a href=x>" * 100_000


@page("Files whose tags multiply")
def _many_tags_in_names() -> str:
    tags = "-".join(".".join(f"{letter}{n}" for n in range(7)) for letter in "abc")
    return "<!DOCTYPE html>" + "".join(f'<a href="demo-1.{n}-{tags}.whl">x</a>' for n in range(5000))


@page("Links of 8,000 characters")
def _long_links() -> str:
    return "<!DOCTYPE html>" + "".join(f'<a href="{"../" * 2600}{n}.whl">x</a>' for n in range(300))


@page("Links with a fragment of thousands of hashes")
def _long_fragments() -> str:
    return "<!DOCTYPE html>" + f'<a href="x.whl#{"a=b&" * 1900}">x</a>' * 300


@page("A page of JSON nested 20,000 deep")
def _page_nested_json() -> str:
    return '{"meta": {"api-version": "1.1"}, "name": "demo", "files": [' + "[" * 20000 + "]" * 20000 + "]}"


@page("A page of JSON with 200,000 versions that are none")
def _page_many_versions() -> str:
    return json.dumps(
        {"meta": {"api-version": "1.1"}, "name": "demo", "files": [], "versions": ["1-1-1"] * 200_000}
    )


@page("A page of JSON with an API version of 5,000 digits")
def _page_huge_number() -> str:
    return json.dumps({"meta": {"api-version": f"1.{'1' * 5000}"}, "name": "demo", "files": []})


# ---------------------------------------------------------------- measuring


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one run took: CPU seconds of all its processes, MB of the largest of them, and how it ended."""

    cpu: float
    memory: float
    status: int


def run(command: str, folder: Path) -> Cost:
    """Run a command over the files of a folder."""
    words = {
        "verify": [NAME],
        "inspect": [NAME],
        "list": [],
        "show": ["demo" if '"demo"' in _beginning(folder) else "p0"],
        "index": ["--dry-run"],
        "check-index": ["demo"],
    }[command]
    argv = [sys.executable, "-m", "invoke", "--search-root", str(CHECKOUT), command, *words]
    environment = {**os.environ, "WORKBENCH_SITE": str(folder)}
    with (folder / "output").open("wb") as output:
        child = subprocess.Popen(
            argv, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        deadline = time.monotonic() + SECONDS
        while True:
            pid, status, usage = os.wait4(child.pid, os.WNOHANG)
            if pid:
                break
            if time.monotonic() > deadline:
                os.killpg(child.pid, 9)
            time.sleep(0.05)
    child.returncode = os.waitstatus_to_exitcode(status)
    return Cost(cpu=usage.ru_utime + usage.ru_stime, memory=usage.ru_maxrss / 1024, status=child.returncode)


def _beginning(folder: Path) -> str:
    path = folder / "packages.json"
    return path.read_text(errors="replace")[:2000] if path.exists() else ""


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("kinds", nargs="*", help="words of the kinds to measure")
    parser.add_argument("--command", action="append", help="measure this command alone")
    parser.add_argument("--folder", help="where files are made")
    asked = parser.parse_args()
    print("| hostile input | command | exit | CPU s | of a sound one | ratio | MB more |")
    print("|---|---|--:|--:|--:|--:|--:|")
    over = [
        row
        for kind in KINDS
        if not asked.kinds or any(word in kind.name for word in asked.kinds)
        if (commands := [each for each in kind.commands if each in (asked.command or kind.commands)])
        for row in measure(kind, commands, asked.folder)
    ]
    sys.exit("\n".join(["over the limit:", *over]) if over else 0)


def make(kind: Kind, hostile: Path, sound: Path) -> None:
    """Make both files of a kind."""
    for folder in (hostile, sound):
        folder.mkdir()
        (folder / "recipes").mkdir()
    kind.make(hostile)
    kind.twin(hostile, sound)


def measure(kind: Kind, commands: Iterable[str], where: str | None) -> list[str]:
    """Print the rows of a kind, and return those that are over a limit."""
    over = []
    with tempfile.TemporaryDirectory(prefix="hostile-", dir=where) as name:
        hostile, sound = Path(name, "hostile"), Path(name, "sound")
        # in a process of its own: what this one has in memory would count as what its children had
        maker = multiprocessing.get_context("fork").Process(target=make, args=(kind, hostile, sound))
        maker.start()
        maker.join()
        assert maker.exitcode == 0
        for command in commands:
            theirs, ours = run(command, hostile), run(command, sound)
            ratio, more = theirs.cpu / ours.cpu, theirs.memory - ours.memory
            row = (
                f"| {kind.name} | {command} | {theirs.status} | {theirs.cpu:.2f} | {ours.cpu:.2f} "
                f"| {ratio:.1f} | {more:.0f} |"
            )
            print(row, flush=True)
            if ratio > MOST_TIMES or more > MOST_MORE or theirs.status in (TRACEBACK, -9, -11):
                over.append(row)
                shutil.copy(hostile / "output", Path(tempfile.gettempdir(), "hostile-output"))
    return over


if __name__ == "__main__":
    main()
