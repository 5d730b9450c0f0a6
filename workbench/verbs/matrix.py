"""``matrix``: the cells that some axes span, and what is known of each."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

from workbench import console
from workbench.make.build import find_built
from workbench.make.request import plans
from workbench.pipeline.release import published
from workbench.publish.amend import current, refuse_a_lost_registry
from workbench.store.opening import open_store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.make.request import Request
    from workbench.paths import Paths
    from workbench.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One cell: the target in words, its state, and what there is to say of it (a filename, a reason)."""

    target: str
    state: Literal["published", "built", "to build", "left out"]
    what: str


def matrix(request: Request, paths: Paths, settings: Settings) -> tuple[Cell, ...]:
    """Return a cell for each target that the request's axes span. Raises what planning raises."""
    planned = plans(request, paths, settings)
    store = open_store(paths, settings)
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


def report(cells: Sequence[Cell], *, json: bool) -> None:
    """Print the cells."""
    if json:
        console.answer_json([asdict(cell) for cell in cells])
    else:
        console.answer_table(
            ("target", "state", ""), [(cell.target, cell.state, cell.what) for cell in cells]
        )
