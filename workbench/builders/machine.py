"""The processor that a wheel's programs are for, whatever its filename says."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_MACHINES = {"x86_64": 62, "aarch64": 183}
"""``e_machine`` of ELF, by ``uname -m``'s word."""

_DEVICES = (190, 224)
"""NVIDIA's and AMD's GPUs: files of their code are ELF files too."""


def foreign_programs(wheel: Path, arch: str) -> tuple[str, ...]:
    """Return the members of a wheel that are programs or libraries for another processor than `arch`.

    A build that fetches something prebuilt, or runs this machine's compiler in a cross build, makes them.
    """
    with zipfile.ZipFile(wheel) as archive:
        return tuple(
            member.filename for member in archive.infolist() if _machine(archive, member) not in (None, arch)
        )


def _machine(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> str | None:
    """Return the processor that a member is for, as `uname` or a number; None for what is for none."""
    with archive.open(member) as file:
        head = file.read(20)
    if not head.startswith(b"\x7fELF") or len(head) < 20:  # noqa: PLR2004 - up to and with e_machine
        return None
    number = int.from_bytes(head[18:20], "little" if head[5] == 1 else "big")
    if number in _DEVICES:
        return None
    return next((name for name, known in _MACHINES.items() if known == number), str(number))
