"""What is asked of whoever builds a cell, and what came of it: values that travel as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from workbench.errors import CommandFailed, WorkbenchError
from workbench.plan.axes import Axes  # noqa: TC001 - the parser reads it from the annotation
from workbench.plan.plan import Needed  # noqa: TC001 - likewise
from workbench.strict import parse

if TYPE_CHECKING:
    from workbench.troubles import Explanation


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One cell to be built in the site at `site`: a package for exactly one target, by this builder, chosen for `why`.

    `key` is the build key that the wheel must get; `needs` are in it, and the site may lack their recipes. `wheels` are
    paths of wheels of the same run that it requires. `jobs` caps the compilers that run at once; None: as many as the
    machine has room for. A build hangs after `deadline` seconds of work. `cache` is the cache of wheels, as the flag
    names it.
    """

    site: str
    name: str
    axes: Axes
    builder: str
    why: str
    version_suffix: str = ""
    key: str | None
    needs: tuple[Needed, ...] = ()
    wheels: tuple[str, ...] = ()
    jobs: int | None = None
    deadline: int
    cache: str = ""

    def as_json(self) -> str:
        """Return it as JSON, the same text for the same order."""
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def of_json(cls, text: str) -> Order:
        """Read what `as_json` wrote. Raises ValueError, Mismatch."""
        return parse(cls, json.loads(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a build says while it runs; None is what it says nothing of.

    `at` is what it is at, `note` what a person should know, `memory` how many bytes it takes now, 0 once that is over.
    """

    at: str | None = None
    note: str | None = None
    memory: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of an order.

    Built: `wheel` is a filename in the site's ``wheels/``. Failed: `status` is the error's exit status, `message` the
    error and `brief` what of it tells most in one line, `trouble` its name in the catalogue; `passing` says that it may
    go well another time. `lost`: the process or the machine that built it is gone without a word. `seconds` are those
    of work, without what it waited for memory, and `peak` is the most memory that it took, in bytes; 0: not known.
    `taken`: the wheel was there, or came from a cache, so its seconds say nothing of a build, and are 0.
    """

    wheel: str = ""
    status: int = 0
    message: str = ""
    brief: str = ""
    trouble: str = ""
    passing: bool = False
    lost: bool = False
    seconds: float = 0.0
    peak: int = 0
    where: str = ""
    taken: bool = False


def failed(error: WorkbenchError | OSError) -> Outcome:
    """Return the outcome of an error; one of the system's is a plain one."""
    why = error.explanation if isinstance(error, WorkbenchError) else None
    return Outcome(
        status=error.exit_code if isinstance(error, WorkbenchError) else WorkbenchError.exit_code,
        message=str(error),
        brief=_brief(error, why),
        trouble=why.name if why else "",
        passing=(why.passing if why else False) or _passes(error),
    )


def _brief(error: WorkbenchError | OSError, why: Explanation | None) -> str:
    """Return the line of an error that tells most: the cause, where it is known, or else what a build said last."""
    if why:
        return why.meaning if why.name else why.text.strip().partition("\n")[0]
    if isinstance(error.__cause__, CommandFailed):
        return str(error.__cause__).strip().rpartition("\n")[2]
    return str(error).partition("\n")[0]


def _passes(error: BaseException) -> bool:
    """Say whether a server's fault, or the network's, lies behind an error."""
    from workbench.http import NoAnswer
    from workbench.store.client import Refused

    cause: BaseException | None = error
    passing = False
    while cause is not None:
        if isinstance(cause, NoAnswer | Refused):
            passing = cause.passing  # the innermost has the status
        cause = cause.__cause__
    return passing
