"""What is wrong with what a page says of a file. Pure: nobody has asked for the file yet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import chain
from types import NoneType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidSdistFilename, InvalidWheelFilename, parse_sdist_filename
from packaging.version import InvalidVersion, Version

from workbench.simple.finding import finding
from workbench.wheel.filename import parse_wheel

if TYPE_CHECKING:
    from workbench.simple.finding import IndexFinding, Remark
    from workbench.simple.listing import Link

PIP_HASHES = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512")
LONGEST = 255
"""Characters of a filename, a version or a specifier: what is longer is none, and costs no more to tell."""
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z", re.ASCII)
_SHA256 = re.compile(r"[0-9a-f]{64}")

_SHAPES: dict[str, tuple[tuple[type, ...], str]] = {
    "filename": ((str,), "a string"),
    "url": ((str,), "a string"),
    "hashes": ((dict,), "a mapping"),
    "size": ((int,), "a number of bytes"),
    "upload-time": ((str,), "a string"),
    "yanked": ((bool, str), "true, false or a reason"),
    "requires-python": ((str, NoneType), "a string"),
    "core-metadata": ((bool, dict, NoneType), "true, false or a mapping"),
    "dist-info-metadata": ((bool, dict, NoneType), "true, false or a mapping"),
}
"""The types of a file's keys in JSON (PEP 691, 700, 714). A value of another makes uv refuse the page."""

_NEEDED = ("filename", "url", "hashes")
"""The keys without which uv refuses the page."""


def judge_file(link: Link, url: str, name: str | None, *, is_json: bool) -> Iterator[IndexFinding]:
    """Judge a file on the page at `url`, that of the project `name` if it is any one's."""
    remarks = chain(
        _judge_shape(link) if is_json else (),
        _judge_names(link, name, is_json=is_json) if link.url else (),
        _judge_hashes(link),
        _judge_facts(link.attributes, is_json=is_json),
    )
    yield from (finding(severity, url, f"{called(link)}: {what}") for severity, what in remarks)


def called(link: Link) -> str:
    """Return a name for a file in messages."""
    return link.filename or link.name or link.href


def _judge_shape(link: Link) -> Iterator[Remark]:
    entry = link.attributes
    for key, (kinds, words) in _SHAPES.items():
        if key not in entry:
            if key in _NEEDED:
                yield "error", f"{key} is missing: uv refuses the page"
        elif type(entry[key]) not in kinds or (key == "size" and entry[key] < 0):
            yield "error", f"{key} is {entry[key]!r:.60}, not {words}: uv refuses the page"
    for key in ("hashes", "core-metadata", "dist-info-metadata"):
        digests = entry[key] if isinstance(entry.get(key), dict) else {}
        for algorithm in PIP_HASHES:
            if not isinstance(digests.get(algorithm, ""), str):
                yield "error", f"{key}.{algorithm} is not a string: pip or uv stops at it"
    if entry.get("dist-info-metadata"):
        yield "warning", "dist-info-metadata in JSON: pip 22.3 to 23.1.2 crashes (PEP 714)"
    if link.url is None and link.href:
        yield "error", f"{link.href} is not a URL: pip stops at the page"


def _judge_names(link: Link, name: str | None, *, is_json: bool) -> Iterator[Remark]:
    if link.name != link.filename:
        ends = f"named {link.name}, but its URL ends in {link.filename}"
        if is_json:
            yield "error", f"{ends}: pip uses that name, and uv the filename"
        else:
            yield "warning", f"{ends}, which is the name that installers use (PEP 503)"
    found = project_of(link.filename)
    if found is None and not link.filename.endswith("-variants.json"):  # PEP 825, a draft
        yield "warning", "not a valid name of a wheel or an sdist: pip may take it, uv does not"
    elif found and name and found != name:
        yield "warning", f"belongs to the project {found}: installers skip it"
    if "+" in urlsplit(link.url or "").path:
        yield "warning", "its URL has an unquoted +: uv asks for it as it is, and S3 reads it as a space"


def _judge_hashes(link: Link) -> Iterator[Remark]:
    digest = link.hashes.get("sha256")
    if digest is None and link.hashes:
        yield "warning", f"hashed by {', '.join(link.hashes)} instead of sha256 (PEP 503)"
    elif digest is None:
        yield "warning", "no hash: a changed or broken file goes unnoticed"
    elif not _SHA256.fullmatch(digest):
        yield "error", "sha256 is not 64 lower-case hex digits: it is refused"
    promised = (link.metadata or {}).get("sha256")
    if promised is not None and not _SHA256.fullmatch(promised):
        yield "error", f"core-metadata sha256={promised} is not a sha256: pip stops at it"
    elif promised is None and link.metadata:
        yield "warning", "core-metadata is not hashed by sha256 (PEP 714)"


def _judge_facts(facts: Mapping[str, Any], *, is_json: bool) -> Iterator[Remark]:
    python = facts.get("requires-python")
    if isinstance(python, str) and not _is_specifier(python):
        what = f"requires-python {python!r} is not a valid specifier (PEP 440)"
        yield "error", f"{what}: pip takes the file for any Python, and uv skips it if it cannot correct that"
    time = facts.get("upload-time")
    if isinstance(time, str) and is_json and not _is_instant(time):
        yield "error", f"upload-time {time!r} is not a time with a zone: uv refuses the page"
    elif isinstance(time, str) and not _TIME.fullmatch(time):
        yield "warning", f"upload-time {time!r} does not have the form 2026-11-21T10:00:00Z (PEP 700)"
    promises = [facts[key] for key in ("core-metadata", "dist-info-metadata") if facts.get(key) is not None]
    if len(promises) > 1 and promises[0] != promises[1]:
        yield "warning", "core-metadata and dist-info-metadata differ (PEP 714)"
    provenance = facts.get("provenance")
    if provenance and not str(provenance).startswith("https://"):
        yield "warning", f"provenance {provenance!r} is not an absolute https URL (PEP 740)"


def project_of(filename: str) -> str | None:
    """Return the project that a filename says, or None where it says none."""
    found = parsed(filename)
    return found[0] if found else None


def parsed(filename: str) -> tuple[str, Version] | None:
    """Return the project and the version that a filename says, or None where it says none.

    A wheel variant (PEP 825, a draft) is named as other wheels are, with a label more.
    """
    if len(filename) > LONGEST:
        return None
    try:
        if not filename.endswith(".whl"):
            return parse_sdist_filename(filename)
        wheel = parse_wheel(filename, labelled=True)
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        return None
    return wheel.name, wheel.version


def as_version(text: str) -> Version | None:
    """Return a version, or None for what is not one (PEP 440)."""
    try:
        return Version(text) if len(text) <= LONGEST else None
    except InvalidVersion:
        return None


def _is_specifier(text: str) -> bool:
    try:
        SpecifierSet(text[: LONGEST + 1])
    except InvalidSpecifier:
        return False
    return len(text) <= LONGEST


def _is_instant(text: str) -> bool:
    """Say whether a text is a time with its zone, in any form of ISO 8601."""
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False
