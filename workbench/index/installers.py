"""The installers' side: the Simple Repository API, version 1.4, as HTML and as JSON.

PEP 503 (HTML), 592 (yank), 629 (version), 658 and 714 (metadata files), 691 (JSON), 700 (sizes, times, versions),
740 (provenance), 792 (project status). All of it is a pure function of the registry.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict

import orjson

from workbench.errors import IndexFault, RegistryError
from workbench.registry.file import parse_json
from workbench.registry.model import Package
from workbench.simple import LIBRARIES, LIBRARIES_VERSION
from workbench.store.layout import FILES
from workbench.strict import Mismatch, parse
from workbench.wheel.filename import PLAIN_DASHES, label

if TYPE_CHECKING:
    from workbench.index.output import Links

_API_VERSION = "1.4"

_HEAD = (
    '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    f'<meta name="pypi:repository-version" content="{_API_VERSION}">\n'
)
_FILENAME = re.compile(r"[0-9A-Za-z_.+!]+(?:-[0-9A-Za-z_.+!]+){4,6}\.whl")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?Z")

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
"""What no page can hold: halves of a pair, which JSON can say, are among it."""
_HALF = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")

_NAME_CHARACTERS = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_.+!-"
_HEX = b"0123456789abcdef"
_TO_ZERO = bytes.maketrans(b"123456789", b"000000000")
_ZERO_TIME = b"0000-00-00T00:00:00Z"


class FileEntry(TypedDict):
    """What installers need to know of a wheel: these of the keys that the registry has (`PublishedWheel`).

    A mapping, as it comes out of the JSON: 100,000 values made of them would be a third of the work.
    """

    filename: str
    url: str
    sha256: str
    size: int
    upload_time: str
    requires_python: NotRequired[str | None]
    metadata_sha256: NotRequired[str | None]
    yanked: NotRequired[str | None]
    provenance: NotRequired[str | None]
    build: NotRequired[dict[str, Any] | None]
    libraries: NotRequired[dict[str, Any] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What installers need to know of a project. `files` are those that the index offers, `entry` its whole JSON."""

    entry: dict[str, Any]
    files: Sequence[FileEntry]
    status: str
    status_reason: str | None

    @property
    def listed(self) -> bool:
        """Whether installers are told of it: it has files, or a status that says why it has none."""
        return bool(self.files) or self.status != "active"


def read(name: str, text: bytes) -> Project:
    """Return a project from its text in the registry, without wheel variants: no installer takes them yet (PEP 825).

    Raises IndexFault for a file that no index may offer, RegistryError for what is not JSON; of the shape it sees only
    what it needs, and for another raises ValueError, KeyError, TypeError or AttributeError.
    """
    entry = parse_json(text, where=f"packages.{name}")
    if (b"\\" in text or b"\xed" in text) and _HALF.search(text):  # nearly no text has either
        entry = printable(entry)
    files: list[FileEntry] = entry.get("wheels", [])
    names = [file["filename"] for file in files]
    plain = "".join(names).count("-") == PLAIN_DASHES * len(files)
    if files and not (plain and _plainly_sound(files, names)):
        _check(name, files, names)
    if not plain:
        files = [file for file in files if label(file["filename"]) is None]
    status = entry.get("status", "active")
    return Project(
        entry=entry,
        files=[] if status == "quarantined" else files,  # an index must not offer those (PEP 792)
        status=status,
        status_reason=entry.get("status_reason"),
    )


def package(name: str, text: bytes, entry: dict[str, Any] | None = None) -> Package:
    """Return all that the registry knows of a project, as texts that a page can hold. Raises RegistryError.

    `entry` is what its text says, where that was read already.
    """
    try:
        data = entry or parse_json(text, where=f"packages.{name}")
        # in JSON a control character is either escaped or among these; nearly every project has none
        if not text.isascii() or b"\\" in text or b"\x7f" in text:
            data = printable(data)
        return parse(Package, data, path=f"packages.{name}")
    except Mismatch as error:
        raise RegistryError(str(error)) from error


