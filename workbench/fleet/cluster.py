"""The crew that is a cluster of Dask's: it starts what a machine can start now; queue and counts stay with the run.

Dask fails everything that is assigned to a worker that dies too often, and forgets what finished there. So each
worker gets no more than it can start now, each task is for one worker and is never tried again by Dask, and a wheel
counts once whoever submitted it has entered it into the cache.
"""

from __future__ import annotations

import contextvars
import json
import queue
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from workbench.errors import UsageError, WorkbenchError
from workbench.events import note, step
from workbench.fleet import member
from workbench.fleet.crew import Job, JobEnded
from workbench.fleet.member import CellAnswer, manifest_of
from workbench.fleet.offers import MachineOffer, fits_nowhere, offer, why_not
from workbench.fleet.orders import Heard, Outcome, failed
from workbench.make.wheel_cache import give, take
from workbench.memory import peaks
from workbench.paths import PROGRAM
from workbench.plan.plan import Needed
from workbench.strict import parse

if TYPE_CHECKING:
    from distributed.security import Security

    from workbench.fleet.matrix import BuildCell
    from workbench.fleet.stored_wheels import WheelPlace
    from workbench.paths import Paths

Client = Any
Future = Any
T = TypeVar("T")
"""What Dask makes: it says nothing of types."""

SILENT = 30.0
"""Seconds without a word after which a worker is taken for lost."""

FIRST = 120.0
"""Seconds for the first worker to come."""

OTHERS = 10.0
"""Seconds for the other workers that are there to say what they offer."""

GONE = 300.0
"""Seconds without any worker after which a run ends."""

LOOK = 1.0
"""Seconds from one look at the cluster to the next."""

ANSWERS = 60.0
"""Seconds in which the answer of a task that has ended must be read: it is a few lines of JSON."""


