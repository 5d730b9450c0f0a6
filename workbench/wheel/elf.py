"""What a shared library says of itself, and the processors that it may be for."""

from __future__ import annotations

from dataclasses import dataclass, field

MAGIC = b"\x7fELF"
HEAD = 20
"""Bytes of a header up to the end of ``e_machine``."""
_BIG_ENDIAN = 2
"""How the sixth of them says so (``ELFDATA2MSB``)."""


@dataclass(frozen=True, slots=True)
class Processor:
    """A processor that Python runs on: its ``e_machine``, its name here, and how its ELF files are laid out.

    `triplet` is its name in the suffix of an extension module.
    """

    number: int
    name: str
    triplet: str
    bits: int = 64
    big_endian: bool = False


PROCESSORS = {
    "x86_64": Processor(62, "x86_64", "x86_64"),
    "i686": Processor(3, "i386", "i386", bits=32),
    "aarch64": Processor(183, "aarch64", "aarch64"),
    "armv7l": Processor(40, "arm", "arm", bits=32),
    "armv6l": Processor(40, "arm", "arm", bits=32),
    "ppc64le": Processor(21, "ppc64", "powerpc64le"),
    "ppc64": Processor(21, "ppc64", "powerpc64", big_endian=True),
    "s390x": Processor(22, "s390", "s390x", big_endian=True),
    "riscv64": Processor(243, "riscv", "riscv64"),
    "loongarch64": Processor(258, "loongarch", "loongarch64"),
}
"""The processors by the architecture of platform tags (``uname -m``): the one table of them."""

MACHINES = {each.number: each.name for each in PROCESSORS.values()}


def machine_of(head: bytes) -> str | None:
    """Return the processor that an ELF file which begins like this is for; None for what is not an ELF file.

    It is a name of `MACHINES`, or ``EM_<number>`` for what no Python runs on (a GPU's code, BPF).
    """
    if len(head) < HEAD or not head.startswith(MAGIC):
        return None
    number = int.from_bytes(head[18:HEAD], "big" if head[5] == _BIG_ENDIAN else "little")
    return MACHINES.get(number, f"EM_{number}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Elf:
    """An ELF file of a wheel.

    `path` is the member. `machine` is a name of MACHINES, or ``EM_<number>`` for what no Python runs on (a
    GPU's code, BPF). `rpath` and `runpath` are the entries of DT_RPATH and DT_RUNPATH. `versions` are the symbol
    versions that it needs (``GLIBC_2.17``), by the library that it needs them of.
    """

    path: str
    machine: str
    bits: int
    big_endian: bool = False
    soname: str | None = None
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    versions: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def search_path(self) -> tuple[str, ...]:
        """Where it looks for what it needs."""
        return (*self.rpath, *self.runpath)

    @property
    def for_host(self) -> bool:
        """Whether it is code for the processor that Python runs on, and not for a device."""
        return self.machine in MACHINES.values()

    def fits(self, architecture: str) -> bool:
        """Say whether it is code for an architecture of platform tags (``aarch64``)."""
        processor = PROCESSORS.get(architecture)
        layout = processor and (processor.name, processor.bits, processor.big_endian)
        return layout == (self.machine, self.bits, self.big_endian)
