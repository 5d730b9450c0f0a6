"""The keys of a store, and what each is served as.

::

    packages.json                   the registry
    index/…                         the pages
    files/<project>/<filename>      a wheel; beside it .metadata (PEP 658), .provenance (PEP 740), its build's log, its
                                    bill of materials, its statement and the verdict on it
    files/<project>/<name>.patch    a patch that wheels were built with
    records/<project>/<filename>.json   the immutable record of a wheel: a registry of only that one
    history/<generation>.json       the registry as it was at a generation
    history/damaged-<sha256>.json   what lay at packages.json and was not a registry, put aside by reconcile
    trust/…                         the signed root of the index, and the keys that sign (evidence.root, evidence.keys)

The URL of a key is the store's public URL, a slash, and the key quoted: ``+`` is ``%2B``, which S3 would
otherwise take for a space.
"""

from __future__ import annotations

import re
from typing import NamedTuple
from urllib.parse import quote, unquote

from workbench.paths import SIMPLE as SIMPLE  # noqa: PLC0414 - one of the keys

REGISTRY = "packages.json"
INDEX = "index/"
FILES = "files/"
RECORDS = "records/"
HISTORY = "history/"
TRUST = "trust/"

_IMMUTABLE = "public, max-age=31536000, immutable"
CHANGING = "no-cache"
"""Served from a cache only after asking: installers get a 304 as long as nothing changed."""


class Headers(NamedTuple):
    """The HTTP headers ``Content-Type`` and ``Cache-Control`` of a key."""

    content_type: str
    cache_control: str


def file_key(project: str, filename: str) -> str:
    """Return where a wheel lies."""
    return f"{FILES}{project}/{filename}"


def metadata_key(project: str, filename: str) -> str:
    """Return where a wheel's ``METADATA`` lies (PEP 658: the file's own URL and ``.metadata``)."""
    return f"{FILES}{project}/{filename}.metadata"


def provenance_key(project: str, filename: str) -> str:
    """Return where a wheel's attestations lie (PEP 740)."""
    return f"{FILES}{project}/{filename}.provenance"


def log_key(project: str, name: str, sha256: str) -> str:
    """Return where a build's log lies. Its hash is in the key: two builds may make one wheel, and never one log."""
    return f"{FILES}{project}/{name}.{sha256[:12]}.log"


def sbom_key(project: str, filename: str, sha256: str) -> str:
    """Return where a copy of a wheel's bill of materials lies."""
    return f"{FILES}{project}/{filename}.sbom.{sha256[:12]}.json"


def statement_key(project: str, filename: str, sha256: str) -> str:
    """Return where a wheel's statement lies. Two builds, or two keys, make statements of their own for one wheel."""
    return f"{FILES}{project}/{filename}.statement.{sha256[:12]}.json"


def verdict_key(project: str, filename: str, sha256: str) -> str:
    """Return where the verdict on a wheel lies, of which there may be several over time."""
    return f"{FILES}{project}/{filename}.verdict.{sha256[:12]}.json"


def patch_key(project: str, name: str, sha256: str) -> str:
    """Return where a patch lies, of which there may be several of one name over time."""
    stem = name.rpartition("/")[2].removesuffix(".patch").removesuffix(".diff")
    return f"{FILES}{project}/{stem}.{sha256[:12]}.patch"


def record_key(project: str, filename: str) -> str:
    """Return where a wheel's record lies."""
    return f"{RECORDS}{project}/{filename}.json"


def history_key(generation: int) -> str:
    """Return where a generation's registry lies; keys sort as the generations do."""
    return f"{HISTORY}{generation:08}.json"


def url(public_url: str, key: str) -> str:
    """Return the URL of a key below a store's public URL."""
    return f"{public_url}/{quote(key, safe='/~')}"


def damaged_key(sha256: str) -> str:
    """Return where the bytes of a registry that could not be read are put aside."""
    return f"{HISTORY}damaged-{sha256}.json"


class WheelKey(NamedTuple):
    """What a key below ``files/`` or ``records/`` belongs to: a project's wheel."""

    project: str
    filename: str


def wheel_of(key: str) -> WheelKey | None:
    """Return the wheel that a key's file or record belongs to; None for a key that is not ours."""
    match = _FILE.fullmatch(key) or _RECORD.fullmatch(key)
    return WheelKey(match["project"], match["filename"]) if match else None


def wheel_at(address: str) -> tuple[str, WheelKey] | None:
    """Return the store's URL, without a slash, and the wheel whose file a URL names in it; None for any other URL."""
    base, *parts = address.rsplit("/", 3)
    key = unquote("/".join(parts))
    found = wheel_of(key)
    return (base, found) if found and key == file_key(*found) else None


def is_text(key: str) -> bool:
    """Say whether a key is that of a log, a patch, a statement or the like, which an entry may link to."""
    return _TEXT.fullmatch(key) is not None


def digest_of(key: str) -> str:
    """Return the digits of its own sha256 that the key of such a text has."""
    return key.rsplit(".", 2)[1]


def generation_of(key: str) -> int | None:
    """Return the generation that a key of the history keeps; None for a key that is not ours."""
    match = _GENERATION.fullmatch(key)
    return int(match[1]) if match else None


_PROJECT = r"(?P<project>[a-z0-9]+(?:-[a-z0-9]+)*)"
_TEXT_OF_ONE = r"(?:\.[0-9a-f]{12}\.log|\.(?:sbom|statement|verdict)\.[0-9a-f]{12}\.json)"
_WHEEL = rf"{_PROJECT}/(?P<filename>[^/]+\.whl)"
_FILE = re.compile(rf"{FILES}{_WHEEL}(?:\.metadata|\.provenance|{_TEXT_OF_ONE})?")
_TEXT = re.compile(rf"{FILES}{_PROJECT}/(?:[^/]+\.[0-9a-f]{{12}}\.patch|[^/]+{_TEXT_OF_ONE})")
_RECORD = re.compile(rf"{RECORDS}{_WHEEL}\.json")
_GENERATION = re.compile(rf"{HISTORY}(\d{{8,}})\.json")


def headers(key: str) -> Headers:
    """Return what a file of the store is served as. Pages bring their own type (``index.output.Page``)."""
    cache = _IMMUTABLE if key.startswith((FILES, RECORDS, HISTORY)) else CHANGING
    return Headers(_TYPES.get(key.rpartition(".")[2], "application/octet-stream"), cache)


_TYPES = {
    "json": "application/json",
    **dict.fromkeys(("metadata", "log", "patch", "txt"), "text/plain; charset=utf-8"),
    "provenance": "application/vnd.pypi.integrity.v1+json",
}