class Cluster:
    """Workers behind a scheduler, asked for what they offer as they come."""

    def __init__(
        self,
        client: Client,
        address: str,
        place: WheelPlace,
        paths: Paths,
        *,
        jobs: int | None = None,
        tend: Callable[[], str] | None = None,
    ) -> None:
        self._client = client
        self._address = address
        self._place = place
        self._paths = paths
        self._jobs = jobs
        self._tend = tend
        self._cache = place.open(paths)
        self._offers: dict[str, MachineOffer] = {}
        self._asked: dict[str, Future] = {}
        self._slots: dict[str, int] = {}
        self._busy: dict[str, set[str]] = {}
        self._seen: dict[str, tuple[float, float]] = {}
        self._looked = float("-inf")
        self._looks = 0
        self._alone: float | None = None
        self._working: dict[str, tuple[Job, str, str, threading.Thread]] = {}
        self._given: set[str] = set()
        self._ended: queue.SimpleQueue[JobEnded] = queue.SimpleQueue()
        self._closing = threading.Event()
        client.subscribe_topic(member.TOPIC, self._heard)

    @property
    def offers(self) -> tuple[MachineOffer, ...]:
        """What the workers offer that have come so far, those that are gone among them."""
        return tuple(self._offers.values())

    @property
    def size(self) -> int:
        """How many cells it can build at once."""
        return sum(self._slots.get(address, 0) for address in self._offers)

    def gather(self) -> None:
        """Wait for the first worker, and a while for the others that are there. Raises WorkbenchError where none comes.

        Workers that a queue of others holds back are waited for as long as `tend` sees them there.
        """
        until = time.monotonic() + FIRST
        with step("wait for workers") as at:
            while not self._offers or (self._asked and time.monotonic() < until):
                if self._tend:
                    at.detail(self._tend())
                elif not self._offers and time.monotonic() > until:
                    raise WorkbenchError(
                        f"no worker has come to {self._address} within {FIRST:.0f} s: start some"
                    )
                first = not self._offers
                self._look()
                if first and self._offers:
                    until = time.monotonic() + OTHERS
                time.sleep(0.2)
            at.outcome = ", ".join(
                f"{each.host} ({each.arch}, {each.cpus} processors)" for each in self._offers.values()
            )

    def _look(self) -> None:
        """See which workers there are and what they are at, and ask new ones for what they offer."""
        if time.monotonic() - self._looked < LOOK:
            return
        self._looked = time.monotonic()
        if self._tend:
            self._tend()
        if (found := self._asked_scheduler()) is None:
            return
        workers, processing = found
        for address, told in workers.items():
            # the scheduler's clock is not this machine's: what counts is when it moved
            if self._seen.get(address, (0.0, 0.0))[0] != told["last_seen"]:
                self._seen[address] = (told["last_seen"], self._looked)
        silent = self._looked - SILENT
        alive = {address: told for address, told in workers.items() if self._seen[address][1] > silent}
        self._slots = {address: told["nthreads"] for address, told in alive.items()}
        self._busy = {
            address: {str(key) for key in keys if str(key).startswith(PREFIX)}
            for address, keys in processing.items()
            if address in alive
        }
        self._looks += 1
        self._require_some(alive)
        self._ask(alive)

    def _require_some(self, alive: Collection[str]) -> None:
        """Raise WorkbenchError once all workers have been gone for a while; their nannies start others until then."""
        if alive or not self._offers or self._tend:
            self._alone = None
            return
        self._alone = self._alone or self._looked
        if self._looked - self._alone > GONE:
            raise WorkbenchError(
                f"no worker has been at {self._address} for {GONE:.0f} s: start some, and run the same line again"
            )

    def _asked_scheduler(self) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
        """Return its workers, and the tasks that each is at; None while the connection is made again.

        Raises WorkbenchError once the scheduler is gone.
        """
        try:
            return self._client.scheduler_info(n_workers=-1)["workers"], self._client.processing()
        except Exception as error:
            if self._client.status == "running":
                raise
            if self._client.status != "closed":
                return None
            raise WorkbenchError(
                f"the scheduler {self._address} is gone: start it, and run the same line again"
            ) from error

    def _ask(self, alive: Collection[str]) -> None:
        """Ask the workers that are new for what they offer, and take what they answer."""
        for address in {*alive} - self._offers.keys() - self._asked.keys():
            self._asked[address] = self._client.submit(
                offer,
                json.dumps(asdict(self._place)),
                key=f"offer-{address}-{time.monotonic_ns()}",
                workers=[address],
                pure=False,
                retries=0,
            )
        for address, future in [*self._asked.items()]:
            if future.done() or address not in alive:
                del self._asked[address]
                if future.status == "finished" and (offered := _answer(future, MachineOffer)):
                    self._offers[address] = offered
                elif address in alive:
                    note(
                        f"· the worker {address} cannot say what it offers, and gets nothing: {_why(future)}"
                    )
                    self._offers[address] = _NOTHING

    def unfit(self, cell: BuildCell) -> str:
        """Return why no worker that has come can build a cell."""
        if cell.plan.key is None:
            return "it has no build key: a folder is built on this machine alone"
        return fits_nowhere(cell.plan, self._takes(cell), self.offers, self._place)

    def _takes(self, cell: BuildCell) -> int:
        return peaks.expected(cell.plan, self._paths).peak.at(1)

    def found(self, cell: BuildCell) -> Path | None:
        """Return a cell's wheel that lies in the cache, copied into the site; None where none does."""
        wheel = take(cell.plan, self._cache, self._paths, cell.planned.planner_of(cell.plan))
        if wheel:
            self._given.add(cell.name)
        return wheel

    def start(self, job: Job) -> str:
        """Submit a job to the worker that has most room for it."""
        self._look()
        key = f"{PREFIX}{job.cell.plan.key}-{job.attempt}"
        address = self._running(job) or self._free(job)
        if not address:
            return ""
        context = contextvars.copy_context()
        thread = threading.Thread(target=context.run, args=(self._work, job, address, key), daemon=True)
        self._working[job.cell.name] = (job, address, key, thread)
        thread.start()
        return self._offers[address].host

    def _running(self, job: Job) -> str:
        """Return the worker at which somebody else's task for the same key runs."""
        start = f"{PREFIX}{job.cell.plan.key}-"
        return next(
            (
                address
                for address, keys in self._busy.items()
                if address in self._offers and any(key.startswith(start) for key in keys)
            ),
            "",
        )

    def _free(self, job: Job) -> str:
        """Return the worker with most room that a job fits; nothing where none has room now."""
        takes = self._takes(job.cell)
        best, most = "", 0
        for address, slots in self._slots.items():
            there = self._offers.get(address)
            if there is None or why_not(job.cell.plan, takes, there, self._place):
                continue
            own = [(other, key) for other, where, key, _ in self._working.values() if where == address]
            keys = self._busy.get(address, set()) | {key for _, key in own}
            if (job.alone and keys) or any(other.alone for other, _ in own):
                continue
            room = slots - len(keys)
            free = there.memory - sum(self._takes(other.cell) for other, _ in own)
            if room > 0 and free >= takes:
                gpu = bool(there.gpus) == bool(job.cell.plan.target.cuda)
                if (rank := 2 * room + gpu) > most:
                    best, most = address, rank
        return best

    def _work(self, job: Job, address: str, key: str) -> None:
        try:
            outcome = self._outcome(job, address, key)
        except WorkbenchError as error:
            outcome = failed(error)
        except Exception as error:  # noqa: BLE001 - whatever Dask raises is this one attempt's
            outcome = Outcome(lost=True, message=f"the scheduler did not take it: {error}")
        self._ended.put(JobEnded(job=job, outcome=replace(outcome, where=self._offers[address].host)))

    def _outcome(self, job: Job, address: str, key: str) -> Outcome:
        order = job.cell.order("", jobs=self._jobs, deadline=job.deadline)
        needs = tuple(map(self._needed, job.needs, job.wheels))
        manifest = manifest_of(order, job.cell.plan.recipe, self._paths, needs=needs, place=self._place)
        done = threading.Event()
        future = self._client.submit(
            member.build,
            manifest.as_json(),
            key=key,
            workers=[address],
            allow_other_workers=False,
            pure=False,
            retries=0,
        )
        future.add_done_callback(lambda _: done.set())
        missing, looks = 0, self._looks
        while not done.wait(LOOK):
            if self._closing.is_set():
                future.cancel()
                return Outcome(lost=True, message="the run was interrupted")
            if looks == self._looks:
                continue  # the run is busy, and nobody has looked
            looks = self._looks
            there = any(key in keys for keys in self._busy.values())
            missing = 0 if there else missing + 1
            if missing > MISSING:
                future.cancel()
                return Outcome(lost=True, message=f"its worker {self._offers[address].host} is gone")
        if future.status != "finished":
            where = self._offers[address].host
            return Outcome(lost=True, message=f"its worker {where} did not finish it: {_why(future)}")
        answer = _answer(future, CellAnswer)
        if answer is None:
            where = self._offers[address].host
            return Outcome(lost=True, message=f"its worker {where} was gone before its answer was read")
        future.release()
        if answer.digest != manifest.digest:
            raise WorkbenchError(
                f"{job.cell.plan.title}: somebody else builds this key from another manifest (recipe, patches, "
                "settings, or wheels that it requires): bring both to the same, or wait for the other run to end"
            )
        if answer.made is None:
            return answer.outcome
        cell = job.cell
        self._cache.enter(cell.package, str(cell.plan.key), answer.made)
        wheel = self.found(cell)
        if wheel is None:
            raise WorkbenchError(
                f"{cell.plan.title} was built, and its wheel is not what {self._cache.place} has"
            )
        return replace(answer.outcome, wheel=wheel.name)

    def _needed(self, cell: BuildCell, wheel: Path) -> Needed:
        """Return what names a wheel of this site in the cache, after it was put there if it was not."""
        if cell.name not in self._given:
            give(cell.plan, wheel, self._cache)
            self._given.add(cell.name)
        return Needed(package=cell.package, key=str(cell.plan.key))

    def _heard(self, event: Any) -> None:  # noqa: ANN401 - Dask's
        """Hand on what a worker says of a job."""
        told: Mapping[str, Any] = event[1] if isinstance(event, tuple) else event
        for job, _, key, _ in [*self._working.values()]:
            if told.get("key") == key:
                job.hear(parse(Heard, told["heard"]))

    def wait(self, seconds: float) -> tuple[JobEnded, ...]:
        """Return the jobs that have ended."""
        self._look()
        return tuple(self._gathered(seconds))

    def _gathered(self, seconds: float) -> Iterator[JobEnded]:
        with suppress(queue.Empty):
            ended = self._ended.get(timeout=seconds)
            while True:
                self._working.pop(ended.job.cell.name)
                yield ended
                ended = self._ended.get_nowait()

    def close(self) -> None:
        """Give up what is at work, and leave the cluster to others."""
        self._closing.set()
        for _, _, _, thread in self._working.values():
            thread.join()
        self._client.close()


