"""What a build is told of its target, where the package index has something else for it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.toolchain.test_torch import VERSION, index
from tests.wheels import files_of, pack
from workbench.builders.tools import equip
from workbench.environment import Environment
from workbench.errors import ToolchainError
from workbench.plan.target import Target
from workbench.toolchain.compilers import cross_gcc

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.needs("aarch64-linux-gnu-g++")
def test_a_cross_builds_torch_must_be_for_the_targets_cuda_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = files_of(
        name="torch", version="2.11.0", payload={"torch/version.py": VERSION.format(cuda="'13.0'").encode()}
    )
    environment = Environment.create(tmp_path / "env", python=sys.executable)
    environment.install([pack(tmp_path / "torch-2.11.0-py3-none-any.whl", here)])
    target = Target(python="3.11", arch="aarch64", compute="cu130", torch="2.11", gpu=("sm_121",))
    monkeypatch.setenv("UV_DEFAULT_INDEX", index(tmp_path / "simple", "2.11.0", "'12.8'"))
    with pytest.raises(ToolchainError, match=r"torch .* for aarch64 is built for CUDA 12\.8, and the wheel"):
        equip(
            environment,
            target,
            tmp_path / "cross",
            toolkit=tmp_path / "toolkit",
            compiler=cross_gcc("aarch64"),
            cache=tmp_path / "cache",
        )
