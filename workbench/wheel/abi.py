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
_OLD = re.compile(rb"\b_ZNK?Ss(?!4_Rep)\d|\b_Z[^\0]*(?:RKSs|RSs|PSs|OSs|[vij]Ss)")
"""``std::string``'s own methods, and signatures that pass one: ``Ss`` is how the older kind is mangled.

The empty string's storage, ``_Rep``, comes with whatever else of libstdc++ is linked statically.
"""

_MAX_STRINGS = 256 << 20


class AbiReader(Reader[CxxAbi | None]):
    """An observer of one member. `finish` returns None where no symbol tells, and raises BadBinary."""

    def __init__(self, size: int) -> None:
        super().__init__(_parse(size))


def _parse(size: int) -> Generator[Ranges, tuple[bytes, ...], CxxAbi | None]:
    dynamic = yield from parse_dynamic(size)
    if dynamic is None or dynamic.strings is None:
        return None
    start, length = dynamic.strings
    if length > _MAX_STRINGS or start + length > size:
        return None
    (names,) = yield ((start, length),)
    new, old = _NEW.search(names), _OLD.search(names)
    if new:
        return "both" if old else "cxx11"
    return "pre-cxx11" if old else None
