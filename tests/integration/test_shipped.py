"""The shipped recipes that need no GPU, built here for this machine and for the other architecture, and verified.

In containers: ``container/test_wheels.py``. hnswlib on the host is the README's first command, which CI runs as it is.
"""

from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.forked import invoke
from workbench.paths import CHECKOUT, Paths
from workbench.plan.target import this_python

if TYPE_CHECKING:
    from workbench.paths import Paths

pytestmark = pytest.mark.needs("aarch64-linux-gnu-g++", "qemu-aarch64-static")


@pytest.mark.parametrize(
    ("name", "arch", "builder"),
    [
        ("annoy", "x86_64", "host"),
        ("xatlas", "x86_64", "host"),
        ("hnswlib", "aarch64", "cross"),
        ("annoy", "aarch64", "cross"),
        ("xatlas", "aarch64", "cross"),
    ],
)
def test_a_recipe_gives_a_wheel_that_verifies(name: str, arch: str, builder: str, paths: Paths) -> None:
    shutil.copy(CHECKOUT / "recipes" / f"{name}.py", paths.recipes)
    series = CHECKOUT / "patches" / name
    if series.is_dir():
        shutil.copytree(series, paths.patches / name)
    (paths.root / "workbench.yaml").write_text("cache: {objects: false}\n")  # which is the user's own
    built = invoke("build", name, "--arch", arch, "--builder", builder)
    assert built.status == 0, built.stderr
    (wheel,) = paths.wheels.glob("*.whl")
    assert wheel.name.endswith(f"{arch}.whl")
    assert f"cp{this_python().replace('.', '')}-" in wheel.name
    verified = invoke("verify", wheel, "--json")
    assert verified.status == 0, verified.stderr
    (report,) = json.loads(verified.stdout)
    assert "smoke" in report["checks"], verified.stderr
