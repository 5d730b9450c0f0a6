"""The installers' side: the Simple Repository API, version 1.4, as HTML and as JSON.

PEP 503 (HTML), 592 (yank), 629 (version), 658 and 714 (metadata files), 691 (JSON), 700 (sizes, times,
versions), 740 (provenance), 792 (project status). All of it is a pure function of the registry.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import msgspec

from workbench.errors import IndexFault, RegistryError
from workbench.index.page import attribute

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from workbench.index.page import Links

API_VERSION = "1.4"

_HEAD = (
    '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    f'<meta name="pypi:repository-version" content="{API_VERSION}">\n'
)
_FILENAME = r"[0-9A-Za-z_.+!-]+"
_SHA256 = r"[0-9a-f]{64}"
_TIME = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?Z"
_SOUND = re.compile(f"{_FILENAME} {_SHA256} {_TIME} (?:None|{_SHA256})")


class File(msgspec.Struct, frozen=True, gc=False):
    """What installers need to know of a wheel.

    These are the registry's own keys (``registry.model.PublishedWheel``); msgspec reads them past the
    others at a third of what the whole value would cost, which is most of the work of drawing 100,000
    wheels.
    """

    filename: str
    url: str
    sha256: str
    size: Annotated[int, msgspec.Meta(ge=0)]
    upload_time: str
    requires_python: str | None = None
    metadata_sha256: str | None = None
    yanked: str | None = None
    provenance: str | None = None


class Project(msgspec.Struct, frozen=True):
    """What installers need to know of a project."""

    wheels: tuple[File, ...] = ()
    status: str = "active"
    status_reason: str | None = None

    @property
    def offered(self) -> tuple[File, ...]:
        """The files that the index offers: none of a quarantined project (PEP 792)."""
        return () if self.status == "quarantined" else self.wheels


_decode = msgspec.json.Decoder(Project).decode


def read(name: str, text: bytes) -> Project:
    """Return a project out of its text in the registry.

    Raises RegistryError for another shape, IndexFault for a file that no index may offer.
    """
    try:
        project = _decode(text)
    except msgspec.MsgspecError as error:
        raise RegistryError(f"packages.{name}: {error}") from error
    for file in project.wheels:
        # one match for all of it: over 100,000 files it is the matches that cost
        facts = f"{file.filename} {file.sha256} {file.upload_time} {file.metadata_sha256}"
        if not _SOUND.fullmatch(facts) or not (file.provenance or "https://").startswith("https://"):
            raise IndexFault(f"packages.{name}: {file.filename!r} {_fault(file)}")
    return project


def _fault(file: File) -> str:
    if not re.fullmatch(_FILENAME, file.filename):
        return "is no file name that an index may offer"
    if not re.fullmatch(_SHA256, file.sha256):
        return (
            "has no sha256 (64 hex digits): without it nobody could tell a changed file; "
            "verify and publish the wheel anew"
        )
    if not re.fullmatch(_TIME, file.upload_time):
        return f"has upload_time {file.upload_time!r}, not UTC as PEP 700 wants it (2026-11-21T10:00:00Z)"
    if not re.fullmatch(_SHA256, file.metadata_sha256 or ""):
        return "has a metadata_sha256 that is not 64 hex digits"
    return f"has provenance {file.provenance!r}, not an absolute https URL (PEP 740)"


def project_pages(name: str, project: Project, files: Sequence[File], links: Links) -> tuple[bytes, bytes]:
    """Draw a project's page with these of its files, as HTML and as JSON."""
    urls = [links.to(file.url, plain=f"files/{name}/{file.filename}") for file in files]
    return _project_html(name, project, files, urls), _project_json(name, project, files, urls)


def _project_html(name: str, project: Project, files: Sequence[File], urls: Sequence[str]) -> bytes:
    out = [_HEAD]
    if project.status != "active":
        out.append(f'<meta name="pypi:project-status" content="{attribute(project.status)}">\n')
        if project.status_reason is not None:
            reason = attribute(project.status_reason)
            out.append(f'<meta name="pypi:project-status-reason" content="{reason}">\n')
    out.append(f"<title>Links for {name}</title>\n</head>\n<body>\n<h1>Links for {name}</h1>\n")
    out += [
        f"<a {anchor(file, url)}>{file.filename}</a><br>\n" for file, url in zip(files, urls, strict=True)
    ]
    out.append("</body>\n</html>\n")
    return "".join(out).encode()


def anchor(file: File, url: str) -> str:
    """Return the attributes of the anchor of a file at a (quoted) URL.

    ``data-size`` and ``data-upload-time`` are no part of the HTML standard, but uv reads them.
    """
    out = f'href="{url.replace("&", "&amp;")}#sha256={file.sha256}"'
    if file.requires_python is not None:
        out += f' data-requires-python="{attribute(file.requires_python)}"'
    if digest := file.metadata_sha256:
        out += f' data-core-metadata="sha256={digest}" data-dist-info-metadata="sha256={digest}"'
    if file.yanked is not None:
        out += f' data-yanked="{attribute(file.yanked)}"'
    if file.provenance is not None:
        out += f' data-provenance="{attribute(file.provenance)}"'
    return f'{out} data-size="{file.size}" data-upload-time="{file.upload_time}"'


def projects_html(names: Iterable[str]) -> bytes:
    """Draw the page that lists all projects."""
    out = [_HEAD, "<title>Simple index</title>\n</head>\n<body>\n"]
    out += [f'<a href="{name}/">{name}</a><br>\n' for name in names]
    out.append("</body>\n</html>\n")
    return "".join(out).encode()


class _Meta(msgspec.Struct, rename={"api_version": "api-version"}):
    api_version: str = API_VERSION


class _Status(msgspec.Struct, omit_defaults=True):
    status: str | None = None
    reason: str | None = None


class _Name(msgspec.Struct):
    name: str


class _File(msgspec.Struct, rename="kebab", omit_defaults=True, gc=False):
    filename: str
    url: str
    hashes: dict[str, str]
    size: int
    upload_time: str
    requires_python: str | None = None
    core_metadata: dict[str, str] | None = None
    yanked: str | bool = False
    provenance: str | None = None


class _Project(msgspec.Struct, rename="kebab"):
    meta: _Meta
    name: str
    versions: list[str]
    files: list[_File]
    project_status: _Status | msgspec.UnsetType = msgspec.UNSET


class _Projects(msgspec.Struct):
    meta: _Meta
    projects: list[_Name]


_encode = msgspec.json.Encoder().encode


def _project_json(name: str, project: Project, files: Sequence[File], urls: Sequence[str]) -> bytes:
    status = project.status, project.status_reason
    return _encode(
        _Project(
            meta=_Meta(),
            name=name,
            versions=sorted({file.filename.split("-", 2)[1] for file in files}),
            files=[_file(file, url) for file, url in zip(files, urls, strict=True)],
            project_status=msgspec.UNSET if status == ("active", None) else _Status(*status),
        )
    )


def _file(file: File, url: str) -> _File:
    digest = file.metadata_sha256
    # A yank without a reason is "" in HTML, and true here: an empty string would say that it is not yanked.
    yanked: str | bool = False if file.yanked is None else file.yanked or True
    return _File(
        file.filename,
        url,
        {"sha256": file.sha256},
        file.size,
        file.upload_time,
        file.requires_python,
        {"sha256": digest} if digest else None,
        yanked,
        file.provenance,
    )


def projects_json(names: Iterable[str]) -> bytes:
    """Draw the list of all projects as JSON."""
    return _encode(_Projects(_Meta(), [_Name(name) for name in names]))
