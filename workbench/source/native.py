"""What a source's C, C++, CUDA and CMake files tell without being compiled: headers, languages, downloads."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from workbench.source.quote import MOST_BYTES, Quote, text_of

CODE = {".cu", ".cuh", ".h", ".hh", ".hpp", ".hxx", ".c", ".cc", ".cpp", ".cxx", ".inl"}
_LEFT_OUT = re.compile(
    r"(?i)\..*|(unit|c|python)?_?tests?|testing|.*_tests?|benchmarks?|bench|perf|docs?|documentation|examples?|samples?|"
    r"tutorials?|demos?|sandbox|conda|docker|hip|rocm|.*_hip|musa|sycl|composable_kernel|amd|.*\.egg-info"
)
"""Folders whose code is not a CUDA wheel's: tests, documents, and the code of other makers' GPUs."""
_OTHERS = re.compile(
    r"(?i)third[-_]?party|3rd_?party|externals?(_libs)?|extern|vendors?|deps|submodules|cutlass|glm|eigen\d?"
)
"""Folders with code of others, of which a build may use a part."""

_LINE = re.compile(
    rb"^[ \t]*#[ \t]*(include|if|ifdef|ifndef|elif|else|endif|define)\b[ \t]*([^\n]*)", re.MULTILINE
)
_CONTINUED = re.compile(rb"\\\r?\n")
_HEADER = re.compile(r'[<"]([\w./+-]+)[>"]')
_TERM = re.compile(r"[\s(]*(!?)[\s(]*(?:defined\b)?[\s(]*([A-Za-z_]\w*)[\s)]*")

_NOT_HERE = re.compile(
    r"(?i).*(hip|rocm|_amd|win32|win64|msc_ver|windows|apple|musa|sycl|no_cuda|without_cuda)"
)
_HERE = re.compile(
    r"(?i).*(with_cuda|use_cuda|__cudacc__|__nvcc__|have_cuda|cuda_ext|_cuda)$|__cplusplus|__linux__|__GNUC__"
)

_CMAKE = re.compile(
    r"^[ \t]*(?P<command>enable_language|find_package|project|option|FetchContent_Declare|ExternalProject_Add|"
    r"(pybind11|nanobind|python3?)_add_(module|library|extension))"
    r"[ \t]*\([ \t\n]*(?P<words>[^)]*)",
    re.MULTILINE | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Include:
    """An ``#include``: `certain` where no condition stands around it, and it is in the project's own code."""

    header: str
    where: str
    certain: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Native:
    """The native code of a source.

    `cuda_files` are the ``.cu`` files. Of CMake: `languages` where CUDA is asked for, `switches` the options with CUDA
    in their names (``USE_CUDA OFF``), `downloads` what fetches something, `modules` the extension modules.
    """

    cuda_files: tuple[str, ...]
    includes: tuple[Include, ...]
    languages: tuple[Quote, ...]
    switches: tuple[Quote, ...]
    downloads: tuple[Quote, ...]
    modules: tuple[Quote, ...] = ()


def read_native(tree: Path) -> Native:
    """Return what the native code of an unpacked source tells; tests, documents and other projects are left out."""
    code, cmake = [], []
    for path in _files(tree):
        if path.suffix in CODE:
            code.append(path)
        elif path.name == "CMakeLists.txt" or path.suffix == ".cmake":
            cmake.append(path)
    cuda_files = tuple(path.relative_to(tree).as_posix() for path in code if path.suffix == ".cu")
    asked = [
        each
        for path in sorted(cmake, key=_depth)
        # a library that is bundled for its headers asks for CUDA too, and has no code for it here
        if cuda_files or _is_own(path.relative_to(tree))
        for each in _cmake(path, tree)
    ]
    return Native(
        cuda_files=cuda_files,
        includes=tuple(each for path in code for each in _includes(path, tree)),
        languages=tuple(told for kind, told in asked if kind == "language"),
        switches=tuple(told for kind, told in asked if kind == "switch"),
        downloads=tuple(told for kind, told in asked if kind == "download"),
        modules=tuple(told for kind, told in asked if kind == "module"),
    )


def _files(tree: Path) -> Iterator[Path]:
    """Yield the files of a tree, but not those of folders that are left out or are projects of their own."""
    for folder, folders, names in os.walk(tree):
        here = Path(folder)
        if here != tree and "setup.py" in names:
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not _LEFT_OUT.fullmatch(name))
        if here.name.lower() == "cutlass" and {"include", "tools"} <= {*folders}:
            folders[:] = ["include"]  # its profiler and its utilities are programs
        for name in sorted(names):
            if "hip" not in name.lower():
                yield here / name


