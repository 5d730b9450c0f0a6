"""Which crew builds: this machine, or the workers of a scheduler that somebody names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from workbench.errors import ToolMissing, UsageError
from workbench.fleet.crew import Crew, ThisMachine, usual_number
from workbench.make.assign import assign

if TYPE_CHECKING:
    from workbench.make.request import Assigns
    from workbench.paths import Paths
    from workbench.settings import Settings


@contextmanager
def crew_of(
    paths: Paths, settings: Settings, *, scheduler: str, share: str, at_once: int, jobs: int | None
) -> Iterator[tuple[Crew, Assigns]]:
    """Yield who builds, and what makes plans for them.

    Raises UsageError for flags that do not go together; ToolMissing without Dask; WorkbenchError where no scheduler
    answers.
    """
    if not scheduler:
        if share:
            raise UsageError("--share is for the machines of a --scheduler: name one, or leave it out")
        logs = paths.state / "fleet" / "logs"
        with closing(ThisMachine(paths.root, logs, at_once=at_once or usual_number(), jobs=jobs)) as here:
            yield here, assign
        return
    from workbench.fleet.share import share_of

    if at_once:
        raise UsageError(
            "--at-once is for this machine: each worker of a --scheduler says how many it builds"
        )
    if scheduler.partition("://")[0] not in ("tcp", "tls"):
        raise UsageError(f"--scheduler {scheduler}: write tcp://HOST:PORT, or tls://HOST:PORT")
    chosen = share_of(share, settings)
    if chosen is None:
        raise UsageError(
            "--scheduler needs a place for the wheels that all machines see: a folder (--share), or a bucket in "
            "workbench.yaml (store.s3)"
        )
    require_dask()
    from workbench.fleet.cluster import joined
    from workbench.fleet.offers import assigned_to

    with closing(joined(scheduler, None, chosen, paths, jobs=jobs)) as cluster:
        yield cluster, assigned_to(cluster.offers)


def require_dask() -> None:
    """Raise ToolMissing where Dask is not installed."""
    from importlib.util import find_spec

    if find_spec("distributed") is None:
        raise ToolMissing(
            "Dask is not installed: it comes with the extra 'fleet': pip install 'wheel-workbench[fleet]'"
        )
