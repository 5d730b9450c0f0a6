"""The installers' side: the Simple Repository API, version 1.4, as HTML and as JSON.

PEP 503 (HTML), 592 (yank), 629 (version), 658 and 714 (metadata files), 691 (JSON), 700 (sizes, times, versions),
740 (provenance), 792 (project status). All of it is a pure function of the registry.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import TYPE_CHECKING, Any, NotRequired, TypedDict, cast

import orjson

from workbench.errors import IndexFault, RegistryError
from workbench.index.variants import Properties, label
from workbench.registry.model import Package
from workbench.strict import Mismatch, parse

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from workbench.index.page import Links

API_VERSION = "1.4"

_HEAD = (
    '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    f'<meta name="pypi:repository-version" content="{API_VERSION}">\n'
)
_FILENAME = re.compile(r"[0-9A-Za-z_.+!-]+")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?Z")

_NAME_CHARACTERS = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_.+!-"
_HEX = b"0123456789abcdef"
_TO_ZERO = bytes.maketrans(b"123456789", b"000000000")
_ZERO_TIME = b"0000-00-00T00:00:00Z"


class File(TypedDict):
    """What installers need to know of a wheel: these of the keys that the registry has (`PublishedWheel`).

    A mapping, as it comes out of the JSON: 100,000 values made of them would be a third of the work.
    """

    filename: str
    url: str
    sha256: str
    size: int
    upload_time: str
    requires_python: NotRequired[str]
    metadata_sha256: NotRequired[str]
    yanked: NotRequired[str]
    provenance: NotRequired[str]
    variant: NotRequired[Properties]


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What installers need to know of a project. `files` are those that the index offers."""

    files: Sequence[File]
    status: str
    status_reason: str | None
    variant_namespaces: Sequence[str] = ()


