"""What the workbench knows of a wheel that it built, kept beside the wheel as ``<filename>.build.json``.

A build machine and a publishing machine may be two: the file travels with its wheel. It is bound to it by the hash
of the wheel's RECORD, which names every byte of the payload and costs nothing to read. The build's log lies there too,
as ``<filename>.build.log``, fit to be published: without secrets, and without the place of the build's folder.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from workbench.errors import WorkbenchError
from workbench.files import content_of, write_whole
from workbench.strict import Mismatch, parse

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.evidence.built import Built
    from workbench.evidence.facts import BuildFacts
    from workbench.evidence.provenance import Provenance
    from workbench.memory.peaks import Peak


def keep(
    wheel: Path,
    *,
    build_key: str | None,
    gpu: tuple[str, ...],
    facts: BuildFacts,
    provenance: Provenance | None = None,
    memory: Peak | None = None,
    log: bytes | None = None,
) -> Built:
    """Write what is known of a fresh wheel beside it, and what its build said."""
    from workbench.evidence.built import Built

    built = Built(
        record_sha256=_record_sha256(wheel),
        build_key=build_key,
        gpu=gpu,
        facts=facts,
        provenance=provenance,
        memory=memory,
    )
    put(wheel, built, log)
    return built


def put(wheel: Path, built: Built, log: bytes | None = None) -> None:
    """Write beside a wheel what is known of it, in place of what was said of the wheel that lay there before."""
    unsay(wheel)
    if log is not None:
        write_whole(_log(wheel), log)
    write_whole(_beside(wheel), json.dumps(asdict(built), indent=2) + "\n")


def move(wheel: Path, into: Path) -> Path:
    """Move a wheel and what is known of it into a folder, in place of what lies there; return where it is then.

    What is known comes last: without it a wheel counts as none of ours.
    """
    moved = into / wheel.name
    discard(moved)
    for path in (_log(wheel), wheel, _beside(wheel)):
        if path.exists():
            path.replace(into / path.name)
    return moved


def log_of(wheel: Path) -> bytes | None:
    """Return what a wheel's build said; None where that is not known."""
    return content_of(_log(wheel))


def noted_key(wheel: Path) -> str | None:
    """Return the build key that is noted at a wheel's place; None where none is, or it cannot be read."""
    try:
        return built.build_key if (built := read(wheel)) else None
    except WorkbenchError:
        return None


def recall(wheel: Path) -> Built | None:
    """Return what is known of a wheel, or None for one that was made elsewhere.

    Raises WorkbenchError when the file beside the wheel is damaged, or speaks of other bytes.
    """
    built = read(wheel)
    if built and not speaks_of(built, wheel):
        raise WorkbenchError(
            f"{_beside(wheel)} speaks of other bytes than {wheel.name} has; build the wheel again"
        )
    return built


def speaks_of(built: Built, wheel: Path) -> bool:
    """Say whether notes are those of a file. Raises WorkbenchError for one that is not a whole wheel."""
    return built.record_sha256 == _record_sha256(wheel)


def read(wheel: Path) -> Built | None:
    """Return what is noted at a wheel's place, whatever bytes lie there now, or None where nothing is.

    The wheel itself is not read. Raises WorkbenchError when the file beside it is damaged.
    """
    path = _beside(wheel)
    if (content := content_of(path)) is None:
        return None
    from workbench.evidence.built import Built  # many classes, and of wheels of others nothing is known

    try:
        return parse(Built, json.loads(content))
    except (ValueError, Mismatch) as error:
        raise WorkbenchError(f"{path}: {error}; build the wheel again, or remove this file") from error


def statement_path(wheel: Path) -> Path:
    """Return where a wheel's statement lies, once somebody has signed it."""
    return wheel.with_name(f"{wheel.name}.statement.json")


def verdict_path(wheel: Path) -> Path:
    """Return where the verdict on a wheel lies, once somebody has built it again."""
    return wheel.with_name(f"{wheel.name}.verdict.json")


def attestation_path(wheel: Path) -> Path:
    """Return where a wheel's attestation lies, where Sigstore has one (PEP 740)."""
    return wheel.with_name(f"{wheel.name}.publish.attestation")


def verdict_of(wheel: Path) -> bytes | None:
    """Return the verdict that lies beside a wheel; None where none does."""
    return content_of(verdict_path(wheel))


def statement_beside(wheel: Path) -> bytes | None:
    """Return the statement that lies beside a wheel; None where none does."""
    return content_of(statement_path(wheel))


def discard(wheel: Path) -> None:
    """Remove a wheel and what is known of it."""
    unsay(wheel)
    for path in (wheel, _log(wheel), _beside(wheel)):
        path.unlink(missing_ok=True)


def unsay(wheel: Path) -> None:
    """Remove what was said of a wheel's very bytes: its statement, the verdict on it, its attestation."""
    for path in (statement_path(wheel), verdict_path(wheel), attestation_path(wheel)):
        path.unlink(missing_ok=True)


def _beside(wheel: Path) -> Path:
    return wheel.with_name(f"{wheel.name}.build.json")


def _log(wheel: Path) -> Path:
    return wheel.with_name(f"{wheel.name}.build.log")


def _record_sha256(wheel: Path) -> str:
    # every wheel is asked for notes, and those of others have none
    from workbench.wheel.stream import BadBinary
    from workbench.wheel.wheel import open_wheel

    try:
        with open_wheel(wheel) as opened:
            return hashlib.sha256(opened.text("RECORD")).hexdigest()
    except BadBinary as error:
        raise WorkbenchError(f"{wheel}: not a whole wheel: {error}; build it again") from error
