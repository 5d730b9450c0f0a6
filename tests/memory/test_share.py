"""The jobs of a build follow what its compilers, and the other builds, really take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from workbench.build_group import BuildGroup
from workbench.memory import free, share
from workbench.memory.admission import Ledger
from workbench.memory.peaks import Expected, Peak
from workbench.memory.share import Share

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workbench.memory.admission import Grant
    from workbench.memory.jobserver import Jobserver

GB = 1_000_000_000

GUESS = Expected(peak=Peak(peak=GB, largest=GB, jobs=1), guess=True)
KNOWN = Expected(peak=Peak(peak=4 * GB, largest=GB, jobs=4))


@pytest.fixture
def grant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Grant]:
    """Return the grant of a build that may claim ten gigabytes, and has six jobs."""
    monkeypatch.setattr(free, "available", lambda: 10 * GB * 20 // 19 + 1)
    monkeypatch.setattr(share, "FEED", 3600)  # the tests themselves tell it to look
    with Ledger(tmp_path / "running").admitted("one", lambda jobs: jobs * GB, wanted=6) as given:
        yield given


def begun(grant: Grant, expected: Expected, tmp_path: Path) -> tuple[Share, BuildGroup, Jobserver]:
    """Return the share of a build that has begun, and what it is made of."""
    group = BuildGroup(None, lambda _used, _groups: None)
    begins = Share(grant, group, expected, jobs=6, most=8)
    (tmp_path / "programs").mkdir()
    make = tmp_path / "programs" / "make"
    make.write_text("#!/bin/sh\necho GNU Make 4.4\n")
    make.chmod(0o755)
    told = begins.slots(tmp_path / "slots", str(make.parent))
    assert told["MAKEFLAGS"].startswith(" -j8 --jobserver-auth=fifo:")
    assert begins._server is not None
    return begins, group, begins._server


def take_all(server: Jobserver) -> None:
    """Take all tokens, as compilers do."""
    given = server.given
    while server.take():
        pass
    server.given = given


def test_what_is_unknown_begins_with_two_and_each_that_ended_lets_one_more_begin(
    grant: Grant, tmp_path: Path
) -> None:
    """It claims what was guessed for each all the same: the first to end are a backend's own small programs."""
    begins, group, server = begun(grant, GUESS, tmp_path)
    with begins.opened():
        assert (server.given, grant.jobs) == (1, 2)
        take_all(server)
        begins.follow(server)
        assert server.given == 1  # nothing has ended yet
        group.finished, group.largest = 2, GB // 50
        for _ in range(4):
            begins.follow(server)
            take_all(server)
        assert server.given + 1 == grant.jobs == begins.offered == 4
        assert grant.claimed == 4 * GB
        group.largest = 2 * GB  # it takes more than was guessed
        begins.follow(server)
        assert grant.claimed > 4 * GB


def test_what_takes_more_than_was_known_gets_no_more_and_gives_back(grant: Grant, tmp_path: Path) -> None:
    begins, group, server = begun(grant, KNOWN, tmp_path)
    with begins.opened():
        assert server.given == 5
        group.largest = 3 * GB  # three of these fit, and no more
        for _ in range(8):
            begins.follow(server)
        assert (server.given + 1, grant.jobs) == (2, 2)
        take_all(server)
        begins.follow(server)
        assert server.given + 1 == 3
        take_all(server)
        begins.follow(server)
        assert server.given + 1 == 3


def test_tokens_that_nobody_uses_go_back(grant: Grant, tmp_path: Path) -> None:
    begins, _, server = begun(grant, KNOWN, tmp_path)
    with begins.opened():
        for _ in range(8):
            begins.follow(server)
        assert (server.given, server.unused, grant.jobs) == (1, 1, 2)
        assert begins.used == 1
