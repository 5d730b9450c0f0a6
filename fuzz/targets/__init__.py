"""The targets: one module for each reader of files of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable


class Target(Protocol):
    """What a module of this folder must have."""

    def seeds(self) -> Iterable[bytes]:
        """Return inputs to begin with."""

    def one(self, data: bytes) -> None:
        """Read one input. Whatever it raises is a bug."""