def read(name: str, text: bytes, *, variants: bool = False) -> Project:
    """Return a project out of its text in the registry, without its wheel variants unless they are asked for.

    Raises RegistryError for another shape, IndexFault for a file that no index may offer.
    """
    try:
        entry = orjson.loads(text)
        files: list[File] = entry.get("wheels", [])
        if b"null" in text:  # someone edited it: what is null is not known
            files = [
                cast("File", {key: item for key, item in file.items() if item is not None}) for file in files
            ]
        if not _plainly_sound(files):
            for file in files:
                _check(name, file)
    except (orjson.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
        package(name, text)  # says what is wrong, by its key
        raise RegistryError(f"packages.{name}: {error}") from error
    if not variants:
        files = [file for file in files if label(file["filename"]) is None]
    status = entry.get("status", "active")
    return Project(
        files=[] if status == "quarantined" else files,  # an index must not offer those (PEP 792)
        status=status,
        status_reason=entry.get("status_reason"),
        variant_namespaces=entry.get("variant_namespaces", ()),
    )


def package(name: str, text: bytes) -> Package:
    """Return the whole of what the registry knows of a project. Raises RegistryError for another shape."""
    try:
        return parse(Package, orjson.loads(text), path=f"packages.{name}")
    except orjson.JSONDecodeError as error:
        raise RegistryError(f"packages.{name}: not JSON: {error}") from error
    except Mismatch as error:
        raise RegistryError(str(error)) from error


def _plainly_sound(files: Sequence[File]) -> bool:
    """Say whether `_check` would pass all files, without asking it: False means that it has to be asked.

    A match or two for each of 100,000 files would be a fifth of all work; bytes go through tables at once.
    """
    names = [file["filename"] for file in files]
    digests = [file["sha256"] for file in files]
    digests += [file["metadata_sha256"] for file in files if "metadata_sha256" in file]
    times = [file["upload_time"] for file in files]
    sizes = [file["size"] for file in files]
    return (
        all(names)
        and not "".join(names).encode().translate(None, _NAME_CHARACTERS)
        and set(map(len, digests)) <= {64}
        and not "".join(digests).encode().translate(None, _HEX)
        and set(map(len, times)) <= {len(_ZERO_TIME)}
        and "".join(times).encode().translate(_TO_ZERO) == _ZERO_TIME * len(files)
        and set(map(type, sizes)) <= {int}
        and min(sizes, default=0) >= 0
        and not [file for file in files if "provenance" in file]
    )


def _check(name: str, file: File) -> None:
    """Raise IndexFault for a file that no index may offer."""
    fault = None
    if not _FILENAME.fullmatch(file["filename"]):
        fault = "is no file name that an index may offer"
    elif not _SHA256.fullmatch(file["sha256"]):
        fault = (
            "has no sha256 (64 hex digits): without it nobody could tell a changed file; "
            "verify and publish the wheel anew"
        )
    elif not _TIME.fullmatch(file["upload_time"]):
        fault = f"has upload_time {file['upload_time']!r}, not UTC as PEP 700 wants it (2026-11-21T10:00:00Z)"
    elif type(file["size"]) is not int or file["size"] < 0:
        fault = f"has size {file['size']!r}, not a number of bytes"
    elif not _SHA256.fullmatch(file.get("metadata_sha256", "0" * 64)):
        fault = "has a metadata_sha256 that is not 64 hex digits"
    elif not file.get("provenance", "https://").startswith("https://"):
        fault = f"has provenance {file.get('provenance')!r}, not an absolute https URL (PEP 740)"
    if fault:
        raise IndexFault(f"packages.{name}: {file['filename']!r} {fault}")


def project_pages(name: str, project: Project, files: Sequence[File], links: Links) -> tuple[bytes, bytes]:
    """Draw a project's page with these of its files, as HTML and as JSON."""
    urls = [links.to(file["url"], plain=f"files/{name}/{file['filename']}") for file in files]
    return _project_html(name, project, files, urls), _project_json(name, project, files, urls)


def _project_html(name: str, project: Project, files: Sequence[File], urls: Sequence[str]) -> bytes:
    out = [_HEAD]
    if project.status != "active":
        out.append(f'<meta name="pypi:project-status" content="{escape(project.status)}">\n')
        if project.status_reason is not None:
            reason = escape(project.status_reason)
            out.append(f'<meta name="pypi:project-status-reason" content="{reason}">\n')
    out.append(f"<title>Links for {name}</title>\n</head>\n<body>\n<h1>Links for {name}</h1>\n")
    out += [
        f"<a {anchor(file, url)}>{file['filename']}</a><br>\n" for file, url in zip(files, urls, strict=True)
    ]
    out.append("</body>\n</html>\n")
    return "".join(out).encode()


def anchor(file: File, url: str) -> str:
    """Return the attributes of the anchor of a file at a (quoted) URL.

    ``data-size`` and ``data-upload-time`` are no part of the HTML standard, but uv reads them.
    """
    href = url.replace("&", "&amp;") if "&" in url else url
    python = _attribute("data-requires-python", file.get("requires_python"))
    digest = file.get("metadata_sha256")
    metadata = (
        f' data-core-metadata="sha256={digest}" data-dist-info-metadata="sha256={digest}"' if digest else ""
    )
    seldom = ""
    if "yanked" in file or "provenance" in file:
        seldom = _attribute("data-yanked", file.get("yanked")) + _attribute(
            "data-provenance", file.get("provenance")
        )
    return (
        f'href="{href}#sha256={file["sha256"]}"{python}{metadata}{seldom}'
        f' data-size="{file["size"]}" data-upload-time="{file["upload_time"]}"'
    )


@lru_cache(maxsize=4096)
def _attribute(name: str, value: str | None) -> str:
    """Return an attribute with the space before it; nothing for what is not known. Kept: pages repeat themselves."""
    return "" if value is None else f' {name}="{escape(value)}"'


def projects_html(names: Iterable[str]) -> bytes:
    """Draw the page that lists all projects."""
    out = [_HEAD, "<title>Simple index</title>\n</head>\n<body>\n"]
    out += [f'<a href="{name}/">{name}</a><br>\n' for name in names]
    out.append("</body>\n</html>\n")
    return "".join(out).encode()


def _project_json(name: str, project: Project, files: Sequence[File], urls: Sequence[str]) -> bytes:
    page: dict[str, Any] = {"meta": {"api-version": API_VERSION}, "name": name}
    if project.status != "active":
        page["project-status"] = {"status": project.status}
        if project.status_reason is not None:
            page["project-status"]["reason"] = project.status_reason
    page["versions"] = sorted({file["filename"].split("-", 2)[1] for file in files})
    page["files"] = [_file_json(file, url) for file, url in zip(files, urls, strict=True)]
    return orjson.dumps(page)


def _file_json(file: File, url: str) -> dict[str, Any]:
    entry = {
        "filename": file["filename"],
        "url": url,
        "hashes": {"sha256": file["sha256"]},
        "size": file["size"],
        "upload-time": file["upload_time"],
    }
    if "requires_python" in file:
        entry["requires-python"] = file["requires_python"]
    if "metadata_sha256" in file:
        entry["core-metadata"] = {"sha256": file["metadata_sha256"]}
    if "yanked" in file:
        entry["yanked"] = file["yanked"] or True  # an empty string would say that it is not
    if "provenance" in file:
        entry["provenance"] = file["provenance"]
    return entry


def projects_json(names: Iterable[str]) -> bytes:
    """Draw the list of all projects as JSON."""
    return orjson.dumps(
        {"meta": {"api-version": API_VERSION}, "projects": [{"name": name} for name in names]}
    )
