"""``matrix`` and ``build``: the targets that some axes span, and a wheel for each."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from workbench import console
from workbench.plan.axes import Axes
from workbench.verb import Verb
from workbench.verbs.flags import Builder, DryRun, Json, MaxJobs, Package, StoreFlags, VersionSuffix

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.make.build import Failure
    from workbench.make.request import Planned, Request
    from workbench.paths import Paths
    from workbench.repair.repair import Repaired
    from workbench.settings import Settings
    from workbench.store.protocol import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell: the target in words, its state, and what there is to say of it (a filename, a reason)."""

    target: str
    state: Literal["published", "built", "to build", "left out"]
    what: str


@Verb
def matrix(
    name: Package, *, axes: Axes, builder: Builder = "auto", store: StoreFlags, json: Json = False
) -> None:
    """Show the targets: published, to build and by whom, left out."""
    from workbench.make.request import Request

    cells = _cells(Request(name=name, axes=axes, builder=builder), *store.opened())
    if json:
        console.answer_json([asdict(cell) for cell in cells])
    else:
        rows = [(cell.target, cell.state, cell.what) for cell in cells]
        console.answer_table(("target", "state", ""), rows)


def _cells(request: Request, paths: Paths, settings: Settings, store: Store) -> tuple[Cell, ...]:
    """Return a cell for each target that the request's axes span. Raises what planning raises."""
    from workbench.make.build import find_built
    from workbench.make.request import plans
    from workbench.pipeline.release import published
    from workbench.publish.amend import current, refuse_a_lost_registry

    planned = plans(request, paths, settings)
    registry = current(store)
    refuse_a_lost_registry(store, registry)
    cells = []
    for plan in planned.plans:
        wheel = published(plan, registry)
        built = find_built(plan, paths)
        if wheel:
            cells.append(Cell(target=str(plan.target), state="published", what=wheel.filename))
        elif built:
            cells.append(Cell(target=str(plan.target), state="built", what=built.name))
        else:
            cells.append(
                Cell(target=str(plan.target), state="to build", what=f"by {plan.builder}: {plan.why}")
            )
    cells += [Cell(target=str(out.target), state="left out", what=out.reason) for out in planned.left_out]
    return tuple(cells)


@Verb
def build(
    name: Package,
    *,
    axes: Axes,
    builder: Builder = "auto",
    source_dir: Annotated[
        str, "build this folder instead of the recipe's source (the wheel gets no build key)"
    ] = "",
    max_jobs: MaxJobs = 0,
    version_suffix: VersionSuffix = "",
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Fetch, patch, build and repair: wheels into wheels/."""
    from workbench.make.build import build_all, require_all
    from workbench.make.request import Request, plans
    from workbench.paths import Paths
    from workbench.settings import read_settings

    request = Request(
        name=name,
        axes=axes,
        builder=builder,
        source_dir=Path(source_dir) if source_dir else None,
        suffix=version_suffix,
        jobs=max_jobs or None,
    )
    paths = Paths.here()
    settings = read_settings(paths)
    planned = plans(request, paths, settings)
    made, failures = ((), ()) if dry_run else build_all(planned, paths, settings, jobs=request.jobs)
    if json:
        _answer_json(planned, made, failures)
    else:
        _answer(planned, made, dry_run=dry_run)
    require_all(failures, len(planned.plans))


def _answer_json(planned: Planned, made: Sequence[Repaired], failures: Sequence[Failure]) -> None:
    from workbench.verbs.summary import describe

    console.answer_json(
        {
            "plans": [describe(each) for each in planned.plans],
            "wheels": [repaired.as_dict() for repaired in made],
            "failed": [str(each.plan.target) for each in failures],
            "left_out": [{"target": str(out.target), "reason": out.reason} for out in planned.left_out],
        }
    )


def _answer(planned: Planned, made: Sequence[Repaired], *, dry_run: bool) -> None:
    """Print what was built, or in a dry run what would be; and what was left out."""
    from workbench.verbs.summary import describe, source_facts, source_line, tags_of

    for out in planned.left_out:
        console.answer(f"left out: {out.target}: {out.reason}")
    for repaired in made:
        facts = [
            ("size", console.file_size(repaired.path.stat().st_size)),
            ("tags", tags_of(repaired.path.name)),
            ("policy", repaired.policy),
        ]
        if repaired.grafted:
            facts.append(("grafted", ", ".join(repaired.grafted)))
        console.answer_summary(str(repaired.path), facts)
    for each in planned.plans if dry_run else ():
        told = describe(each) | {
            "source": source_line(source_facts(each.source)),
            "patches": ", ".join(patch.name for patch in each.patches) or "none",
            "build_key": each.key or "none: built from a folder",
        }
        console.answer_summary(
            f"would build {each.title}", [(k.replace("_", " "), v) for k, v in told.items()]
        )
