"""The one family of errors, with an exit code each.

A message says what happened, to what, and what to do next. ``docs/errors.md`` lists the codes.
"""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from workbench.url import mask

if TYPE_CHECKING:
    from collections.abc import Iterable


class WorkbenchError(Exception):
    """Anything that a user can meet and mend. Shown as one message, never as a traceback, and without secrets."""

    exit_code = 1

    def __str__(self) -> str:
        return mask(super().__str__())


class UsageError(WorkbenchError):
    """The command line asks for something that makes no sense, or names what is not there."""

    exit_code = 2


class SettingsError(WorkbenchError):
    """``workbench.yaml`` or its environment is wrong."""

    exit_code = 3


class RecipeError(WorkbenchError):
    """A recipe is missing, or does not say what it must."""

    exit_code = 4


class PatchError(WorkbenchError):
    """A patch series cannot be read, or does not apply exactly."""

    exit_code = 5


class SourceError(WorkbenchError):
    """A source cannot be fetched, or is not what its pin says."""

    exit_code = 6


class ToolMissing(WorkbenchError):
    """A program or an interpreter is needed and not on this machine."""

    exit_code = 7


class CommandFailed(WorkbenchError):
    """A program that the workbench started failed."""

    exit_code = 8


class BuildFailed(WorkbenchError):
    """The build backend failed; its tree and its log are kept."""

    exit_code = 9


class RepairFailed(WorkbenchError):
    """auditwheel cannot make the wheel portable."""

    exit_code = 10


class VerificationFailed(WorkbenchError):
    """A wheel did not pass its checks."""

    exit_code = 11


class StoreError(WorkbenchError):
    """The store cannot be read or written."""

    exit_code = 12


class FilenameTaken(WorkbenchError):
    """The filename is published with other bytes; published bytes never change."""

    exit_code = 13


class RegistryError(WorkbenchError):
    """``packages.json`` is not a registry, or not one that this version reads."""

    exit_code = 14


class IndexFault(WorkbenchError):
    """The index cannot be drawn, or does not hold what it must."""

    exit_code = 15


class InstallFailed(WorkbenchError):
    """A published wheel does not install from the index, or fails its smoke test there."""

    exit_code = 16


class ContainerError(WorkbenchError):
    """A container engine, an image or an emulator is missing, or does not work."""

    exit_code = 17


class ToolchainError(WorkbenchError):
    """A CUDA toolkit cannot be laid out, is damaged, or lacks what was asked of it."""

    exit_code = 18


class IndexCheckFailed(WorkbenchError):
    """An index has errors: pip or uv stops at it, or takes what it should not."""

    exit_code = 19


class NothingFits(WorkbenchError):
    """No source has a wheel that fits this machine, or it cannot be known; nothing failed."""

    exit_code = 20


class LockFault(WorkbenchError):
    """``pylock.toml`` or ``pyproject.toml`` cannot be read, or is not for this machine."""

    exit_code = 21


LONGEST_WORD = 200
"""As much of a word as is compared with others: the work grows faster than its length."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` for the known word nearest to `word`, or nothing."""
    close = difflib.get_close_matches(word[:LONGEST_WORD], list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
