"""The commands of docs/gpu-code.md."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.binary.libraries import ELF, container, entry, library
from tests.conftest import invoke
from tests.repair.wheels import ARCH, wheel
from workbench.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.needs("gcc")


def test_inspect_shows_gpu_code_to_people_and_to_programs(tmp_path: Path) -> None:
    lib = library(tmp_path / "lib.so", {".nv_fatbin": container(entry(ELF, 121))}).read_bytes()
    path = wheel(tmp_path, {"demo/lib.so": lib}, tag=f"py3-none-linux_{ARCH}")
    shown = invoke("inspect", path)
    assert shown.status == 0, shown.stderr
    (row,) = (line for line in shown.stdout.splitlines() if line.startswith("demo/lib.so"))
    assert "sm_121" in row
    (plain,) = json.loads(invoke("inspect", path, "--json").stdout)
    assert plain["gpu_architectures"] == ["sm_121"]


def test_inspect_of_nothing_says_what_it_wants(tmp_path: Path) -> None:
    ran = invoke("inspect", tmp_path / "demo-1.0-py3-none-any.whl")
    assert (ran.status, ran.stdout) == (UsageError.exit_code, "")
    assert "no such file" in ran.stderr
