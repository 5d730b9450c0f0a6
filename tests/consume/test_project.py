from __future__ import annotations

import re
import shutil
import sys
import tomllib
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.consume.served import HOST
from workbench.consume.lock import Pinned
from workbench.consume.offer import OfferedWheel
from workbench.consume.project import EditedProject, edit_project, edit_requirements
from workbench.environment import Environment, package_index
from workbench.errors import CommandFailed, LockFault
from workbench.process import run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.consume.served import Files

OFFER = OfferedWheel(
    filename="demo-1.0+cu130-py3-none-any.whl",
    url="https://host.invalid/demo-1.0%2Bcu130-py3-none-any.whl",
    source="own",
    sha256="0" * 64,
)
PIN = Pinned(name="demo", version="1.0+cu130", offer=OFFER, metadata=b"")
PUBLIC = package_index()
INDEX = {"own": "https://host.invalid/simple/"}

WRITTEN = """\
# mine
[project]
name = "x"   # the name
version = "1"
requires-python = ">=3.11"
dependencies = [
    "zebra>=3",  # first, for a reason
    "Demo[gpu]>=0.5; platform_machine == 'x86_64'",
]

[tool.uv.sources]
zebra = { index = "q" }

[[tool.uv.index]]
name = "q"
url = "https://q.invalid/simple"

[tool.other]
kept = true
"""


def edited(text: str, indexes: dict[str, str] | None = None) -> EditedProject:
    return edit_project(
        text, [PIN], INDEX if indexes is None else indexes, HOST, name="My project", where="pyproject.toml"
    )


def test_what_a_person_wrote_stays_to_the_letter() -> None:
    made = edited(WRITTEN).text
    added = [line for line in made.splitlines() if line not in WRITTEN.splitlines()]
    assert [line for line in WRITTEN.splitlines() if line not in made.splitlines()] == [
        "    \"Demo[gpu]>=0.5; platform_machine == 'x86_64'\","
    ]
    assert added[0].strip() == '"Demo[gpu]==1.0+cu130; platform_machine == \\"x86_64\\"",'
    read = tomllib.loads(made)["tool"]["uv"]
    assert read["index"][1] == {"name": "host-invalid", "url": INDEX["own"], "explicit": True}
    assert read["sources"]["demo"]["index"] == "host-invalid"
    assert edited(made).text == made


def test_line_ends_stay() -> None:
    made = edited(WRITTEN.replace("\n", "\r\n")).text
    assert not re.search(r"(?<!\r)\n", made)
    assert made.replace("\r\n", "\n") == edited(WRITTEN).text


def test_an_index_that_is_there_is_used_by_its_name() -> None:
    made = edited(WRITTEN.replace("https://q.invalid/simple", INDEX["own"])).text
    assert len(tomllib.loads(made)["tool"]["uv"]["index"]) == 1
    assert tomllib.loads(made)["tool"]["uv"]["sources"]["demo"]["index"] == "q"


def test_what_lies_on_no_index_is_a_url_and_its_cost_is_told() -> None:
    made = edited(WRITTEN, {})
    assert tomllib.loads(made.text)["tool"]["uv"]["sources"]["demo"]["url"] == OFFER.url
    assert made.downloads == (OFFER,)
    assert edited(WRITTEN).downloads == ()


def test_a_dependency_of_another_machine_stays_beside_the_new_one() -> None:
    text = WRITTEN.replace("platform_machine == 'x86_64'", "platform_machine == 'aarch64'")
    listed = tomllib.loads(edited(text).text)["project"]["dependencies"]
    assert listed[1:] == [
        "Demo[gpu]>=0.5; platform_machine == 'aarch64'",
        'demo==1.0+cu130; sys_platform == "linux" and platform_machine == "x86_64"',
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[project\n", "not a project's file"),
        ("[tool.x]\n", "no \\[project\\]"),
        ("[project]\nname = 'x'\ndynamic = ['dependencies']\n", "dynamic"),
        ("[project]\nname = 'x'\ndependencies = ['a b c']\n", r"dependencies\[0\]"),
        ("[project]\nname = 'x'\ndependencies = 'six'\n", "not a project's file"),
        ("project = 3\n", "not a project's file"),
        (
            "[project]\nname = 'x'\ndependencies = []\n[tool]\nuv.package = false\nuv.sources = {a = {path = 'b'}}\n",
            "table of its own",
        ),
    ],
)
def test_what_cannot_be_edited_is_named(text: str, reason: str) -> None:
    with pytest.raises(LockFault, match=reason):
        edited(text)


def test_a_new_dependency_stands_as_its_neighbours_do() -> None:
    made = edited("[project]\nname = 'x'\ndependencies = [\n  'a',  # first\n]\n").text
    (line,) = (line for line in made.splitlines() if "demo==" in line)
    assert line.startswith('  "demo==')


