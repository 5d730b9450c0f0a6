"""Verified wheels to every place that ``--to`` names, in its order: the site's own step, and outlets."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from workbench.errors import OutletError, two_of_one_filename
from workbench.outlets.delivery import advise, deliver, in_order, preflight
from workbench.outlets.outlet import Parcel
from workbench.outlets.places import INDEX, SITE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from workbench.evidence.keys import Keyring
    from workbench.evidence.signer import Signer
    from workbench.outlets.delivery import Delivered, Shipment
    from workbench.outlets.outlet import Held, Outlet
    from workbench.publish.publication import Elsewhere
    from workbench.verify.report import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of wheels: what was asked of each outlet, and what each has now; nothing after a dry run.

    `took` has the seconds for each place.
    """

    shipments: tuple[Shipment, ...]
    delivered: tuple[Delivered, ...]
    took: Mapping[str, float]

    def lines(self) -> tuple[str, ...]:
        """Return what was done at outlets, or would be, as a person reads it."""
        if self.delivered or not self.shipments:
            return tuple(line for each in self.delivered for line in each.lines())
        return tuple(
            line.replace("  ", "  would ", 1) if line[0] == " " else line
            for each in self.shipments
            for line in each.lines()
        )

    def as_dicts(self) -> list[dict[str, Any]]:
        """Return the plain form, for JSON; of a dry run what would be sent."""
        if self.delivered or not self.shipments:
            return [each.as_dict() for each in self.delivered]
        return [each.as_dict() for each in self.shipments]


def send(
    reports: Sequence[Report],
    words: Sequence[str],
    outlets: Mapping[str, Outlet],
    *,
    site: Callable[[Mapping[str, Elsewhere]], None],
    signer: Signer | None = None,
    keys: Keyring | None = None,
    strict: bool = False,
    dry_run: bool = False,
) -> Sent:
    """Send what passed verification to each place of `words`, among which the `outlets` are.

    `site` publishes it in the site's own store, or, where it gets places by filename, what proves it alone: the index
    links to these places then. Every outlet is asked before anything is sent to any. A failure stops the later places,
    and the same call goes on from there. A dry run only asks. Raises what `preflight`, `deliver` and `site` raise, and
    UsageError for two wheels of one name that are not the same.
    """
    made = (Parcel.of(report, signer=signer, keys=keys) for report in reports)
    parcels = _each_once(made) if outlets else []
    shipments = dict(zip(outlets, preflight(tuple(outlets.values()), parcels), strict=True))
    advise(
        {each.filename: each for shipment in shipments.values() for each in shipment.new}.values(),
        strict=strict,
    )
    delivered: list[Delivered] = []

    def sent(word: str) -> None:
        if word == SITE:
            site({})
        elif word == INDEX:
            shipment = shipments[words[words.index(INDEX) - 1]]
            # of a dry run nobody knows yet where they are going to be
            there = delivered[-1].held if delivered else shipment.there
            unlisted = [each.filename for each in parcels if each.filename not in there]
            if unlisted and not dry_run:
                raise OutletError(
                    f"{shipment.outlet.place} does not list {', '.join(unlisted)} yet: run the same command again in "
                    "a minute"
                )
            site({each.filename: _place(there.get(each.filename), shipment.outlet) for each in parcels})
        elif not dry_run:
            delivered.append(deliver(shipments[word]))

    took = in_order({word: partial(sent, word) for word in words})
    return Sent(shipments=tuple(shipments.values()), delivered=tuple(delivered), took=took)


def _each_once(parcels: Iterable[Parcel]) -> list[Parcel]:
    """Return parcels of which none is there twice. Raises UsageError for two of one name that are not the same."""
    found: dict[str, Parcel] = {}
    for each in parcels:
        first = found.setdefault(each.filename, each)
        if first.sha256 != each.sha256:
            raise two_of_one_filename(first.path, each.path)
    return list(found.values())


def _place(held: Held | None, outlet: Outlet) -> Elsewhere:
    """Return where a wheel lies; of one that is not there yet, only the outlet's name is known."""
    from workbench.publish.publication import Elsewhere  # it costs more than asking an outlet

    if held is None:
        return Elsewhere(url=outlet.place)
    return Elsewhere(url=held.url, metadata_sha256=held.metadata_sha256)