PREFIX = "cell-"
"""Before the build key in the key of a task."""

MISSING = 5
"""Looks at which no worker has a task, after which it is lost."""

_NOTHING = MachineOffer(host="?", version="", arch="", cpus=0, memory=0, sees=False)


def _answer(future: Future, kind: type[T]) -> T | None:
    """Return what a task that has ended answered, None where its worker died before anybody had read that.

    Dask would wait for that very worker, as long as it takes, to make it again.
    """
    try:
        return parse(kind, json.loads(future.result(ANSWERS)))
    except TimeoutError:
        future.cancel()
        return None


def _why(future: Future) -> str:
    try:
        return str(future.exception(timeout=5))
    except Exception as error:  # noqa: BLE001 - whatever Dask raises
        return str(error)


def joined(
    address: str,
    security: Security | None,
    place: WheelPlace,
    paths: Paths,
    *,
    jobs: int | None,
    tend: Callable[[], str] | None = None,
) -> Cluster:
    """Return the crew behind a scheduler, once a first worker has come.

    `tend` is called now and then: it brings back workers that are lost, and says what is known of those to come.
    Raises UsageError for TLS without certificates; WorkbenchError where nobody answers there, and where no worker
    comes.
    """
    from distributed import Client
    from distributed.security import Security as Configured

    own: Any = Configured  # Dask says nothing of types, and may have certificates in its configuration
    if address.startswith("tls://") and not (security or own()).get_connection_args("client")["ssl_context"]:
        raise UsageError(
            f"--scheduler {address}: no certificate is here for it: it is not what this site's {PROGRAM} fleet.up has "
            "started. Write the address as fleet.up gave it, or name the certificates in Dask's configuration "
            "(distributed.comm.tls)"
        )
    client: Any = Client
    try:
        client = client(address, security=security, timeout=20)
    except (OSError, TimeoutError, ValueError) as error:
        raise WorkbenchError(
            f"--scheduler {address}: no scheduler of Dask's answers there: {error}"
        ) from error
    cluster = Cluster(client, address, place, paths, jobs=jobs, tend=tend)
    try:
        cluster.gather()
    except BaseException:
        client.close()
        raise
    return cluster
