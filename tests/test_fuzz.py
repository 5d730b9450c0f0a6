"""The fuzz targets read their seeds, and damaged copies of them, without a traceback and quickly."""

from __future__ import annotations

import importlib
import random
import time
from pathlib import Path

import pytest

TARGETS = sorted(path.stem for path in (Path(__file__).parent.parent / "fuzz" / "targets").glob("[!_]*.py"))
COPIES = 100


def damaged(data: bytes, choose: random.Random) -> bytes:
    """Return a copy with some bytes changed, taken out, or put in twice."""
    copy = bytearray(data)
    for _ in range(choose.randrange(1, 6)):
        at = choose.randrange(len(copy) + 1)
        match choose.randrange(4):
            case 0:
                copy[at : at + 1] = choose.randbytes(1)
            case 1:
                copy[at : at + choose.randrange(9)] = choose.choice((b"", b"\xff\xff\xff\xff", b"\0\0\0\0"))
            case 2:
                copy[at:at] = copy[: choose.randrange(300)]
            case _:
                del copy[at : at + choose.randrange(1, 100)]
    return bytes(copy)


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_survives_its_seeds_and_damaged_copies_of_them(name: str) -> None:
    target = importlib.import_module(f"fuzz.targets.{name}")
    choose = random.Random(name)  # noqa: S311 - the same copies in every run
    seeds = list(target.seeds())
    for seed in seeds:
        target.one(seed)
    for number in range(COPIES):
        data = damaged(seeds[number % len(seeds)], choose)
        start = time.process_time()
        try:
            target.one(data)
        except Exception as error:
            raise AssertionError(f"copy {number} of {name}: {data[:200]!r}") from error
        assert time.process_time() - start < 5, number
