"""Python's collector of garbage, and when it is not worth its time."""

from __future__ import annotations

import atexit
import gc

_MANY = 100_000


def spare_the_collector() -> None:
    """Keep Python from looking for garbage while this program starts, and when it ends.

    Starting makes many objects and hardly any garbage, and at the end all memory goes back as it is. Both together took
    a sixth of what a short command costs.
    """
    gc.set_threshold(_MANY)
    atexit.register(gc.freeze)
