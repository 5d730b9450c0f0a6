"""What a release finds before it starts, and what it is going to do: the table that people read first."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from workbench.make.cells import serves
from workbench.outlets.outlet import Subject
from workbench.outlets.places import INDEX, SITE
from workbench.wheel.filename import wheel_name_or_none

if TYPE_CHECKING:
    from workbench.outlets.outlet import Outlet
    from workbench.plan.plan import Plan

Making = Literal["published", "built", "to build"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prospect:
    """What is to become of one plan: its wheel, whose filename is "" until it is built, and what each place has of it.

    `there` has the filename by place, "" where the place has none yet, None where it was not asked.
    """

    plan: Plan
    making: Making
    filename: str
    there: Mapping[str, str | None]

    @property
    def needless(self) -> bool:
        """Whether nothing is built or sent for it: every place has its wheel already."""
        return self.making == "to build" and all(self.there.values())

    @property
    def is_due(self) -> bool:
        """Whether a release has to make its wheel, or to take the one that was built earlier."""
        return self.making != "published" and not self.needless

    def row(self) -> tuple[str, ...]:
        """Return what a person reads of it: the cell, its wheel, and what each place gets."""
        how = f"build by {self.plan.builder}"
        wheel = "skip the build" if self.needless else how if self.making == "to build" else self.making
        moves = {SITE: "publish", INDEX: "link"}
        return (
            self.plan.title,
            wheel,
            *(
                "not asked" if has is None else "there" if has else moves.get(place, "send")
                for place, has in self.there.items()
            ),
        )

    def as_dict(self) -> dict[str, object]:
        """Return the plain form, for JSON."""
        return {
            "cell": self.plan.title,
            "state": self.making,
            "filename": self.filename or None,
            "there": {place: has or None for place, has in self.there.items()},
            "not_asked": [place for place, has in self.there.items() if has is None],
        }


def _subject_of(plan: Plan) -> Subject:
    """Return what the wheel of a plan is asked for at outlets."""
    return Subject(project=plan.project, version=str(plan.version), variant=plan.target.variant or "")


def look_ahead(
    plans: Sequence[tuple[Plan, Making, str]],
    places: Sequence[str],
    outlets: Mapping[str, Outlet],
    *,
    unasked: Container[str],
) -> tuple[Prospect, ...]:
    """Return what is to become of plans, each with how its wheel stands and the filename, if there is one.

    Every outlet is asked what it has, but for those that are `unasked`, whose login is missing. Raises
    UsageError for what one never takes, and OutletError.
    """
    for plan, _, filename in plans:
        for outlet in outlets.values():
            outlet.refuse(_subject_of(plan), filename)

    def found(plan: Plan, making: Making, filename: str) -> Iterator[tuple[str, str | None]]:
        for place in places:
            if place in unasked:
                yield place, None
            elif place in outlets:
                files = outlets[place].held(_subject_of(plan))
                fitting = (each for each in files if (each == filename if filename else _fits(each, plan)))
                yield place, next(fitting, "")
            else:
                yield place, filename if making == "published" else ""

    return tuple(
        Prospect(plan=plan, making=making, filename=filename, there=dict(found(plan, making, filename)))
        for plan, making, filename in plans
    )


def _fits(filename: str, plan: Plan) -> bool:
    name = wheel_name_or_none(filename)
    return name is not None and name.name == plan.project and serves(plan, filename, None)
