from __future__ import annotations

import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

from packaging.version import Version

from workbench.environment import Environment
from workbench.wheel.restamp import restamp

if TYPE_CHECKING:
    from pathlib import Path


def test_a_restamped_wheel_is_the_same_but_for_its_version(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / "demo").mkdir(parents=True)
    (project / "demo" / "__init__.py").write_text("answer = 42\n")
    (project / "pyproject.toml").write_text(
        '[project]\nname = "demo"\nversion = "1.0"\n[build-system]\nrequires = ["setuptools"]\n'
    )
    subprocess.run(["uv", "build", "-q", "--wheel", "-o", tmp_path, project], check=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        before = archive.getinfo("demo/__init__.py")
    new = restamp(wheel, Version("1.0.post1+cu130"), requires=["torch==2.11.*; extra == 'gpu'"])
    assert new.name == "demo-1.0.post1+cu130-py3-none-any.whl"
    assert not wheel.exists()
    with zipfile.ZipFile(new) as archive:
        folders = {name.split("/")[0] for name in archive.namelist()}
        after = archive.getinfo("demo/__init__.py")
        assert b"Requires-Dist: torch==2.11.*" in archive.read("demo-1.0.post1+cu130.dist-info/METADATA")
        assert archive.namelist()[-1] == "demo-1.0.post1+cu130.dist-info/RECORD"
    assert (after.CRC, after.compress_size, after.date_time) == (
        before.CRC,
        before.compress_size,
        before.date_time,
    )
    assert folders == {"demo", "demo-1.0.post1+cu130.dist-info"}
    # installer-grade judges: uv checks RECORD's rows and the names, importlib.metadata the version
    environment = Environment.create(tmp_path / "env", python=sys.executable)
    environment.install([new])
    done = environment.run_code(
        "import demo, importlib.metadata as m; print(demo.answer, m.version('demo'))", cwd=tmp_path
    )
    assert done.output.split() == ["42", "1.0.post1+cu130"]
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", environment.python, "check"],
        check=True,
        capture_output=True,
    )
