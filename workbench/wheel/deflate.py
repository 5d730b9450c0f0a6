"""zlib's interface, by isal where it is installed: inflating takes half the time, deflating a twentieth."""

from __future__ import annotations

import zlib
from typing import Any

try:
    from isal import isal_zlib
except ImportError:
    deflate: Any = zlib
    _LEVEL = 6
else:
    deflate = isal_zlib
    _LEVEL = 3  # its best, a few percent behind zlib's default in size


def compressor() -> Any:  # noqa: ANN401 - a type of one of two C libraries
    """Return a compressor of a zip file's deflated members (RFC 1951, without a header)."""
    return deflate.compressobj(_LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
