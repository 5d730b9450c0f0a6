"""What runs on a machine of a fleet: an order arrives with the files that it needs, a wheel goes into the cache."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import StoreError, UsageError, WorkbenchError
from workbench.files import locked, remove_tree, write_whole
from workbench.fleet.attempt import attempt
from workbench.fleet.orders import Order, Outcome, failed
from workbench.fleet.stored_wheels import NONE, CacheEntry, WheelPlace
from workbench.paths import Paths
from workbench.plan.plan import Needed  # noqa: TC001 - the parser reads it from the annotation
from workbench.process import end_left
from workbench.recipe.load import path_of
from workbench.strict import parse

if TYPE_CHECKING:
    from workbench.fleet.orders import Heard
    from workbench.fleet.stored_wheels import StoredWheels
    from workbench.recipe.model import Recipe

_WATCH = 1.0
"""Seconds after which a build looks whether it is still wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellManifest:
    """An order with all that another machine needs for it: the site's files, by their paths, and where wheels lie.

    Each character of a file stands for one byte of it (Latin-1): a patch arrives as it is, whatever its encoding.
    `needs` are those that the build requires: packages and build keys. What it says decides the wheel: two
    manifests under one build key are not one task.
    """

    order: Order
    files: dict[str, str]
    needs: tuple[Needed, ...]
    place: WheelPlace

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of what decides the wheel: who asks may be more patient than others, and have fewer jobs."""
        alike = replace(self, order=replace(self.order, why="", deadline=0, jobs=None))
        return hashlib.sha256(alike.as_json().encode()).hexdigest()

    def as_json(self) -> str:
        """Return it as JSON, the same text for the same manifest."""
        return json.dumps(asdict(self), sort_keys=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class CellAnswer:
    """What a machine answers: the digest of the manifest that it built, what came of it.

    `made` names the wheel, which lies in the cache and is nobody's yet.
    """

    digest: str
    outcome: Outcome
    made: CacheEntry | None = None


def manifest_of(
    order: Order, recipe: Recipe, paths: Paths, *, needs: tuple[Needed, ...], place: WheelPlace
) -> CellManifest:
    """Return an order with the recipe, the series and the settings of a site."""
    series = paths.patches / recipe.patches
    files = [path_of(paths.recipes, recipe.name), *(path for path in series.rglob("*") if path.is_file())]
    files += [path for path in (paths.root / "workbench.yaml", paths.registry) if path.exists()]
    texts = {str(path.relative_to(paths.root)): path.read_bytes().decode("latin-1") for path in sorted(files)}
    return CellManifest(
        order=replace(order, site="", wheels=(), cache=NONE), files=texts, needs=needs, place=place
    )


def build(text: str) -> str:
    """Build a manifest (JSON) on this machine, as a task of Dask's, and return the `CellAnswer` (JSON)."""
    from distributed import get_worker

    worker = get_worker()
    key = worker.get_current_task()

    def wanted() -> bool:
        task = worker.state.tasks.get(key)
        return task is not None and task.state not in ("cancelled", "released", "forgotten")

    def tell(heard: Heard) -> None:
        worker.log_event(TOPIC, {"key": str(key), "heard": asdict(heard)})

    return json.dumps(asdict(_build(parse(CellManifest, json.loads(text)), tell, wanted)))


TOPIC = "workbench"
"""Where machines tell what they are at."""


def _build(manifest: CellManifest, tell: Callable[[Heard], None], wanted: Callable[[], bool]) -> CellAnswer:
    digest = manifest.digest
    paths = Paths(Paths.here().cache / "fleet" / digest[:16])
    cache = manifest.place.open(paths)
    try:
        with ExitStack() as held:
            try:
                lock = paths.root.with_suffix(".lock")
                held.enter_context(locked(lock, busy=f"a build of {manifest.order.name}"))
            except UsageError as error:  # what was given up here has not ended yet
                return CellAnswer(digest=digest, outcome=replace(failed(error), passing=True))
            for name, content in manifest.files.items():
                write_whole(_inside(paths.root, name), content.encode("latin-1"))
            wheels = [_needed(each, cache, paths) for each in manifest.needs]
            order = replace(manifest.order, site=str(paths.root), wheels=tuple(map(str, wheels)))
            log = paths.state / "attempt.log"
            with _ended_when_unwanted(log, wanted):
                outcome = attempt(order, log, tell)
            made = None
            if outcome.wheel:
                made = cache.upload(order.name, paths.wheels / outcome.wheel)
                remove_tree(paths.root)
    except (WorkbenchError, OSError) as error:
        return CellAnswer(digest=digest, outcome=failed(error))
    return CellAnswer(digest=digest, outcome=outcome, made=made)


def _needed(needed: Needed, cache: StoredWheels, paths: Paths) -> Path:
    folder = paths.state / "needs"
    folder.mkdir(parents=True, exist_ok=True)
    if found := cache.fetch(needed.package, needed.key, folder):
        return found
    raise StoreError(
        f"{cache.place} has no wheel of {needed.package} for the build key {needed.key} any more"
    )


def _inside(root: Path, name: str) -> Path:
    path = (root / name).resolve()
    if not path.is_relative_to(root.resolve()):
        raise WorkbenchError(f"the manifest names a file outside its site: {name!r}")
    return path


@contextmanager
def _ended_when_unwanted(log: Path, wanted: Callable[[], bool]) -> Iterator[None]:
    """End the program that writes a log once nobody wants what it makes: Dask stops no task that runs."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_WATCH):
            if not wanted():
                end_left(log)
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