def _is_own(place: Path) -> bool:
    """Say whether a file, by its path in the source, is not in a folder with code of others."""
    return not any(_OTHERS.fullmatch(part) for part in place.parts[:-1])


def _depth(path: Path) -> tuple[int, Path]:
    return len(path.parts), path


def _includes(path: Path, tree: Path) -> Iterator[Include]:
    try:
        if path.is_symlink() or path.stat().st_size > MOST_BYTES:
            return
        text = path.read_bytes()
    except OSError:
        return
    place = path.relative_to(tree)
    own = _is_own(place)
    for header, line, holds in conditional_includes(text):
        if holds is not False:
            yield Include(header=header, where=f"{place.as_posix()}:{line}", certain=own and holds is True)


def conditional_includes(text: bytes) -> Iterator[tuple[str, int, bool | None]]:
    """Yield the headers that a file includes, the line, and whether a CUDA build on Linux does: None for perhaps."""
    joined = _CONTINUED.sub(lambda found: b" " * len(found[0]), text)
    stack: list[
        tuple[bool | None, bool | None]
    ] = []  # of each open #if: what holds now, what held in a branch above
    guard, line, at = True, 1, 0
    for found in _LINE.finditer(joined):
        line += text.count(b"\n", at, found.start())
        at = found.start()
        word, rest = found[1], found[2].decode(errors="replace").partition("//")[0].partition("/*")[0].strip()
        if word in (b"if", b"ifdef", b"ifndef"):
            holds = _holds(rest, word)
            if guard and word == b"ifndef":
                holds = True  # an include guard, which stands above all else
            stack.append((holds, holds))
        elif word in (b"elif", b"else") and stack:
            before = stack[-1][1]
            holds = _not(before) if word == b"else" else _all((_not(before), _holds(rest, b"if")))
            stack[-1] = (holds, _any((before, holds)))
        elif word == b"endif" and stack:
            stack.pop()
        elif word == b"include" and (header := _HEADER.match(rest)):
            yield header[1], line, _all(tuple(holds for holds, _ in stack))
        guard = guard and word == b"define"


def _holds(condition: str, word: bytes) -> bool | None:
    """Say whether a preprocessor's condition holds in a CUDA build on Linux; None where that is not plain."""
    if word in (b"ifdef", b"ifndef"):
        known = _known(condition.split(maxsplit=1)[0]) if condition else None
        return _not(known) if word == b"ifndef" else known
    both, either = "&&" in condition, "||" in condition
    if both and either:
        return None
    terms = []
    for part in re.split(r"&&|\|\|", condition):
        found = _TERM.fullmatch(part)
        known = _known(found[2]) if found else None
        terms.append(_not(known) if found and found[1] else known)
    return _any(tuple(terms)) if either else _all(tuple(terms))


def _known(macro: str) -> bool | None:
    if _NOT_HERE.match(macro):
        return False
    return True if _HERE.match(macro) else None


def _not(holds: bool | None) -> bool | None:
    return None if holds is None else not holds


def _all(terms: tuple[bool | None, ...]) -> bool | None:
    if False in terms:
        return False
    return None if None in terms else True


def _any(terms: tuple[bool | None, ...]) -> bool | None:
    return _not(_all(tuple(map(_not, terms))))


def _cmake(path: Path, tree: Path) -> Iterator[tuple[str, Quote]]:
    """Yield what a CMake file asks for, and what kind of asking that is."""
    place = path.relative_to(tree)
    text = re.sub(r"#[^\n]*", "", text_of(path))
    for found in _CMAKE.finditer(text):
        command, words = found["command"].lower(), found["words"].split()
        where = f"{place.as_posix()}:{text.count(chr(10), 0, found.start()) + 1}"
        if command in ("enable_language", "project") and "CUDA" in words:
            yield "language", Quote(f"{command}(CUDA)", where)
        elif command == "find_package" and words[:1] in (["CUDAToolkit"], ["CUDA"]):
            yield "language", Quote(f"find_package({words[0]})", where)
        elif command == "option" and words and re.fullmatch(r"(\w+_)?CUDA", words[0]):
            yield "switch", Quote(f"{words[0]} {words[-1]}", where)
        elif "_add_" in command and command.startswith(("pybind11", "nanobind", "python")) and words:
            yield "module", Quote(words[0], where)
        elif command in ("fetchcontent_declare", "externalproject_add") and words and _is_own(place):
            yield "download", Quote(words[0], where)
