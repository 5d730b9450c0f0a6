"""The lines of ``docs/elsewhere.md``, run as they stand there, with the real programs that they hand a wheel to."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml

from tests.wheels import files_of, packed
from workbench.environment import package_index
from workbench.paths import CHECKOUT
from workbench.process import environment as variables

if TYPE_CHECKING:
    from pathlib import Path

    from tests.consume.machines import FakeDriver
    from tests.program.conftest import Project

PAGE = (CHECKOUT / "docs" / "elsewhere.md").read_text()
PUBLIC = package_index()
PROGRAMS = {
    "pdm": ("pdm==2.29.4", "hishel<2"),  # PDM does not start with a newer one
    "poetry": ("poetry==2.5.1", "packaging"),
    "pip-compile": ("pip-tools", "pip"),
}
NAME = "flash_attn-2.8.3+cu130torch2.11-py3-none-any.whl"


def lines(section: str) -> list[str]:
    """Return the lines of a section's block that are for a shell."""
    block = re.search(rf"^## {re.escape(section)}\n.*?```(\w+)\n(.*?)```", PAGE, re.MULTILINE | re.DOTALL)
    assert block is not None
    kind, text = block.groups()
    if kind == "yaml":
        return list(yaml.safe_load(text)["test"]["script"])
    if kind == "groovy":
        return re.findall(r"sh '(.*)'", text)
    if kind == "ipython":
        return [line.removeprefix("!") for line in text.splitlines()]
    return text.splitlines()


@pytest.fixture
def shell(
    project: Project, environment: Path, driver: FakeDriver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Return the project of somebody with a GB10 and torch 2.11, in which gw and the other programs are on PATH.

    These keep nothing in the user's own caches, and take nothing from them.
    """
    for name in ("PDM", "PIP_TOOLS", "POETRY"):
        monkeypatch.setenv(f"{name}_CACHE_DIR", str(tmp_path / "caches" / name))
    monkeypatch.setenv("PDM_CHECK_UPDATE", "false")
    driver.libcuda()
    driver.smi(driver="580.95.05")
    python = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    site = project.environment.path / "lib" / python / "site-packages"
    (site / "torch").mkdir()
    (site / "torch" / "version.py").write_text("__version__ = '2.11.0+cu130'\ncuda = '13.0'\n")
    info = site / "torch-2.11.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: torch\nVersion: 2.11.0\n")
    (info / "RECORD").write_text("torch/version.py,,\ntorch-2.11.0.dist-info/METADATA,,\n")
    content = packed(files_of(name="flash-attn", version="2.8.3+cu130torch2.11"))
    project.github.repositories["ada/wheels"].release("one", [NAME], contents={NAME: content})
    programs = tmp_path / "programs"
    programs.mkdir()
    for name, (package, *others) in PROGRAMS.items():
        more = " ".join(f"--with '{each}'" for each in others)
        start = f"uv tool run --quiet --default-index '{PUBLIC}' --from '{package}' {more} {name}"
        (programs / name).write_text(f'#!/bin/sh\nexec {start} "$@"\n')
        (programs / name).chmod(0o755)
    (programs / "gw").symlink_to(environment / "gw")
    (project.folder / "pyproject.toml").write_text(
        '[project]\nname = "mine"\nversion = "1"\nrequires-python = ">=3.11,<3.12"\ndependencies = []\n'
    )
    return programs


def typed(section: str, project: Project, programs: Path, *, without: str = "") -> str:
    """Type the lines of a section, and return what is installed in the project afterwards."""
    path = f"{programs}:{variables()['PATH']}"
    for line in lines(section):
        done = subprocess.run(
            ["sh", "-c", line.replace(without, "") if without else line],
            cwd=project.folder,
            env={**variables(), "PATH": path, "POETRY_VIRTUALENVS_IN_PROJECT": "1"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    freeze = ["uv", "pip", "freeze", f"--python={project.environment.python}"]
    return subprocess.run(freeze, capture_output=True, text=True, check=True, env=variables()).stdout


def test_a_requirements_txt(project: Project, shell: Path) -> None:
    assert "flash-attn" in typed("A requirements.txt", project, shell)


def test_pip_tools(project: Project, shell: Path) -> None:
    typed("pip-tools", project, shell)
    assert "--hash=sha256:" in (project.folder / "requirements.txt").read_text()


def test_jupyter_gitlab_and_jenkins(project: Project, shell: Path) -> None:
    assert "flash-attn==2.8.3" in typed("Jupyter", project, shell)
    lock = (project.folder / "pylock.toml").read_text()
    assert "flash-attn" in lock
    for section in ("GitLab CI", "Jenkins"):
        own = [line for line in lines(section) if "gw install" in line or "uv venv" in line]
        assert own == [lines(section)[0], "gw install"]
    for line in ("uv venv --clear", "gw install"):
        done = subprocess.run(
            ["sh", "-c", line],
            cwd=project.folder,
            env={**variables(), "PATH": f"{shell}:{variables()['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def test_a_dockerfile(project: Project, shell: Path) -> None:
    from workbench.program.gpuwheels import run

    assert run(["lock", "flash-attn"]) == 0
    (line,) = (line.removeprefix("RUN ") for line in lines("A Dockerfile") if line.startswith("RUN "))
    into = f"--python={project.environment.python}"
    inside = line.replace("--system --break-system-packages", into)
    done = subprocess.run(
        ["sh", "-c", inside], cwd=project.folder, env=variables(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert shell.is_dir()


def test_poetry(project: Project, shell: Path) -> None:
    typed("Poetry", project, shell)
    assert 'name = "flash-attn"' in (project.folder / "poetry.lock").read_text()


def test_pdm(project: Project, shell: Path) -> None:
    assert "flash-attn==2.8.3" in typed("PDM", project, shell)
