from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from workbench.container.debian import SUITES
from workbench.environment import Environment, python_platform
from workbench.process import run

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "glibc", ["2.17", "2.28", "2.30", "2.45", *(suite.glibc for suite in SUITES.values())]
)
def test_uv_knows_the_platform(glibc: str) -> None:
    platform = python_platform("aarch64", glibc)
    assert int(platform.rpartition("_")[2]) <= int(glibc.partition(".")[2])
    assert platform in run(["uv", "pip", "install", "--help"]).output


def test_what_is_pinned_is_unpacked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = tmp_path / "cache"
    monkeypatch.setenv("UV_CACHE_DIR", str(cache))
    source = tmp_path / "mine"
    source.mkdir()
    (source / "pyproject.toml").write_text('[project]\nname = "mine"\nversion = "1.0"\n')
    unpacked = []
    for name in ("first", "second"):
        environment = Environment.create(tmp_path / name, python=sys.executable)
        environment.install_pinned(["iniconfig", f"mine @ {source.as_uri()}"])
        assert environment.run_code("import iniconfig", cwd=tmp_path).status == 0
        unpacked.append(
            sorted(each.name for each in cache.glob("archive-v*/*") if any(each.glob("iniconfig")))
        )

    assert len(unpacked[0]) == 1
    assert unpacked[0] == unpacked[1]
