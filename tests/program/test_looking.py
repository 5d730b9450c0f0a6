from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest

from workbench.environment import Environment
from workbench.errors import UsageError
from workbench.program.gpuwheels import COMMANDS, parse, run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.program.conftest import Installed

SPARK = [
    "--torch=2.11.0+cu130",
    "--driver=580.95.05",
    "--gpu=12.1",
    "--glibc=2.39",
    "--arch=aarch64",
    "--python=3.12",
]


@pytest.mark.parametrize(
    ("line", "command", "packages"),
    [
        ("flash-attn mamba-ssm --json", "resolve", ["flash-attn", "mamba-ssm"]),
        ("--torch 2.11 flash-attn", "resolve", ["flash-attn"]),
        ("add flash-attn --build-missing mamba-ssm", "add", ["flash-attn", "mamba-ssm"]),
        ("flash-attn --deep mamba-ssm", "resolve", ["flash-attn", "mamba-ssm"]),
        ("why flash-attn", "why", ["flash-attn"]),
        ("explain flash-attn", "why", ["flash-attn"]),
        ("resolve test", "resolve", ["test"]),
    ],
)
def test_a_first_word_that_is_not_a_command_is_a_package(
    line: str, command: str, packages: list[str]
) -> None:
    found, asked = parse(line.split())
    assert (found, asked.packages) == (command, packages)


@pytest.mark.parametrize("line", ["why", "flash-attn --nothing", "env", "cache drop", "--torch"])
def test_a_line_that_makes_no_sense_is_refused(line: str) -> None:
    with pytest.raises(UsageError, match="--help' lists what there is"):
        parse(line.split())


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse([*command.split(), "--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: gw {command}".rstrip())


def test_what_detect_prints_is_the_machine_that_another_plans_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["detect", "--json", *SPARK]) == 0
    machine = tmp_path / "spark.json"
    machine.write_text(capsys.readouterr().out)
    assert run(["detect", "--json", f"--machine={machine}"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["arch"], again["torch"], again["compute"], again["driver_cuda"]) == (
        "aarch64",
        "2.11.0",
        "cu130",
        "13.0",
    )
    assert run(["env", "flash-attn", f"--machine={machine}"]) == 0
    assert "export TORCH_CUDA_ARCH_LIST=12.1" in capsys.readouterr().out
    with pytest.raises(UsageError, match="leave out --machine"):
        run(["test", "flash-attn", f"--machine={machine}"])


def test_a_machine_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"spark\.json: No such file.*detect --json"):
        run(["detect", f"--machine={tmp_path / 'spark.json'}"])


RECIPE = """\
from workbench.recipe import Recipe, Sdist
recipe = Recipe(
    name={name!r}, version={version!r}, description="d", source=Sdist(sha256="{0:064}"), {said}
)
"""


def test_packages_are_tried_with_the_projects_own_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    environment = Environment.create(tmp_path / ".venv", python=sys.executable)
    site = environment.path / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    modules = {
        "sound": "import atexit\nx = 1\natexit.register(print, 'what a library prints at its end')",
        "broken": "raise ImportError('undefined symbol: _ZN3c10')",
        "wrong": "def add(a, b): return a - b",
        "needy": "",
        "older": "",
        "nightly": "",
    }
    for name, code in modules.items():
        (site / f"{name}-1.0.dist-info").mkdir()
        (site / f"{name}-1.0.dist-info" / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        )
        (site / f"{name}-1.0.dist-info" / "RECORD").write_text(
            f"{name}.py,,\n{name}-1.0.dist-info/METADATA,,\n"
        )
        (site / f"{name}.py").write_text(code)
    stamped = site / "nightly-1.0.dist-info" / "METADATA"
    stamped.write_text(stamped.read_text().replace("1.0", "of today"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    (tmp_path / "sound.py").write_text("raise SystemExit('not the project folder')")
    monkeypatch.setattr("workbench.paths.SHIPPED", tmp_path)
    (tmp_path / "recipes").mkdir()
    for name, version, said in (
        ("sound", "1.0", "smoke_test='import sound; assert sound.x == 1'"),
        ("wrong", "1.0", "smoke_test='import wrong; assert wrong.add(1, 1) == 2, wrong.add(1, 1)'"),
        ("needy", "1.0", "smoke_test='import needy', test_requires=('numpy>=2', 'needy')"),
        ("older", "2.0", "smoke_test='raise SystemExit(1)'"),
    ):
        (tmp_path / "recipes" / f"{name}.py").write_text(
            RECIPE.format(0, name=name, version=version, said=said)
        )
    assert run(["test", *modules, "missing", "--json"]) == 1
    tried = {each["what"]: (each["outcome"], each["said"]) for each in json.loads(capsys.readouterr().out)}
    assert tried["sound"] == ("works", "1.0 sound")
    assert tried["broken"] == ("fails", "ImportError: undefined symbol: _ZN3c10")
    assert tried["missing"] == ("not installed", "not installed")
    assert tried["nightly"] == ("works", "of today nightly"), (
        "that is no version of the standard, and no fault"
    )
    assert tried["sound: smoke test"] == ("works", "")
    assert tried["wrong: smoke test"] == ("fails", "AssertionError: 0")
    assert tried["needy: smoke test"] == ("not run", "it needs numpy")
    assert "older: smoke test" not in tried, "that is another version's"
    assert run(["test", "needy"]) == 0


def test_the_installed_program_looks_at_this_machine(installed: Installed) -> None:
    for program in ("gpuwheels", "gw"):
        done = installed.run(program, "detect", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["interpreter"] != str(installed.bin / "python")
    refused = installed.run("gw", "--frob")
    assert (refused.returncode, refused.stderr) == (
        2,
        "error: unrecognized arguments: --frob: 'gw --help' lists what there is\n",
    )


def test_a_gpu_that_is_given_has_no_memory_that_anybody_knows(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["detect", *SPARK]) == 0
    assert "a GPU (12.1)" in capsys.readouterr().out
    assert run(["request", "flash-attn", *SPARK]) == 0
    assert "- GPU: a GPU, compute capability 12.1\n" in capsys.readouterr().out
