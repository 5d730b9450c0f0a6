"""The checks of a wheel's content: from what the pass found to findings. Nothing here reads a file."""

from __future__ import annotations

import posixpath
import re
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from email.parser import BytesHeaderParser
from itertools import chain, islice
from typing import TYPE_CHECKING, cast

from packaging.metadata import RawMetadata
from packaging.utils import canonicalize_name
from packaging.version import Version

from workbench.plan.gpu import Architecture
from workbench.verify.layout import check_layout
from workbench.verify.promise import check_promise
from workbench.verify.report import Finding, Report
from workbench.wheel import record
from workbench.wheel.coverage import lacking
from workbench.wheel.elf import PROCESSORS
from workbench.wheel.filename import wheel_name_or_none
from workbench.wheel.metadata import BadMetadata, metadata_faults, read_metadata, read_tags
from workbench.wheel.stream import BadBinary
from workbench.wheel.wheel import dist_info

if TYPE_CHECKING:
    from workbench.verify.archive import Contents, Member
    from workbench.verify.report import Check, Fault
    from workbench.wheel.elf import Elf
    from workbench.wheel.filename import WheelName

_BEFORE_LICENSE_FILES = ("2.1", "2.2", "2.3")
"""Metadata versions in which setuptools wrote License-File before it was a field; indexes look away."""

_EXTENSION = re.compile(
    r"(?P<module>[^/.]+)(?:\.(?:(?P<tag>cpython-\d\w*|pypy\d+-\w+|abi3t?)(?:-(?P<triplet>[\w-]+))?))?\.so"
)

_MOST_FINDINGS = 1000
_MAX_WHEEL = 64 << 10
"""Bytes of a WHEEL file; a thousand tags have 40 KB."""

_ALWAYS: tuple[Check, ...] = ("archive", "record", "metadata", "tags", "paths", "elf", "module")


def check(
    contents: Contents,
    modules: Sequence[str] = (),
    gpu: Sequence[str] = (),
    *,
    some_gpu: bool = False,
    gpu_unknown: str = "",
) -> Report:
    """Run every check on the pass's facts; what is asked for beside that it is sound is as in `Expectation`.

    Where the archive has no central directory there is nothing to check but that.
    """
    name = contents.path.name
    filename = wheel_name_or_none(name)
    report = Report(
        path=contents.path,
        identity=contents.identity,
        name=filename.name if filename else "",
        version=str(filename.version) if filename else "",
        tags=tuple(sorted(map(str, filename.tags))) if filename else (),
        sha256=contents.sha256,
        size=contents.size,
        libraries=contents.libraries,
        gpu_code=contents.gpu_code,
        checks=("archive",),
        findings=contents.findings,
    )
    if not contents.readable:
        return report
    metadata = b""
    faults: list[tuple[Check, Iterable[Fault]]] = [
        ("paths", _check_paths(contents)),
        ("paths", check_layout(contents)),
    ]
    if filename is None:
        faults.append(("tags", [(name, "not a wheel's filename (PEP 427)")]))
    try:
        info = dist_info(member.name for member in contents.members)
    except BadBinary as error:
        faults.append(("metadata", [(name, str(error))]))
    else:
        metadata = contents.texts.get(f"{info}/METADATA", b"")
        faults += [
            ("metadata", _check_folders(contents, info, filename)),
            ("metadata", _of_text(_check_metadata, contents, f"{info}/METADATA", filename)),
            ("tags", _of_text(_check_wheel, contents, f"{info}/WHEEL", filename)),
            ("record", _of_text(_check_record, contents, f"{info}/RECORD", filename)),
        ]
    fields = _fields(metadata)
    faults.append(("elf", _check_elf(contents, filename)))
    if filename:
        platforms = {tag.platform for tag in filename.tags}
        requires = bool(fields.get("requires_dist"))
        faults.append(("elf", check_promise(contents.libraries, platforms, requires=requires)))
    faults.append(("module", _check_modules(contents, filename, modules)))
    faults.append(("gpu", _check_gpu(contents, gpu, some=some_gpu, unknown=gpu_unknown)))
    findings = (Finding(check=of, where=where, what=what) for of, each in faults for where, what in each)
    return replace(
        report,
        metadata=metadata,
        requires_python=fields.get("requires_python"),
        checks=(*_ALWAYS, "gpu") if gpu or some_gpu or gpu_unknown else _ALWAYS,
        # no more are made than are kept: a hostile wheel may be good for millions
        findings=tuple(islice(chain(contents.findings, findings), _MOST_FINDINGS)),
    )


