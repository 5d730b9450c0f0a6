"""The cache of wheels in a bucket: many machines put in the same key at once, and all take the same wheel."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tests import wheels
from workbench.evidence import notes
from workbench.evidence.facts import BuildFacts
from workbench.fleet.stored_wheels import StoredWheels

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.store.s3 import S3Store

KEY = "0" * 64
AT_ONCE = 4


def test_of_a_key_there_is_one_wheel_for_all(store: S3Store, tmp_path: Path) -> None:
    cache = StoredWheels(store, "cache/")
    mine = []
    for number in range(AT_ONCE):
        folder = tmp_path / str(number)
        folder.mkdir()
        wheel = wheels.good(folder, payload={"sample/__init__.py": b"# %d" % number})
        notes.keep(wheel, build_key=KEY, gpu=(), facts=BuildFacts(source="", pin=""), log=b"%d" % number)
        mine.append(wheel)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        put_in = [*pool.map(lambda wheel: cache.offer("sample", KEY, wheel), mine)]
    assert put_in.count(True) == 1
    taken = cache.fetch("sample", KEY, tmp_path)
    assert taken
    first = mine[put_in.index(True)]
    assert taken.read_bytes() == first.read_bytes()
    assert (notes.recall(taken), notes.log_of(taken)) == (notes.recall(first), notes.log_of(first))
    assert [each.build_key for each in cache.kept("sample")] == [KEY]
    assert cache.fetch("sample", "1" * 64, tmp_path) is None
