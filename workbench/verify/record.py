"""RECORD: the list of a wheel's files with their hashes and sizes (PEP 376, PEP 427)."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

HASHES = ("sha256", "sha384", "sha512")
"""What a hash in RECORD may be: ``sha256`` or stronger."""


class BadRecord(ValueError):
    """RECORD is not the CSV file that it must be. The message says where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A row of RECORD. `line` counts from 1; `algorithm`, `digest` (base64) and `size` may be empty."""

    line: int
    path: str
    algorithm: str
    digest: str
    size: str


def parse(data: bytes) -> tuple[Row, ...]:
    """Return the rows of a RECORD file. Raises BadRecord."""
    try:
        reader = csv.reader(io.StringIO(data.decode(), newline=""), strict=True)
        return tuple(_row(reader.line_num, cells) for cells in reader if cells)
    except UnicodeDecodeError as error:
        raise BadRecord(f"it is not UTF-8: {error}") from error
    except csv.Error as error:
        raise BadRecord(f"line {reader.line_num}: {error}") from error


def _row(line: int, cells: list[str]) -> Row:
    if len(cells) != 3:  # noqa: PLR2004 - path, hash, size
        raise BadRecord(f"line {line}: {len(cells)} columns, and a row has 3: path, hash, size")
    path, digest, size = cells
    algorithm, _, encoded = digest.partition("=")
    return Row(line=line, path=path, algorithm=algorithm, digest=encoded, size=size)