def _check_paths(contents: Contents) -> Iterator[Fault]:
    """Find members that an installer would write elsewhere than it says, or not as a plain file."""
    for member in contents.members:
        what = _path_fault(member.name.removesuffix("/"))
        if what:
            yield member.name, what
        kind = stat.S_IFMT(member.entry.mode)
        if kind == stat.S_IFLNK:
            yield member.name, "a symbolic link, which installers do not make"
        elif kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            yield member.name, "neither a file nor a folder"
        elif kind == stat.S_IFDIR and not member.entry.is_folder:
            yield member.name, "its mode is a folder's, which bsdtar makes of it, and its name is a file's"


def _check_folders(contents: Contents, info: str, filename: WheelName | None) -> Iterator[Fault]:
    """Find a ``.dist-info`` that is not named as the file is, and a ``.data`` that is not as that one."""
    stem = info.removesuffix(".dist-info")
    name, _, version = stem.rpartition("-")
    if filename and (canonicalize_name(name), _version(version)) != (filename.name, filename.version):
        yield info, f"the filename says {filename.name} {filename.version}"
    tops = {member.name.partition("/") for member in contents.members}
    folders = {top for top, slash, _ in tops if slash and top.endswith(".data")}
    for other in sorted(folders - {f"{stem}.data"}):
        yield other, f"no installer looks there, but in {stem}.data"


def _of_text(
    check: Callable[[Contents, str, bytes, WheelName | None], Iterator[Fault]],
    contents: Contents,
    where: str,
    filename: WheelName | None,
) -> Iterator[Fault]:
    """Check the file of ``.dist-info`` that is `where`."""
    text = contents.texts.get(where)
    if text is not None:
        try:
            yield from check(contents, where, text, filename)
        except BadBinary as error:
            yield where, str(error)
    elif all(member.name != where for member in contents.members):
        yield where, "missing"  # a damaged one is in the archive check's findings already


def _check_metadata(_: Contents, where: str, text: bytes, filename: WheelName | None) -> Iterator[Fault]:
    """Find what is wrong with METADATA, and where it and the filename differ."""
    raw, unparsed = read_metadata(text)
    for what in _metadata_faults(text, raw, unparsed):
        yield where, what
    name, version = raw.get("name", ""), raw.get("version", "")
    if filename and canonicalize_name(name) != filename.name:
        yield where, f"Name: {name}, and the filename says {filename.name}"
    if filename and _version(version) != filename.version:
        yield where, f"Version: {version}, and the filename says {filename.version}"


def _check_wheel(contents: Contents, where: str, text: bytes, filename: WheelName | None) -> Iterator[Fault]:
    """Find what is wrong with WHEEL, and where its tags and the filename's differ (PEP 425, PEP 427)."""
    if len(text) > _MAX_WHEEL:
        raise BadBinary(f"{len(text)} bytes are too many to be true")
    wheel = BytesHeaderParser().parsebytes(text)
    version = str(wheel.get("Wheel-Version", ""))
    if not re.fullmatch(r"1\.\d+", version):
        yield where, f"Wheel-Version: {version or 'missing'}; installers read 1.x"
    purelib = str(wheel.get("Root-Is-Purelib", "")).lower()
    if purelib not in ("true", "false"):
        yield where, f"Root-Is-Purelib: {purelib or 'missing'}; it must be true or false"
    libraries = (each.path for each in contents.libraries if each.for_host)
    compiled = next((path for path in libraries if not path.partition("/")[0].endswith(".data")), None)
    if purelib == "true" and compiled:
        yield where, f"Root-Is-Purelib: true, and {compiled} is compiled code"
    if filename is None:
        return
    tags = read_tags(map(str, wheel.get_all("Tag", [])))
    for tag in sorted(map(str, filename.tags - tags)):
        yield where, f"the filename has the tag {tag}, and WHEEL does not"
    for tag in sorted(map(str, tags - filename.tags)):
        yield where, f"WHEEL has the tag {tag}, and the filename does not"


