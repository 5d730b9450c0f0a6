"""The one family of errors: what happened, to what, what to do next. ``docs/errors.md`` lists the exit codes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from workbench.url import mask

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.troubles import Explanation


class WorkbenchError(Exception):
    """Anything that a user can meet and mend. Shown as one message, never as a traceback, and without secrets.

    `explanation` is what a build's log tells of its failure, for programs: the message says it as well.
    """

    exit_code = 1
    explanation: Explanation | None = None

    def __init_subclass__(cls, *, exit_code: int | None = None) -> None:
        cls.exit_code = exit_code or cls.exit_code

    def __str__(self) -> str:
        return mask(super().__str__())


class UsageError(WorkbenchError, exit_code=2):
    """The command line asks for something that makes no sense, or names what is not there."""


class SettingsError(WorkbenchError, exit_code=3):
    """``workbench.yaml`` or its environment is wrong."""


class RecipeError(WorkbenchError, exit_code=4):
    """A recipe is missing, or does not say what it must."""


class PatchError(WorkbenchError, exit_code=5):
    """A patch series cannot be read, or does not apply exactly."""


class SourceError(WorkbenchError, exit_code=6):
    """A source cannot be fetched, or is not what its pin says."""


class ToolMissing(WorkbenchError, exit_code=7):
    """A program or an interpreter is needed and not on this machine."""


class CommandFailed(WorkbenchError, exit_code=8):
    """A program that the workbench started failed."""


class BuildFailed(WorkbenchError, exit_code=9):
    """The build backend failed; its tree and its log are kept."""


class RepairFailed(WorkbenchError, exit_code=10):
    """auditwheel cannot make the wheel portable."""


class VerificationFailed(WorkbenchError, exit_code=11):
    """A wheel did not pass its checks."""


class StoreError(WorkbenchError, exit_code=12):
    """The store cannot be read or written."""


class FilenameTaken(WorkbenchError, exit_code=13):
    """The filename is published with other bytes; published bytes never change."""


class RegistryError(WorkbenchError, exit_code=14):
    """``packages.json`` is not a registry, or not one that this version reads."""


class IndexFault(WorkbenchError, exit_code=15):
    """The index cannot be drawn, or does not hold what it must."""


class InstallFailed(WorkbenchError, exit_code=16):
    """A published wheel does not install from the index, or fails its smoke test there."""


class ContainerError(WorkbenchError, exit_code=17):
    """A container engine, an image or an emulator is missing, or does not work."""


class ToolchainError(WorkbenchError, exit_code=18):
    """A CUDA toolkit cannot be laid out, is damaged, or lacks what was asked of it."""


class IndexCheckFailed(WorkbenchError, exit_code=19):
    """An index has errors: pip or uv stops at it, or takes what it should not."""


class NothingFits(WorkbenchError, exit_code=20):
    """No source has a wheel that fits this machine, or it cannot be known; nothing failed."""


class LockFault(WorkbenchError, exit_code=21):
    """``pylock.toml`` or ``pyproject.toml`` cannot be read, or is not for this machine."""


class ProofFailed(WorkbenchError, exit_code=22):
    """A signature, a statement or an index's signed root is missing, changed, revoked or too old."""


class OutletError(WorkbenchError, exit_code=23):
    """A place that is not ours, a GitHub release or a package index, refuses a wheel, or does not answer."""


class NotReproduced(WorkbenchError, exit_code=24):
    """A wheel that was built again from its statement has other bytes."""


def of_status(status: int) -> type[WorkbenchError]:
    """Return the kind of error that has an exit status; what has none of its own is a plain one."""
    kinds = WorkbenchError.__subclasses__()
    return next((kind for kind in kinds if kind.exit_code == status), WorkbenchError)


def two_of_one_filename(first: Path, second: Path) -> UsageError:
    """Return the error for two wheels that no place can have both of."""
    return UsageError(
        f"{first} and {second} have one filename and different bytes, and a filename is published once: name one of "
        "them, or build one as another version (--version-suffix .post1)"
    )


_LONGEST_WORD = 200
"""As much of a word as is compared with others: the work grows faster than its length."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Return ``" (did you mean 'x'?)"`` for the known word nearest to `word`, or nothing."""
    import difflib  # only for what went wrong

    close = difflib.get_close_matches(word[:_LONGEST_WORD], list(known), n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