def printable(value: Any) -> Any:  # noqa: ANN401 - any value of JSON
    """Return a value of JSON without the characters that neither HTML nor XML can hold: NUL, ESC and their like."""
    if isinstance(value, str):
        return _CONTROL.sub("", value)
    if isinstance(value, list):
        return [printable(each) for each in value]
    if isinstance(value, dict):
        return {key: printable(each) for key, each in value.items()}
    return value


def _plainly_sound(files: Sequence[FileEntry], names: Sequence[str]) -> bool:
    """Say whether `_check` would pass all files, without asking it: False means that it has to be asked.

    A match or two for each of 100,000 files would be a fifth of all work; bytes go through tables at once.
    """
    digests = [file["sha256"] for file in files]
    digests += [digest for file in files if (digest := file.get("metadata_sha256"))]
    times = [file["upload_time"] for file in files]
    sizes = [file["size"] for file in files]
    return (
        all(names)
        and len(set(names)) == len(names)
        and not "".join(names).encode().translate(None, _NAME_CHARACTERS)
        and set(map(len, digests)) == {64}
        and not "".join(digests).encode().translate(None, _HEX)
        and set(map(len, times)) == {len(_ZERO_TIME)}
        and "".join(times).encode().translate(_TO_ZERO) == _ZERO_TIME * len(files)
        and set(map(type, sizes)) == {int}
        and min(sizes) >= 0
        and not [file for file in files if "provenance" in file]
    )


def _check(name: str, files: Sequence[FileEntry], names: Sequence[str]) -> None:
    """Raise IndexFault for a file that no index may offer."""
    counts = Counter(names)
    for file in files:
        fault = None
        if not _FILENAME.fullmatch(file["filename"]):
            fault = "is not a file name that an index may offer"
        elif counts[file["filename"]] > 1:
            fault = "is there twice: remove one of the entries"
        elif not _SHA256.fullmatch(file["sha256"]):
            anew = "verify and publish the wheel anew"
            fault = f"has no sha256 (64 hex digits): without it nobody could tell a changed file; {anew}"
        elif not _TIME.fullmatch(file["upload_time"]):
            form = "not UTC as PEP 700 wants it (2026-11-21T10:00:00Z)"
            fault = f"has upload_time {file['upload_time']!r}, {form}"
        elif type(file["size"]) is not int or file["size"] < 0:
            fault = f"has size {file['size']!r}, not a number of bytes"
        elif not _SHA256.fullmatch(file.get("metadata_sha256") or "0" * 64):
            fault = "has a metadata_sha256 that is not 64 hex digits"
        elif not (file.get("provenance") or "https://").startswith("https://"):
            fault = f"has provenance {file.get('provenance')!r}, not an absolute https URL (PEP 740)"
        if fault:
            raise IndexFault(f"packages.{name}: {file['filename']!r} {fault}")


def project_pages(
    name: str, project: Project, files: Sequence[FileEntry], links: Links
) -> tuple[bytes, bytes]:
    """Draw a project's page with these of its files, as HTML and as JSON."""
    anchors, entries = tell(files, links.to_files(f"{FILES}{name}/", files))
    return _project_html(name, project, anchors), _project_json(name, project, _versions(files), entries)


def _versions(files: Iterable[FileEntry]) -> list[str]:
    return sorted({file["filename"].split("-", 2)[1] for file in files})