def _check_record(contents: Contents, where: str, text: bytes, _: WheelName | None) -> Iterator[Fault]:
    """Find where RECORD and the members differ (PEP 376, PEP 427)."""
    members = {member.name: member for member in contents.members if not member.entry.is_folder}
    listed = set()
    for row in record.parse(text, most=record.most_rows(len(contents.members))):
        if row.path in listed:
            yield where, f"line {row.line}: {row.path} is listed before"
            continue
        listed.add(row.path)
        if row.path not in members:
            yield where, f"line {row.line}: {row.path} is not in the wheel"
        elif row.path != where:
            for what in _row_faults(row, members[row.path]):
                yield row.path, what
        elif row.algorithm:
            yield where, "it holds a hash of itself"
    exempt = {f"{where.removesuffix('RECORD')}{name}" for name in record.UNLISTED}
    for name in members.keys() - listed - exempt:
        yield name, "not listed in RECORD"


def _check_elf(contents: Contents, filename: WheelName | None) -> Iterator[Fault]:
    """Find libraries for another machine than the tags say, and search paths that lead out of the wheel."""
    for library in contents.libraries:
        for what in _search_path_faults(library):
            yield library.path, what
        if filename is None or not library.for_host:
            continue
        if filename.pure:
            yield library.path, f"compiled for {library.machine}, in a wheel for any platform"
        for arch in sorted(filename.architectures):
            if not library.fits(arch):
                machine = f"{library.machine} {library.bits}-bit"
                yield library.path, f"compiled for {machine}, and the filename says {arch}"


def _check_modules(contents: Contents, filename: WheelName | None, modules: Sequence[str]) -> Iterator[Fault]:
    """Find import names that the wheel does not provide, and extension modules that its tags do not fit."""
    installed = {path for member in contents.members if (path := record.installed(member.name))}
    for module in modules:
        if not _provides(installed, module):
            yield module, "no module of this name in the wheel"
    if filename is None:
        return
    for member in contents.members:
        match = _EXTENSION.fullmatch(posixpath.basename(member.name))
        if match and match["tag"]:
            for what in _suffix_faults(match["tag"], match["triplet"] or "", filename):
                yield member.name, what
    abis = {tag.abi for tag in filename.tags}
    if "none" not in abis and not any(library.for_host for library in contents.libraries):
        what = f"its ABI tag is {', '.join(sorted(abis))}, and nothing in it is compiled"
        yield contents.path.name, what


def _check_gpu(contents: Contents, asked: Sequence[str], *, some: bool, unknown: str) -> Iterator[Fault]:
    """Find architectures that were asked for and are not in the binaries, and say what would serve instead."""
    name = contents.path.name
    if unknown:
        yield name, f"which GPU code it must have cannot be told: {unknown}"
    if some and not asked and not contents.gpu_code:
        yield name, "there is no GPU code at all, and its recipe is for CUDA alone"
    for path, what in lacking(map(Architecture.parse, asked), contents.gpu_code):
        yield path or name, what


