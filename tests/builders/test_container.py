"""Builder `container`, up to where cibuildwheel begins."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest

from tests.builders import test_host
from tests.builders.raw import built
from tests.builders.test_host import CUDA, environment, plan_of
from workbench.builders import container
from workbench.container.command import CUDA_HOME, Build
from workbench.container.engine import Cuda, Engine

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.paths import Paths

RECIPES = {"CMAKE_ARGS": "-DMINE=1", "PATH": "/mine/bin", "MAX_JOBS": "7", "FORCE_CUDA": "1"}


@pytest.fixture
def toolkit(tmp_path: Path) -> Path:
    """Return a folder whose nvcc answers as that of CUDA 13.0 does."""
    home = tmp_path / "cuda"
    (home / "bin").mkdir(parents=True)
    nvcc = home / "bin" / "nvcc"
    nvcc.write_text("#!/bin/sh\necho release 13.0\necho sm_121\n")
    nvcc.chmod(0o755)
    return home


def test_a_recipe_adds_to_the_tools_whoever_builds(
    paths: Paths, tmp_path: Path, toolkit: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its flags do not take the place of the GPUs, nor its programs that of nvcc."""
    (paths.root / "workbench.yaml").write_text(f"cuda: {{cu130: {toolkit}}}\n")
    monkeypatch.setattr(test_host, "RECIPE", dataclasses.replace(test_host.RECIPE, environment={**RECIPES}))
    plan = plan_of(tmp_path, CUDA)
    here = environment(built(plan, paths, jobs=3))

    builds: list[Build] = []

    def keep(build: Build, *_: Any, **__: Any) -> Path:
        builds.append(build)
        return build.output / "told-1.0-py3-none-any.whl"

    engine = Engine(name="podman", version="4.3.1", storage=tmp_path)
    monkeypatch.setattr(container, "find_engine", lambda _: engine)
    monkeypatch.setattr(container, "image_for", lambda *_: None)
    monkeypatch.setattr(container, "cuda_in", lambda *_: Cuda(version="13.0", gpus=(121,)))
    monkeypatch.setattr(container, "build_wheel", keep)
    monkeypatch.setattr("workbench.builders.raw_wheel._check", lambda *_: ())
    built(dataclasses.replace(plan, builder="container", image="mine"), paths, jobs=3)
    (build,) = builds

    there = dict(build.environment)
    assert there["CMAKE_ARGS"] == "-DCMAKE_CUDA_ARCHITECTURES=121-real -DMINE=1"
    assert there["MAX_JOBS"] == "7"
    assert there.pop("PATH") == f"/mine/bin:{CUDA_HOME}/bin"
    assert f":/mine/bin:{toolkit}/bin:" in here["PATH"]
    assert there == {name: here[name].replace(str(toolkit), str(CUDA_HOME)) for name in there}
