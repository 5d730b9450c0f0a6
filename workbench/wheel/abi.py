"""Which of libstdc++'s two ABIs a library speaks, by the mangled names of its dynamic symbols.

Since GCC 5 ``std::string`` and ``std::list`` exist twice, and a library built for one kind cannot hand them to one
built for the other. PyTorch was built for the older kind until 2.6.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from workbench.wheel.elf import parse_dynamic
from workbench.wheel.stream import Reader

if TYPE_CHECKING:
    from collections.abc import Generator

    from workbench.wheel.stream import Ranges

CxxAbi = Literal["cxx11", "pre-cxx11", "both"]

_NEW = re.compile(rb"7__cxx11|B5cxx11")
_OLD = re.compile(rb"\0_ZNK?Ss(?!4_Rep)\d|\0_Z[^\0]*(?:RKSs|RSs|PSs|OSs|[vij]Ss)")
"""``std::string``'s own methods, and signatures that pass one: ``Ss`` is how the older kind is mangled.

The empty string's storage, ``_Rep``, comes with whatever else of libstdc++ is linked statically.
"""

_PIECE = 1 << 20
_MAX_NAME = 64 << 10
"""Bytes of a piece's last name that are looked at again with the next piece."""


class AbiReader(Reader[CxxAbi | None]):
    """An observer of one member. `finish` returns None where no symbol tells, and raises BadBinary."""

    def __init__(self, size: int) -> None:
        super().__init__(_parse(size))


def _parse(size: int) -> Generator[Ranges, tuple[bytes, ...], CxxAbi | None]:
    dynamic = yield from parse_dynamic(size)
    if dynamic is None or dynamic.strings is None:
        return None
    start, length = dynamic.strings
    end = min(start + length, size)
    new = old = False
    rest = b"\0"
    for at in range(start, end, _PIECE):
        (piece,) = yield ((at, min(_PIECE, end - at)),)
        names = rest + piece
        new, old = new or bool(_NEW.search(names)), old or bool(_OLD.search(names))
        if new and old:
            return "both"
        rest = names[max(names.rfind(b"\0"), len(names) - _MAX_NAME) :]
    return "cxx11" if new else "pre-cxx11" if old else None