def tell(files: Iterable[FileEntry], urls: Iterable[str]) -> tuple[list[str], list[str]]:
    """Return what pages tell of files at (quoted) URLs: their anchors in HTML, and their entries in JSON.

    Both are made as text, at half the cost of values. `read` and `Links` have made sure that nothing needs escaping.

    ``data-size`` and ``data-upload-time`` are not in the HTML standard, but uv reads them. ``data-dist-info-metadata``,
    the older name of ``data-core-metadata`` (PEP 714), is left out: pip 22.3 to 23.1.2, which know no other, refuse
    metadata whose Name is not spelled as asked. Without it they read the wheel.
    """
    anchors, entries = [], []
    for file, url in zip(files, urls, strict=True):
        filename, digest, size, time = file["filename"], file["sha256"], file["size"], file["upload_time"]
        python, python_json = _requires(file.get("requires_python"))
        html = json = ""
        if metadata := file.get("metadata_sha256"):
            html = f' data-core-metadata="sha256={metadata}"'
            json = f',"core-metadata":{{"sha256":"{metadata}"}}'
        if (reason := file.get("yanked")) is not None:
            html += f' data-yanked="{_escaped(reason)}"'
            json += f',"yanked":{_quoted(reason) if reason else "true"}'  # "" would say that it is not
        if provenance := file.get("provenance"):
            html += f' data-provenance="{_escaped(provenance)}"'
            json += f',"provenance":{_quoted(provenance)}'
        if libraries := file.get("libraries"):
            told = _quoted({"version": LIBRARIES_VERSION, **libraries})
            html += f' data-{LIBRARIES}="{_escaped(told)}"'
            json += f',"_{LIBRARIES}":{told}'
        href = url.replace("&", "&amp;") if "&" in url else url
        anchors.append(
            f'<a href="{href}#sha256={digest}"{python}{html} data-size="{size}" data-upload-time="{time}">'
            f"{filename}</a>"
        )
        entries.append(
            f'{{"filename":"{filename}","url":"{url}","hashes":{{"sha256":"{digest}"}},"size":{size},'
            f'"upload-time":"{time}"{python_json}{json}}}'
        )
    return anchors, entries


@lru_cache(maxsize=4096)
def _requires(python: str | None) -> tuple[str, str]:
    """Return what both pages tell of a Requires-Python. Kept, because files repeat themselves."""
    if python is None:
        return "", ""
    return f' data-requires-python="{_escaped(python)}"', f',"requires-python":{_quoted(python)}'


def _escaped(text: str) -> str:
    """Return a text as it stands between double quotes in HTML."""
    return escape(_CONTROL.sub("", text))


def _quoted(value: str | dict[str, Any]) -> str:
    """Return a value as JSON."""
    return orjson.dumps(value).decode()


def _project_html(name: str, project: Project, anchors: Iterable[str]) -> bytes:
    status = ""
    if project.status != "active":
        status = f'<meta name="pypi:project-status" content="{_escaped(project.status)}">\n'
        if project.status_reason is not None:
            reason = _escaped(project.status_reason)
            status += f'<meta name="pypi:project-status-reason" content="{reason}">\n'
    links = "<br>\n".join(anchors)
    title = f"Links for {name}"
    body = f"<title>{title}</title>\n</head>\n<body>\n<h1>{title}</h1>\n{links}\n</body>\n</html>\n"
    return f"{_HEAD}{status}{body}".encode()


def _project_json(name: str, project: Project, versions: Sequence[str], entries: Iterable[str]) -> bytes:
    page: dict[str, Any] = {"meta": {"api-version": _API_VERSION}, "name": name, "versions": versions}
    if project.status != "active":
        page["project-status"] = {"status": project.status}
        if project.status_reason is not None:
            page["project-status"]["reason"] = project.status_reason
    return orjson.dumps(page)[:-1] + f',"files":[{",".join(entries)}]}}'.encode()


def projects_html(names: Iterable[str]) -> bytes:
    """Draw the page that lists all projects."""
    out = [_HEAD, "<title>Simple index</title>\n</head>\n<body>\n"]
    out += [f'<a href="{name}/">{name}</a><br>\n' for name in names]
    out.append("</body>\n</html>\n")
    return "".join(out).encode()


def projects_json(names: Iterable[str]) -> bytes:
    """Draw the list of all projects as JSON."""
    listed = [{"name": name} for name in names]
    return orjson.dumps({"meta": {"api-version": _API_VERSION}, "projects": listed})
