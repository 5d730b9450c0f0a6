"""``--signed-by``: nothing is locked or installed that a trusted key has not signed; an index never goes back."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from workbench.care.proven import SeenIndex, open_index, store_of
from workbench.care.proven_wheel import prove_wheel
from workbench.errors import ProofFailed
from workbench.evidence.keys import read_keyring
from workbench.files import content_of, locked, write_whole
from workbench.simple.fetch import Fetcher
from workbench.store.layout import INDEX, SIMPLE, WheelKey, wheel_at
from workbench.strict import Mismatch, parse
from workbench.url import without_login
from workbench.wheel.filename import parse_wheel

if TYPE_CHECKING:
    from collections.abc import Iterable


class Wanted(NamedTuple):
    """A wheel that is to be installed: its filename, the URL where it lies, its sha256 in hex.

    `listed_in` is the address of the index that lists it, "" where it comes from no index.
    """

    filename: str
    url: str
    sha256: str
    listed_in: str = ""

    @property
    def store(self) -> str:
        """The URL of the store whose registry proves it: the one that it lies in, or that its index belongs to.

        Raises ProofFailed where there is none.
        """
        place = without_login(self.url)
        project = parse_wheel(self.filename, labelled=True).name
        if (found := wheel_at(place)) and found[1] == WheelKey(project, self.filename):
            return found[0]
        if f"/{INDEX}" in self.listed_in:
            return store_of(self.listed_in)
        raise ProofFailed(
            f"{self.filename}: it does not lie in a store of the workbench ({place}), and no index of one lists it, so "
            "nobody signed how it was made: name its source's file with --registry, leave out --signed-by, or name a "
            "package that has a signed wheel"
        )


def prove(wheels: Iterable[Wanted], signed_by: str) -> None:
    """See that each wheel is what its index's signed root and its own signed statement say, and remember the roots.

    Raises ProofFailed, also for an index that is older than it was when this user saw it last; UsageError.
    """
    trusted, fetcher = read_keyring(Path(signed_by).expanduser()), Fetcher(2)
    by_store: dict[str, list[Wanted]] = {}
    for wheel in wheels:
        by_store.setdefault(wheel.store, []).append(wheel)
    for base, wanted in by_store.items():
        index = open_index(f"{base}/{SIMPLE}", trusted, fetcher=fetcher, seen=_seen_of(base))
        for each in wanted:
            published = index.registry.find(each.filename)
            if published is None:
                raise ProofFailed(f"{each.filename}: it is not in the signed registry of {base}")
            project, found_there = published
            if found_there.sha256 != each.sha256:
                raise ProofFailed(
                    f"{each.filename}: its page gives another sha256 than the signed registry of {base}"
                )
            prove_wheel(index, project, found_there, fetcher, whole=False)
        _remember(base, SeenIndex(generation=index.root.generation, keys=index.keys.version))


def _file() -> Path:
    home = os.environ.get("XDG_STATE_HOME", "")
    states = Path(home) if home.startswith("/") else Path("~/.local/state").expanduser()
    return states / "gpuwheels" / "roots.json"


def _read() -> dict[str, SeenIndex]:
    try:
        return {
            base: parse(SeenIndex, told) for base, told in json.loads(content_of(_file()) or b"{}").items()
        }
    except (ValueError, AttributeError, Mismatch) as error:
        raise ProofFailed(
            f"{_file()}: what was seen of indexes cannot be read: {error}; remove it to begin anew"
        ) from error


def _seen_of(base: str) -> SeenIndex:
    """Return the newest that this user has seen of an index, by its store's URL. Raises ProofFailed."""
    return _read().get(base, SeenIndex())


def _remember(base: str, now: SeenIndex) -> None:
    with locked(_file().with_suffix(".lock")):
        every = _read()
        before = every.get(base, SeenIndex())
        newest = SeenIndex(generation=max(before.generation, now.generation), keys=max(before.keys, now.keys))
        if newest != before:
            told = {name: asdict(seen) for name, seen in {**every, base: newest}.items()}
            write_whole(_file(), json.dumps(told, indent=2) + "\n", private=True)
