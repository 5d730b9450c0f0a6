"""RECORD: the list of a wheel's files with their hashes and sizes (PEP 376, PEP 427)."""

from __future__ import annotations

import base64
import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass, field

from workbench.wheel.stream import BadBinary

HASHES = ("sha256", "sha384", "sha512")
"""What a hash in RECORD may be: ``sha256`` or stronger."""

UNLISTED = ("RECORD.jws", "RECORD.p7s")
"""Signatures of RECORD, which it cannot hold the hashes of (PEP 427)."""


class BadRecord(BadBinary):
    """RECORD is not the CSV file that it must be. The message says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of RECORD. `line` counts from 1; `algorithm`, `digest` (base64) and `size` may be empty."""

    line: int = field(compare=False)
    path: str
    algorithm: str
    digest: str
    size: str


def most_rows(members: int) -> int:
    """Return how many rows a RECORD may have, beside so many members, before nobody needs to read it to the end."""
    return 2 * members + 1000


def parse(data: bytes, *, most: int = 1 << 20) -> tuple[Row, ...]:
    """Return the rows of a RECORD file. Raises BadRecord, also for one with more than `most` lines."""
    if (lines := data.count(b"\n") + data.count(b"\r")) > 2 * most:  # each line may end in both
        raise BadRecord(f"{lines} lines are too many to be true")
    try:
        reader = csv.reader(io.StringIO(data.decode(), newline=""), strict=True)
        return tuple(_row(reader.line_num, cells) for cells in reader if cells)
    except UnicodeDecodeError as error:
        raise BadRecord(f"it is not UTF-8: {error}") from error
    except csv.Error as error:
        raise BadRecord(f"line {reader.line_num}: {error}") from error


def write(rows: Iterable[Row]) -> bytes:
    """Return a RECORD file of these rows, in their order."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in rows:
        writer.writerow([row.path, f"{row.algorithm}={row.digest}" if row.algorithm else "", row.size])
    return out.getvalue().encode()


def encoded(digest: bytes) -> str:
    """Return a digest as RECORD spells it: base64 for URLs, without padding."""
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _row(line: int, cells: list[str]) -> Row:
    if len(cells) != 3:  # noqa: PLR2004 - path, hash, size
        raise BadRecord(f"line {line}: {len(cells)} columns, and a row has 3: path, hash, size")
    path, digest, size = cells
    algorithm, _, encoded_digest = digest.partition("=")
    return Row(line=line, path=path, algorithm=algorithm, digest=encoded_digest, size=size)


def installed(member: str) -> str | None:
    """Return where in site-packages a member is installed, None for one that goes elsewhere (PEP 427)."""
    top, _, rest = member.partition("/")
    if not top.endswith(".data"):
        return member
    scheme, _, rest = rest.partition("/")
    return rest if scheme in ("purelib", "platlib") else None


def modules(paths: Iterable[str]) -> tuple[str, ...]:
    """Return the import names of what some paths of site-packages hold: the packages, and the modules at its top.

    A package in a namespace's folder counts as itself: ``google.protobuf``. An extension module counts
    where there is nothing else: most are imported by a package, which knows what they need loaded before.
    """
    packages: set[str] = set()
    plain: set[str] = set()
    compiled: set[str] = set()
    for path in paths:
        *folders, filename = path.split("/")
        name, *_, suffix = filename.split(".") if "." in filename else (filename, "")
        if suffix not in ("py", "so") or not all(each.isidentifier() for each in (*folders, name)):
            continue
        if folders and name == "__init__":
            packages.add(".".join(folders))
        elif not folders:
            (plain if suffix == "py" else compiled).add(name)
    tops = {each for each in packages if not any(each.startswith(f"{other}.") for other in packages)}
    return tuple(sorted(tops | plain or compiled))