def _metadata_faults(text: bytes, raw: RawMetadata, unparsed: Mapping[str, Sequence[str]]) -> Iterator[str]:
    try:
        text.decode()
    except UnicodeDecodeError as error:
        yield f"not UTF-8: {error}"
    for field in unparsed:
        yield f"{field}: unknown, or not to be read"
    old = raw.get("metadata_version") in _BEFORE_LICENSE_FILES
    plain = {key: value for key, value in raw.items() if not (old and key == "license_files")}
    yield from metadata_faults(cast("RawMetadata", plain))


def _fields(metadata: bytes) -> RawMetadata:
    try:
        return read_metadata(metadata)[0]
    except BadMetadata:  # a finding by now
        return RawMetadata()


def _version(text: str) -> Version | None:
    try:
        return Version(text.replace("_", "-"))
    except ValueError:  # InvalidVersion is one, and so is a number of 4,300 digits
        return None


def _path_fault(path: str) -> str | None:
    parts = path.split("/")
    if path.startswith("/"):
        return "an absolute path"
    if re.match("[A-Za-z]:", path):
        return "a path with a drive letter"
    if ".." in parts:
        return "its path climbs with '..'"
    if "" in parts or "." in parts:
        return "its path has an empty or a '.' part"
    if "\\" in path or "\0" in path:
        return "its path has a backslash or a NUL, or is not UTF-8"
    return None


def _row_faults(row: record.Row, member: Member) -> Iterator[str]:
    if row.algorithm not in record.HASHES:
        yield f"RECORD has {row.algorithm or 'no hash'} for it; a hash must be {' or '.join(record.HASHES)}"
    elif member.digest is not None:
        digest = record.encoded(member.digest)
        if row.digest != digest:
            yield f"its {row.algorithm} is {digest}, and RECORD says {row.digest}"
    if row.size != str(member.entry.size):
        yield f"it has {member.entry.size} bytes, and RECORD says {row.size or 'nothing'}"


def _search_path_faults(library: Elf) -> Iterator[str]:
    """Say what is wrong with RPATH and RUNPATH: only what starts at $ORIGIN is the same on every machine."""
    home = posixpath.dirname(record.installed(library.path) or library.path)
    for kind, entries in (("RPATH", library.rpath), ("RUNPATH", library.runpath)):
        for entry in entries:
            origin, slash, rest = entry.partition("/")
            if not entry:
                yield f"{kind} has an empty entry, which is the working directory of whoever loads it"
            elif origin not in ("$ORIGIN", "${ORIGIN}"):
                yield f"{kind} has {entry}, a path of the machine that built it; it must start with $ORIGIN"
            elif slash and posixpath.normpath(posixpath.join(home, rest)).startswith(".."):
                yield f"{kind} has {entry}, which leads out of site-packages"


def _suffix_faults(tag: str, triplet: str, filename: WheelName) -> Iterator[str]:
    abis = {each.abi for each in filename.tags}
    if tag.startswith("abi3"):
        fits = bool(abis - {"none"})
    elif tag.startswith("cpython-"):
        fits = tag.replace("cpython-", "cp") in abis
    else:
        fits = any(abi.startswith("pypy") for abi in abis)
    if not fits:
        yield f"an extension module for {tag}, and the filename's ABI tag is {', '.join(sorted(abis))}"
    spelled = {PROCESSORS[each].triplet if each in PROCESSORS else each for each in filename.architectures}
    machine = triplet.partition("-")[0]
    if machine and spelled and machine not in spelled:
        yield f"an extension module for {machine}, and the filename says {', '.join(sorted(spelled))}"


def _provides(installed: set[str], module: str) -> bool:
    """Whether a module, a package or a namespace package of this name is among the installed paths."""
    path = module.replace(".", "/")
    if {f"{path}.py", f"{path}/__init__.py"} & installed:
        return True
    folder, name = posixpath.split(path)
    for each in installed:
        where, base = posixpath.split(each)
        match = _EXTENSION.fullmatch(base)
        if match and (where, match["module"]) in ((folder, name), (path, "__init__")):
            return True
        if each.startswith(f"{path}/") and (match or base.endswith(".py")):
            return True
    return False
