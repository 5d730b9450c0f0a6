"""Wheels to outlets, one after the other: first what is there, by name and hash, then what is sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.errors import VerificationFailed
from workbench.events import note, step
from workbench.outlets.outlet import same, taken
from workbench.text import counted, file_size

if TYPE_CHECKING:
    from workbench.outlets.outlet import Held, Outlet, Parcel


@dataclass(frozen=True, slots=True, kw_only=True)
class Shipment:
    """What one outlet is to get: the wheels that it has not, and, by filename, those that it has.

    `access` says where its credentials come from.
    """

    outlet: Outlet
    access: str
    new: tuple[Parcel, ...]
    there: Mapping[str, Held]

    def lines(self) -> tuple[str, ...]:
        """Return what would be done, as a person reads it."""
        return (
            f"{self.outlet.name}: {self.outlet.place} (login: {self.access})",
            *(f"  leave {name}: there already, the same bytes" for name in self.there),
            *(f"  send {each.filename} ({file_size(each.size)})" for each in self.new),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the plain form, for JSON."""
        return {
            "outlet": self.outlet.name,
            "place": self.outlet.place,
            "login": self.access,
            "there": {name: held.url for name, held in self.there.items()},
            "to_send": [each.filename for each in self.new],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What an outlet has now: each wheel by its filename, and which of them it got just now."""

    outlet: str
    place: str
    held: Mapping[str, Held]
    sent: tuple[str, ...]

    @property
    def urls(self) -> dict[str, str]:
        """The URL of each wheel, by its filename."""
        return {name: held.url for name, held in self.held.items()}

    def lines(self) -> tuple[str, ...]:
        """Return what was done, as a person reads it."""
        already = len(self.urls.keys() - {*self.sent})
        there = f", {already} there already" if already else ""
        return (
            f"{self.outlet}: {counted(len(self.sent), 'wheel')} sent{there}",
            *(f"  {url}" for url in self.urls.values()),
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the plain form, for JSON."""
        return {"outlet": self.outlet, "place": self.place, "urls": self.urls, "sent": list(self.sent)}


def preflight(outlets: Sequence[Outlet], parcels: Sequence[Parcel]) -> tuple[Shipment, ...]:
    """Ask every outlet for credentials and for what it has, before anything is sent to any.

    Raises UsageError for a wheel that an outlet never takes, FilenameTaken where one has a name with other bytes, and
    OutletError where one has no credentials or does not answer.
    """
    for outlet in outlets:
        for parcel in parcels:
            outlet.refuse(parcel.subject, parcel.filename, parcel.size)
    return tuple(_asked(outlet, parcels) for outlet in outlets)


def _asked(outlet: Outlet, parcels: Sequence[Parcel]) -> Shipment:
    with step(f"ask {outlet.name} what it has") as at:
        access = outlet.access
        new: list[Parcel] = []
        there: dict[str, Held] = {}
        for parcel in parcels:
            held = outlet.held(parcel.subject).get(parcel.filename)
            if held is None:
                new.append(parcel)
            elif same(outlet, held, parcel):
                there[parcel.filename] = held
            else:
                raise taken(held.url, parcel)
        at.outcome = f"{len(new)} to send, {len(there)} there"
        return Shipment(outlet=outlet, access=access, new=tuple(new), there=there)


def deliver(shipment: Shipment) -> Delivered:
    """Send what an outlet has not. Called again after any failure, it goes on from there. Raises as `Outlet.send`."""
    held = dict(shipment.there)
    if shipment.new:
        names = shipment.new[0].filename if len(shipment.new) == 1 else f"{len(shipment.new)} wheels"
        total = sum(each.size for each in shipment.new)
        with step(f"send {names} to {shipment.outlet.name}", total=total) as moved:
            held |= shipment.outlet.send(shipment.new, moved)
    sent = tuple(each.filename for each in shipment.new)
    return Delivered(outlet=shipment.outlet.name, place=shipment.outlet.place, held=held, sent=sent)


def in_order(steps: Mapping[str, Callable[[], None]]) -> dict[str, float]:
    """Take steps, by the names of their places, one after the other; return the seconds that each took.

    A failure stops the later ones, and says so.
    """
    left, took = list(steps), dict[str, float]()
    for name, take in steps.items():
        left.remove(name)
        start = time.monotonic()
        try:
            take()
        except BaseException:
            if left:
                note(f"nothing was sent to {', '.join(left)}: the same command again goes on with {name}")
            raise
        took[name] = time.monotonic() - start
    return took


def advise(parcels: Iterable[Parcel], *, strict: bool) -> None:
    """Say of which wheels an index shows no description, or guesses its form, as ``twine check`` does.

    Raises VerificationFailed where that is `strict`.
    """
    found = [f"{each.filename}: {advice}" for each in parcels for advice in _advice(each.metadata)]
    if found and strict:
        raise VerificationFailed("--strict: " + "\n".join(found))
    for line in found:
        note(f"· {line}")


def _advice(metadata: bytes) -> list[str]:
    from workbench.wheel.metadata import read_metadata  # of what is sent, and often nothing is

    raw, _ = read_metadata(metadata)
    if not raw.get("description", "").strip() or raw.get("description") == "UNKNOWN":
        return ["it has no description: 'update-readme' gives it one"]
    if "description_content_type" not in raw:
        return ["its description has no content type, and is taken for reStructuredText"]
    return []
