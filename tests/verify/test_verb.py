"""The commands of docs/verification.md."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.forked import invoke
from tests.verify.test_verifier import wheel_in
from tests.wheels import good
from workbench.errors import VerificationFailed
from workbench.paths import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.usefixtures("paths")
def test_verify_prints_a_row_for_each_wheel_and_every_finding(tmp_path: Path) -> None:
    sound, foreign = good(tmp_path), good(tmp_path, "py3-none-linux_s390x")
    foreign.write_bytes(foreign.read_bytes() + b"more")
    ran = invoke("verify", sound, foreign)
    assert ran.status == VerificationFailed.exit_code, ran.stderr
    rows = {line.split()[0]: line.split()[1:] for line in ran.stdout.splitlines() if line}
    assert rows[sound.name] == [*["✓"] * 7, "–", "✓", "✓"]
    assert rows[foreign.name] == ["✗", *["✓"] * 6, "–", "✓", "–"]
    assert f"archive: {foreign.name}: 4 bytes after its end" in ran.stdout


@pytest.mark.usefixtures("paths")
def test_verify_answers_in_json(tmp_path: Path) -> None:
    ran = invoke("verify", "--json", good(tmp_path))
    assert ran.status == 0, ran.stderr
    (report,) = json.loads(ran.stdout)
    assert report["passed"] is True


@pytest.mark.usefixtures("paths")
def test_nothing_of_a_wheel_runs_that_is_looked_at_only(tmp_path: Path) -> None:
    left = tmp_path / "left"
    wheel = wheel_in(tmp_path / "a", module=f"open({str(left)!r}, 'w')\nraise SystemExit(1)\n")
    ran = invoke("verify", "--json", "--static", wheel)
    assert ran.status == 0, ran.stderr
    (report,) = json.loads(ran.stdout)
    assert "smoke" not in report["checks"]
    assert not left.exists()


def test_the_benchmark_runs() -> None:
    script = CHECKOUT / "benchmarks" / "verify.py"
    words = [sys.executable, str(script), "--megabytes", "1", "--rounds", "1"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert "wheel unpack" in done.stdout
    assert "x faster" in done.stdout
