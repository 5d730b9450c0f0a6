"""What a build sees that looks around: a secret, a home, a network; what it leaves behind; two builds, byte by byte."""

from __future__ import annotations

import dataclasses
import os
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from tests.builders.raw import built
from tests.builders.test_host import HERE, RECIPE, environment, plan_of
from tests.plans import planned
from workbench.builders import isolation
from workbench.errors import BuildFailed, ToolMissing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.paths import Paths

pytestmark = pytest.mark.needs("bwrap")

NOSY = """
    for path in {paths!r}:
        print("SEEN", path, os.path.exists(path))
    for path in ({home!r} + "/left", "/usr/left", "/left", sys.prefix + "/left", "/build/tree/.git/left"):
        try:
            open(path, "w").close()
        except OSError:
            print("REFUSED", path)
    open(os.path.expanduser("~/own"), "w").close()
    open({own!r}, "w").close()
"""


@pytest.fixture
def nosy_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a home with a secret, which the caller has in the environment as well."""
    home = tmp_path / "somebody"
    (home / ".aws").mkdir(parents=True)
    (home / ".aws" / "credentials").write_text("secret-of-the-home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))  # which a build may read
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-shell")
    return home


def test_a_build_sees_no_home_and_no_secret_and_leaves_nothing_behind(
    paths: Paths, tmp_path: Path, nosy_home: Path
) -> None:
    hidden = [str(nosy_home / ".aws" / "credentials"), str(paths.root), str(Path(__file__))]
    own = f"/tmp/{uuid4().hex}"  # noqa: S108 - the folder of all
    before = NOSY.format(paths=hidden, home=str(nosy_home), own=own).strip()
    wheel = built(plan_of(tmp_path, before=before), paths)
    told = environment(wheel)
    log = (wheel.parent.parent / "build.log").read_text()
    assert "secret" not in str(told)
    assert told["HOME"] == "/build/home"
    # it would be in the wheel of a build that writes down its environment
    assert str(tmp_path) not in str(told)
    assert [line for line in log.splitlines() if line.startswith("SEEN")] == [
        f"SEEN {each} False" for each in hidden
    ]
    assert log.count("REFUSED") == 5
    assert not (nosy_home / "left").exists()
    assert not Path(own).exists()


CONNECT = 'import socket; socket.create_connection(("127.0.0.1", {port}), timeout=5).close()'


@pytest.fixture
def server() -> Iterator[int]:
    """Return the port of somebody who listens on this machine."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_a_build_has_no_network_unless_its_recipe_says_so(paths: Paths, tmp_path: Path, server: int) -> None:
    wanted = plan_of(tmp_path, before=CONNECT.format(port=server))
    with pytest.raises(BuildFailed, match="network=True") as caught:
        built(wanted, paths)
    told = str(caught.value)
    assert "tried to reach 127.0.0.1 (backend.py:" in told
    assert "and a build has no network" in told
    assert "Connection refused" in told
    allowed = dataclasses.replace(wanted, recipe=dataclasses.replace(wanted.recipe, network=True))
    assert built(allowed, paths).is_file()


def test_what_a_build_tried_to_reach_is_told_though_it_went_on_without(
    paths: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = """
    import traceback, urllib.request
    try:
        urllib.request.urlopen("https://files.invalid/telemetry")
    except OSError:
        traceback.print_exc()
"""
    assert built(plan_of(tmp_path, before=before.strip()), paths).is_file()
    told = capsys.readouterr().err
    assert "its build has no network, and tried to reach https://files.invalid/telemetry (backend.py:" in told


@pytest.mark.parametrize("silent", [True, False])
def test_what_no_log_names_is_counted_by_the_kernel_and_a_build_that_tries_nothing_is_not_told_of(
    paths: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str], *, silent: bool
) -> None:
    trying = """
    import contextlib, socket
    with contextlib.suppress(OSError):
        socket.create_connection(("1.2.3.4", 9))
""".strip()
    assert built(plan_of(tmp_path, before=trying if silent else "import socket"), paths).is_file()
    told = "its build has no network, and tried to reach the network, 1 time, of which its log says nothing"
    assert (told in capsys.readouterr().err) is silent


def test_a_program_of_the_home_is_not_there_and_the_build_says_that_it_is_hidden(
    paths: Paths, tmp_path: Path, nosy_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = nosy_home / "bin" / "own-tool"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
    with pytest.raises(BuildFailed, match=re.escape(f"a program of yours ({tool})")):
        built(plan_of(tmp_path, before='import subprocess; subprocess.run(["own-tool"])'), paths)


def test_a_network_is_in_the_build_key() -> None:
    """So a wheel that was built with one is never taken for one that was built without."""
    alone = planned(RECIPE, HERE)
    allowed = planned(dataclasses.replace(RECIPE, network=True), HERE)
    assert alone.key
    assert alone.key != allowed.key


def test_where_nothing_can_be_isolated_a_build_runs_all_the_same_and_that_is_told(
    paths: Paths,
    tmp_path: Path,
    nosy_home: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(isolation, "_BWRAP", "a-bwrap-that-is-not-there")
    isolation.why_not.cache_clear()
    try:
        told = environment(built(plan_of(tmp_path), paths))
    finally:
        isolation.why_not.cache_clear()
    assert "not isolated: bubblewrap is not installed: 'apt install bubblewrap'" in capsys.readouterr().err
    assert told["HOME"] == str(nosy_home)
    assert "secret-of-the-shell" not in told.values()


def test_what_must_be_isolated_is_not_built_where_nothing_can_be(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolation, "_BWRAP", "a-bwrap-that-is-not-there")
    (paths.root / "workbench.yaml").write_text("isolation: required\n")
    isolation.why_not.cache_clear()
    try:
        with pytest.raises(ToolMissing, match="isolation: required, and bubblewrap is not installed"):
            built(plan_of(tmp_path), paths)
    finally:
        isolation.why_not.cache_clear()
