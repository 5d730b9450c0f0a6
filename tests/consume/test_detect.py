"""What is found of the project's Python and of its torch."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from workbench.consume.detect import detect
from workbench.consume.interpreter import Torch, ask_interpreter, find_interpreter, find_torch
from workbench.errors import UsageError
from workbench.wheel.serves import this_glibc

if TYPE_CHECKING:
    from tests.consume.machines import FakeDriver

BASE = Path(sys.base_prefix) / "bin" / "python3"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    monkeypatch.delenv("PYTHONPATH", raising=False)


def environment(folder: Path) -> Path:
    """Make what counts of a virtual environment, as ``python -m venv --without-pip`` does; return its site-packages."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(BASE)
    (folder / "pyvenv.cfg").write_text(f"home = {BASE.parent}\ninclude-system-site-packages = false\n")
    packages = folder / "lib" / f"python3.{sys.version_info[1]}" / "site-packages"
    packages.mkdir(parents=True)
    return packages


def torch_in(
    packages: Path, version: str = "2.11.0", settings: str = "", abi: str = "", info: str = "dist-info"
) -> None:
    (packages / f"torch-{version}.{info}").mkdir()
    config = packages / "torch" / "share" / "cmake" / "Torch"
    config.mkdir(parents=True)
    (packages / "torch" / "version.py").write_text(
        f"from typing import Optional\n\n__all__ = ['__version__', 'debug', 'cuda']\n__version__ = '{version}'\n"
        f"debug = False\n{settings}git_version = 'e2743ab'\n"
    )
    if abi:
        (config / "TorchConfig.cmake").write_text(f'set(TORCH_CXX_FLAGS "-D_GLIBCXX_USE_CXX11_ABI={abi}")\n')


def test_the_project_is_asked_and_not_the_tool(tmp_path: Path, driver: FakeDriver) -> None:
    packages = environment(tmp_path / "project" / ".venv")
    torch_in(packages, settings="cuda: Optional[str] = '13.0'\nhip: Optional[str] = None\n", abi="1")
    driver.kernel("proc/meminfo", "MemTotal:       125829120 kB\n")
    (tmp_path / "project" / "platform.py").write_text("raise SystemExit('not Python\\'s')\n")
    found = detect(tmp_path / "project", root=driver.root)
    assert found.python == ".".join(map(str, sys.version_info[:3]))
    assert (found.arch, found.glibc) == (os.uname().machine, this_glibc())
    assert (found.torch, found.compute, found.cxx11_abi) == ("2.11.0", "cu130", True)
    assert found.interpreter == str(tmp_path / "project" / ".venv" / "bin" / "python")
    assert found.origins["interpreter"] == str(tmp_path / "project" / ".venv")
    assert found.origins["compute"].endswith("torch/version.py")
    assert found.memory == 120 << 30


def test_where_the_interpreter_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project, deep = tmp_path / "up" / "project", tmp_path / "up" / "project" / "src" / "deep"
    deep.mkdir(parents=True)
    for each in (tmp_path / "up" / ".venv", tmp_path / "active", tmp_path / "named"):
        environment(each)
    beyond = str(tmp_path / "up" / ".venv")
    assert find_interpreter(deep)[1] == beyond
    (project / "pyproject.toml").touch()
    assert "PATH" in find_interpreter(deep)[1]
    environment(project / ".venv")
    assert find_interpreter(deep)[1] == str(project / ".venv")
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "active"))
    assert find_interpreter(deep) == (tmp_path / "active" / "bin" / "python", "VIRTUAL_ENV")
    assert find_interpreter(deep, str(tmp_path / "named"))[0] == tmp_path / "named" / "bin" / "python"
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "gone"))
    path, why = find_interpreter(deep)
    assert path == project / ".venv" / "bin" / "python"
    assert "no Python in VIRTUAL_ENV" in why


def test_the_tools_own_environment_is_passed_over_on_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "tool"))
    environment(tmp_path / "tool")
    (tmp_path / "tool" / "bin" / "python3").symlink_to("python")
    monkeypatch.setenv("PATH", f"{tmp_path / 'tool' / 'bin'}:{BASE.parent}")
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").touch()
    assert find_interpreter(project)[0] == BASE


@pytest.mark.parametrize("python", ["3.99", "no-such-python", "/no/such/python"])
def test_an_interpreter_that_is_not_there_is_one_error(tmp_path: Path, python: str) -> None:
    with pytest.raises(UsageError, match="--python"):
        find_interpreter(tmp_path, python)


