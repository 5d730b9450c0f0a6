"""The commands of docs/gpu-code.md."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.forked import invoke
from tests.libraries import ELF, container, entry, library
from tests.wheels import ARCH, wheel
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


def test_a_wheel_that_cannot_be_read_hides_no_other(tmp_path: Path) -> None:
    lib = library(tmp_path / "lib.so", {".nv_fatbin": container(entry(ELF, 121))}).read_bytes()
    sound = wheel(tmp_path, {"demo/lib.so": lib}, tag=f"py3-none-linux_{ARCH}")
    missing, broken = tmp_path / "demo-2.0-py3-none-any.whl", tmp_path / "demo-3.0-py3-none-any.whl"
    broken.write_bytes(b"PK")
    ran = invoke("inspect", missing, sound, broken, "--json")
    assert ran.status == UsageError.exit_code
    assert [each["filename"] for each in json.loads(ran.stdout)] == [sound.name]
    assert "demo-2.0-py3-none-any.whl: no such file" in ran.stderr
    assert "demo-3.0-py3-none-any.whl: not a whole wheel" in ran.stderr
    assert "sm_121" in invoke("inspect", missing, sound).stdout
