"""``gw --signed-by``: on a signed index on loopback, which is then rolled back, changed, or never was signed."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.evidence.conftest import flip, signed, signed_once
from tests.forked import invoke
from tests.installing import gw_project
from workbench.errors import LockFault, ProofFailed, WorkbenchError
from workbench.index.serve import Server
from workbench.program.gpuwheels import run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.evidence.conftest import Signed

__all__ = ["signed", "signed_once"]


@pytest.fixture
def served(signed: Signed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Serve the signed index; yield the line that locks its package with the key of its publisher."""
    with Server(signed.paths.root, quiet=True) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        lock = gw_project(tmp_path / "project", f"{server.url}index/simple/", "demo", monkeypatch)
        yield [*lock, f"--signed-by={signed.public}"]
        server.shutdown()


def refused(line: list[str]) -> str:
    with pytest.raises(WorkbenchError) as error:
        run(line)
    assert isinstance(error.value, ProofFailed), error.value
    return str(error.value)


def test_a_signed_wheel_is_locked_and_an_older_index_is_noticed(
    served: list[str], signed: Signed, tmp_path: Path
) -> None:
    assert run(served) == 0
    assert (tmp_path / "project" / "pylock.toml").exists()
    before = tmp_path / "before"
    shutil.copytree(signed.paths.root, before)
    assert invoke("yank", signed.wheel.name, "--reason", "a try").status == 0
    assert invoke("unyank", signed.wheel.name).status == 0
    assert run(served) == 0
    (known,) = json.loads((tmp_path / "XDG_STATE_HOME" / "gpuwheels" / "roots.json").read_text()).values()
    assert known == {"generation": 3, "keys": 1}
    # the whole store as it was: every signature in it is right
    for part in ("trust", "index", "packages.json"):
        place = signed.paths.root / part
        if place.is_dir():
            shutil.rmtree(place)
            shutil.copytree(before / part, place)
        else:
            shutil.copyfile(before / part, place)
    said = refused(served)
    assert "signed root is of generation 1, and 3 was seen before" in said


def test_what_is_not_signed_is_not_locked(served: list[str], signed: Signed, tmp_path: Path) -> None:
    flip(signed.published(".statement.*.json"), 200)
    assert "it was changed" in refused(served)
    assert not (tmp_path / "project" / "pylock.toml").exists()
    shutil.rmtree(signed.paths.root / "trust")
    assert "has no signed root" in refused(served)
    assert run(served[:-1]) == 0  # who does not ask for it gets the wheel, as ever


@pytest.mark.parametrize("name", ["demo", "DEMO"])
def test_a_lock_that_was_made_without_is_refused_as_well(
    served: list[str], signed: Signed, tmp_path: Path, name: str
) -> None:
    assert run(["lock", name, *served[2:-1]]) == 0
    lock = tmp_path / "project" / "pylock.toml"
    text = lock.read_text()
    sha256 = json.loads(signed.paths.registry.read_text())["packages"]["demo"]["wheels"][0]["sha256"]
    lock.write_text(text.replace(sha256, "0" * 64))
    assert "another sha256" in refused(["install", f"--signed-by={signed.public}"])
    lock.write_text(text.replace('asked = ["', 'asked = ["other", "'))
    with pytest.raises(LockFault, match="made for other, which is not in it"):
        run(["install", f"--signed-by={signed.public}"])
