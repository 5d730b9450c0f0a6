"""Which crew builds: this machine, or the workers of a scheduler that somebody names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

from workbench.errors import ToolMissing, UsageError
from workbench.fleet.crew import Crew, ThisMachine, usual_number
from workbench.fleet.stored_wheels import OWN_STORE, place_of
from workbench.make.assign import assign

if TYPE_CHECKING:
    from workbench.make.request import Assigns
    from workbench.paths import Paths
    from workbench.settings import Settings


SLURM = "slurm"
"""The scheduler that is Slurm's: the workers are jobs of this run."""


@contextmanager
def crew_of(
    paths: Paths, settings: Settings, *, scheduler: str, cache: str, at_once: int, jobs: int | None
) -> Iterator[tuple[Crew, Assigns]]:
    """Yield who builds, and what makes plans for them.

    `cache` is the cache of wheels, as the flag names it.

    Raises UsageError for flags that do not go together; ToolMissing without Dask; WorkbenchError where no scheduler
    answers.
    """
    place = place_of(paths, settings, cache)
    if not scheduler:
        logs = paths.state / "fleet" / "logs"
        cache = str(place.folder) if cache and place and place.folder and not place.prefix else cache
        crew = ThisMachine(paths.root, logs, at_once=at_once or usual_number(), jobs=jobs, cache=cache)
        with closing(crew):
            yield crew, assign
        return
    if at_once:
        raise UsageError(
            "--at-once is for this machine: each worker of a --scheduler says how many it builds"
        )
    if scheduler != SLURM and scheduler.partition("://")[0] not in ("tcp", "tls"):
        raise UsageError(f"--scheduler {scheduler}: write tcp://HOST:PORT, tls://HOST:PORT, or {SLURM}")
    place = place or (place_of(paths, settings, OWN_STORE) if settings.store.s3 else None)
    if place is None:
        raise UsageError(
            "--scheduler needs a place for the wheels that all machines see: a folder (--cache, or cache.wheels in "
            "workbench.yaml), or a bucket (store.s3)"
        )
    require_dask()
    from workbench.fleet.cluster import joined
    from workbench.fleet.offers import assigned_to
    from workbench.fleet.ssh_hosts import security_for

    with ExitStack() as stack:
        if scheduler == SLURM:
            from workbench.fleet.slurm_jobs import submitted

            ours = stack.enter_context(submitted(settings.fleet.slurm, paths))
            made = joined(ours.address, ours.security, place, paths, jobs=jobs, tend=ours.tend)
        else:
            made = joined(scheduler, security_for(scheduler, paths), place, paths, jobs=jobs)
        cluster = stack.enter_context(closing(made))
        yield cluster, assigned_to(cluster.offers)


def require_dask() -> None:
    """Raise ToolMissing where Dask is not installed."""
    from importlib.util import find_spec

    if find_spec("distributed") is None:
        raise ToolMissing(
            "Dask is not installed: it comes with the extra 'fleet': uv tool install '.[fleet]' in a checkout of the "
            "workbench"
        )