@pytest.mark.parametrize("written", ["", WRITTEN.replace('    "zebra>=3",  # first, for a reason\n', "")])
def test_uv_locks_and_installs_the_project(files: Files, tmp_path: Path, written: str) -> None:
    written = re.sub(r"\[tool\.uv\.sources\]\n.*\n\n\[\[.*\n.*\n.*\n", "", written)
    listed = replace(PIN, offer=files.add("demo", "1.0+cu130"))
    project = tmp_path / "project"
    project.mkdir()
    made = edit_project(written, [listed], {"own": files.index}, HOST, name="My project", where="x")
    (project / "pyproject.toml").write_text(made.text.replace("Demo[gpu]", "Demo"))
    for command in (["lock"], ["sync"]):
        run(["uv", *command, "--quiet", f"--python={sys.executable}"], cwd=project)
    shutil.rmtree(files.folder / "files")
    run(["uv", "sync", "--quiet", "--frozen", "--offline", f"--python={sys.executable}"], cwd=project)
    freeze = run(["uv", "pip", "freeze", f"--python={project / '.venv'}"], cwd=project)
    assert "demo==1.0+cu130" in freeze.output


OURS = f"demo @ {OFFER.url} --hash=sha256:{OFFER.sha256}"


HERE = "sys_platform == 'linux' and platform_machine == 'x86_64'"
PYTHON = f"{HERE} and python_version == '3.13'"
OTHERS = "demo==1; python_version < '3.13'\ndemo==2; python_version >= '3.14'\n"


def ours(marker: str) -> str:
    return OURS.replace(" --hash", f" ; {marker} --hash")


@pytest.mark.parametrize(
    ("written", "made"),
    [
        ("", f"{OURS}\n"),
        ("a==1\n", f"a==1\n{OURS}\n"),
        ("demo==1 \\\n    --hash=sha256:11 \\\n    --hash=sha256:22\nb==1\n", f"{OURS}\nb==1\n"),
        ("Demo>=1  # fast\r\nb==1 \\\r\n  --hash=x\r\n", f"{OURS}  # fast\r\nb==1 \\\r\n  --hash=x\r\n"),
        (
            "demo==1; platform_machine == 'aarch64'\n",
            f"demo==1; platform_machine == 'aarch64'\n{ours(HERE)}\n",
        ),
        (OTHERS, f"{OTHERS}{ours(PYTHON)}\n"),
        ("# a comment \\\ndemo==1  # another \\\nb==1\n", f"# a comment \\\n{OURS}  # another \\\nb==1\n"),
        ("b==1 \\", f"b==1\n{OURS}\n"),
        ("\ufeffdemo==1\n", f"{OURS}\n"),
        ("# demo\n./demo\n-r demo.txt\ndemo2\n", f"# demo\n./demo\n-r demo.txt\ndemo2\n{OURS}\n"),
        (f"{OURS.replace('0' * 64, '1' * 64)}\n", f"{OURS}\n"),
    ],
)
def test_a_requirement_is_replaced_and_no_other(written: str, made: str) -> None:
    assert edit_requirements(written, [PIN], replace(HOST, python="3.13")) == made


def test_a_dependency_of_another_python_stays_beside_the_new_one() -> None:
    others = OTHERS.splitlines()
    text = f"[project]\nname = 'x'\ndependencies = {others}\n"
    host = replace(HOST, python="3.13.1t")
    made = tomllib.loads(edit_project(text, [PIN], {}, host, name="", where="").text)
    marker = PYTHON.replace("'", '"')
    assert made["project"]["dependencies"] == [*others, f"demo==1.0+cu130; {marker}"]
    assert made["tool"]["uv"]["sources"]["demo"]["marker"] == PYTHON


def test_a_requirements_file_keeps_its_other_lines_and_both_installers_take_it(
    files: Files, tmp_path: Path
) -> None:
    pin = replace(PIN, offer=files.add("demo", "1.0+cu130"))
    written = "# mine\n--no-index\nDemo[gpu]>=0.5 ; python_version > '3'\n"
    made = edit_requirements(written, [pin], HOST)
    line = f'demo[gpu] @ {pin.offer.url} ; python_version > "3" --hash=sha256:{pin.offer.sha256}'
    assert made.splitlines() == ["# mine", "--no-index", line]
    assert edit_requirements(made, [pin], HOST) == made
    path = tmp_path / "requirements.txt"
    path.write_text(made)
    environment = Environment.create(tmp_path / "venv", python=sys.executable)
    environment.install(["pip>=26.3"], options=["--default-index", PUBLIC])
    uv = ["uv", "pip", "install", f"--python={environment.python}"]
    for installer in (uv, [environment.python, "-m", "pip", "install"]):
        run([*installer, "-r", path])
        run(["uv", "pip", "uninstall", f"--python={environment.python}", "demo"])
    path.write_text(made.replace(line[-8:], "00000000"))
    with pytest.raises(CommandFailed, match=r"(?i)hash"):
        run([*uv, "--no-cache", "-r", path])