@pytest.mark.parametrize(
    ("script", "error"),
    [
        ("#!/bin/sh\nexit 3\n", "does not work"),
        ("#!/bin/sh\necho hello\n", "does not work"),
        ("#!/bin/sh\necho '[1]'\n", "does not work"),
        ("not a program", "does not work"),
        ('#!/bin/sh\necho \'{"implementation": "pypy", "arch": "x86_64", "bits": 64}\'\n', "is pypy"),
    ],
)
def test_what_is_not_a_cpython_is_one_error(tmp_path: Path, script: str, error: str) -> None:
    program = tmp_path / "python"
    program.write_text(script)
    program.chmod(0o755)
    with pytest.raises(UsageError, match=error):
        ask_interpreter(program, "given")


def test_an_answer_is_kept_until_the_interpreter_changes(tmp_path: Path) -> None:
    asked, program, kept = tmp_path / "asked", tmp_path / "python", tmp_path / "cache" / "kept.json"
    program.write_text(f'#!/bin/sh\necho >> {asked}\nexec {BASE} "$@"\n')
    program.chmod(0o755)
    first = ask_interpreter(program, "given", kept)
    assert ask_interpreter(program, "given", kept) == first
    assert asked.read_text() == "\n"
    kept.write_text("{")
    assert ask_interpreter(program, "given", kept) == first
    os.utime(program, ns=(1, 1))
    assert ask_interpreter(program, "given", kept) == first
    assert asked.read_text() == "\n\n\n"


@pytest.mark.parametrize(
    ("version", "settings", "expected"),
    [
        ("2.11.0", "cuda: Optional[str] = '13.0'\nhip: Optional[str] = None\n", ("2.11.0", "cu130")),
        ("2.7.1+cu128", "cuda = '12.8'\nhip = None\n", ("2.7.1", "cu128")),
        (
            "2.10.0",
            "cuda: Optional[str] = None\nhip: Optional[str] = None\nxpu: Optional[str] = None\n",
            ("2.10.0", "cpu"),
        ),
        (
            "2.9.1",
            "cuda: Optional[str] = None\nhip: Optional[str] = '6.4.43482-0f2d60242'\n",
            ("2.9.1", "rocm6.4"),
        ),
        ("2.12.0", "cuda: Optional[str] = None\nrocm: Optional[str] = '7.1.1'\n", ("2.12.0", "rocm7.1")),
        ("2.9.0+xpu", "cuda: Optional[str] = None\nxpu: Optional[str] = '20250101'\n", ("2.9.0", "xpu")),
        ("2.9.0a0+50eac811a6.nv25.09", "cuda: Optional[str] = '13.0'\n", ("2.9.0a0", "cu130")),
    ],
)
def test_torch_is_read_and_not_imported(
    tmp_path: Path, version: str, settings: str, expected: tuple[str, str]
) -> None:
    torch_in(tmp_path, version, settings)
    found = find_torch((tmp_path / "none", tmp_path))
    assert (found.version, found.compute) == expected


@pytest.mark.parametrize(
    ("version", "said", "abi"),
    [
        ("2.6.0", "0", False),
        ("2.6.0", "1", True),
        ("2.6.0", "", None),
        ("2.7.0", "", True),
        ("2.11.0", "", True),
    ],
)
def test_the_abi_of_torch(tmp_path: Path, version: str, said: str, abi: bool | None) -> None:
    torch_in(tmp_path, version, abi=said)
    assert find_torch((tmp_path,)).cxx11_abi is abi


def test_other_ways_in_which_torch_lies_there(tmp_path: Path) -> None:
    """conda's egg-info, a dist-info alone (an editable install), a folder alone, and none; torchvision is not torch."""
    for name in ("conda", "editable", "bare", "other"):
        (tmp_path / name).mkdir()
    torch_in(tmp_path / "conda", "2.5.1-py3.11", "cuda = '12.4'\n", info="egg-info")
    (tmp_path / "editable" / "torch-2.12.0+cu130.dist-info").mkdir()
    (tmp_path / "bare" / "torch").mkdir()
    (tmp_path / "bare" / "torch" / "version.py").write_text("__version__ = '2.13.0+cpu'\ncuda = None\n")
    (tmp_path / "other" / "torchvision-0.24.0.dist-info").mkdir()
    (tmp_path / "other" / "torch").mkdir()
    found = {each.name: find_torch((each,)) for each in tmp_path.iterdir()}
    assert {name: (torch.version, torch.compute) for name, torch in found.items()} == {
        "conda": ("2.5.1", "cu124"),
        "editable": ("2.12.0", "cu130"),
        "bare": ("2.13.0", "cpu"),
        "other": ("", None),
    }
    assert find_torch(()) == Torch(version="", origins={"torch": "not installed"})
