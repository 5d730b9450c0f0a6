"""Read a registry in the older form that others wrote, and say what had to be mended or could not be accepted.

The older form is ``{"packages": {NAME: {source_repo, source_branch, upstream, description, wheels: [{filename, url,
python_version, platform, upload_date, sha256}]}}}``, written by hand or by scripts: names as people write them,
empty hashes, missing keys.
"""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from workbench.errors import RegistryError
from workbench.registry.model import Package, PublishedWheel, Registry

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_SHA256 = re.compile(r"[0-9a-f]{64}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_CONNECTIONS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """What was done with one entry (``package`` or ``package/filename``): mended, or refused, and why."""

    entry: str
    outcome: Literal["mended", "refused"]
    why: str


def import_older(path: Path) -> tuple[Registry, tuple[Remark, ...]]:
    """Return what a registry file of the older form holds, as far as it can be accepted, and the remarks.

    The older form knows no sizes, which an index must give (PEP 700): each file is asked for its size where its
    URL says it is, and one that does not answer is refused.

    Raises RegistryError when the file is not JSON or has no packages.
    """
    try:
        data = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise RegistryError(f"{path}: no such file") from error
    except ValueError as error:
        raise RegistryError(f"{path}: not JSON: {error}") from error
    packages = data.get("packages") if isinstance(data, dict) else None
    if not isinstance(packages, dict):
        raise RegistryError(f'{path}: no "packages" in it: not a registry')
    if "schema" in data:
        raise RegistryError(f"{path}: schema {data['schema']!r}: not of the older form; nothing to import")
    remarks: list[Remark] = []
    registry = Registry()
    for written, entry in packages.items():
        name = canonicalize_name(written)
        if not isinstance(entry, dict):
            remarks.append(Remark(entry=written, outcome="refused", why=f"not a mapping: {entry!r:.40}"))
            continue
        if name in registry.packages:
            remarks.append(Remark(entry=written, outcome="refused", why=f"{name} is in the file twice"))
            continue
        package, said = _package(written, entry)
        remarks += said
        registry = registry.with_package(name, package)
    return registry, tuple(remarks)


def _package(written: str, entry: dict[str, Any]) -> tuple[Package, list[Remark]]:
    name = canonicalize_name(written)
    remarks = []

    def mended(why: str) -> None:
        remarks.append(Remark(entry=written, outcome="mended", why=why))

    if name != written:
        mended(f"its name is normalised to {name}")
    facts = {key: entry.get(key) or None for key in ("source_repo", "source_branch", "upstream")}
    if not facts["source_repo"]:
        mended("no source_repo: left empty")
    if not entry.get("description"):
        mended("no description: left empty")
    wheels, said = _wheels(name, written, entry.get("wheels") or ())
    package = Package(
        source_repo=facts["source_repo"] or "",
        source_branch=facts["source_branch"],
        upstream=facts["upstream"],
        description=entry.get("description") or "",
        wheels=wheels,
    )
    return package, [*remarks, *said]


def _wheels(
    name: str, written: str, entries: Iterable[object]
) -> tuple[tuple[PublishedWheel, ...], list[Remark]]:
    wheels: dict[str, PublishedWheel] = {}
    remarks = []

    def refuse(filename: object, why: str) -> None:
        remarks.append(Remark(entry=f"{written}/{filename}", outcome="refused", why=why))

    for entry in entries:
        wheel, why = _wheel(name, entry)
        if wheel is None:
            refuse(entry.get("filename", "?") if isinstance(entry, dict) else repr(entry)[:40], why)
        elif wheel.filename in wheels:
            refuse(wheel.filename, "the filename is in the list twice")
        else:
            wheels[wheel.filename] = wheel
            if why:
                remarks.append(Remark(entry=f"{written}/{wheel.filename}", outcome="mended", why=why))
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        sizes = dict(zip(wheels, pool.map(_size, (wheel.url for wheel in wheels.values())), strict=True))
    for filename, size in sizes.items():
        if isinstance(size, int):
            wheels[filename] = replace(wheels[filename], size=size)
        else:
            del wheels[filename]
            refuse(filename, f"its size cannot be had: {size}")
    return tuple(wheels.values()), remarks


def _wheel(name: str, entry: object) -> tuple[PublishedWheel | None, str]:
    """Return the wheel of one entry with what was mended in it, or None with why it is refused."""
    if not isinstance(entry, dict):
        return None, "not a mapping"
    text = {key: str(entry.get(key) or "") for key in ("filename", "url", "sha256", "upload_date")}
    try:
        project, _, _, tags = parse_wheel_filename(text["filename"])
    except InvalidWheelFilename as error:
        return None, str(error)
    if project != name:
        return None, f"the filename is of {project}"
    if not text["url"].startswith(("https://", "http://")):
        return None, f"url {text['url']!r} is not an absolute http URL"
    digest = text["sha256"].lower()
    if not _SHA256.fullmatch(digest):
        what = "an empty sha256" if not digest else f"sha256 {digest!r:.20} is not 64 hexadecimal digits"
        return None, f"{what}: download it, check it and publish it with 'invoke upload'"
    mended = []
    date = text["upload_date"][:10]
    if not _DATE.fullmatch(date):
        mended.append("no upload_date: taken as 1970-01-01")
        date = "1970-01-01"
    tag = min(tags, key=str)
    python = re.fullmatch(r"(?:cp|py)(\d)(\d*)", tag.interpreter)
    wheel = PublishedWheel(
        filename=text["filename"],
        url=text["url"],
        python_version=str(
            entry.get("python_version") or (".".join(filter(None, python.groups())) if python else "")
        ),
        platform=str(entry.get("platform") or tag.platform),
        upload_date=date,
        sha256=digest,
        size=0,
        upload_time=f"{date}T00:00:00Z",
    )
    return wheel, "; ".join(mended)


def _size(url: str) -> int | str:
    """Return a file's size in bytes as its server states it, or why it cannot be had."""
    import requests

    try:
        answer = requests.head(url, allow_redirects=True, timeout=30)
    except requests.RequestException as error:
        return f"{url}: {type(error).__name__}"
    length = answer.headers.get("Content-Length", "")
    if answer.status_code != requests.codes.ok or not length.isdecimal():
        return f"{url} answers {answer.status_code}" + ("" if length else " without a length")
    return int(length)
