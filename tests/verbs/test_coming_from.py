"""What the page for those who come from other tools tells them to type, typed: each command, where it ends soon."""

from __future__ import annotations

import shlex
import shutil
from typing import TYPE_CHECKING

import pytest

import tasks
from tests.forked import invoke
from tests.outlets.github_server import WritableGitHub
from tests.serving import serving
from tests.test_docs import spans
from tests.verbs.conftest import git
from workbench.paths import CHECKOUT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.verbs.conftest import Demo

PAGE = CHECKOUT / "docs" / "coming-from.md"
LINES = [line for line in spans(PAGE) if line.startswith("invoke ")]

STATUS = {"ci.check": 3}
"""What a command ends with here, but for 0: nothing has written the workflows."""

PACKAGES = """\
packages:
  demo:
    versions: ["1.0"]
    description: A demonstration
"""


@pytest.fixture
def desk(released: Demo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Demo]:
    """Return a site with a package that is built, beside what the page's lines name, and a GitHub to publish to."""
    root = released.paths.root
    (root / "workbench.yaml").write_text("ci: {install: wheel-workbench}\n")
    shutil.copy(CHECKOUT / "recipes" / "vllm.py", released.paths.recipes)
    shutil.copytree(CHECKOUT / "patches" / "vllm", released.paths.patches / "vllm")
    (tmp_path / "packages.yml").write_text(PACKAGES)
    (tmp_path / "README.md").write_text("# Demo\n")
    shutil.copytree(released.repository, tmp_path / "upstream")
    git(tmp_path / "upstream", "tag", "v1.0")
    monkeypatch.chdir(tmp_path)
    with serving(WritableGitHub()) as hub:
        hub.repository("ada/wheels")
        hub.tokens = {"t0ken"}
        for name, value in (("API_URL", hub.api), ("REPOSITORY", "ada/wheels"), ("TOKEN", "t0ken")):
            monkeypatch.setenv(f"GITHUB_{name}", value)
        monkeypatch.setenv("PYPI_API_TOKEN", "t0ken")
        monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
        yield released


@pytest.mark.parametrize("line", LINES)
def test_a_command_of_the_page_does_what_it_says(line: str, desk: Demo, tmp_path: Path) -> None:
    (wheel,) = desk.wheels()
    here = {
        "NAME": "demo",
        "WHEEL": str(wheel),
        "wheels/*.whl": str(wheel),
        "URL": str(tmp_path / "upstream"),
        "TAG": "v1.0",
    }
    if "--compute" in line:
        recipe = desk.recipe.read_text()
        desk.recipe.write_text(
            recipe.replace("    smoke_test=", '    compute=("cpu", "cu13*"),\n    smoke_test=')
        )
    if "--torch" in line:
        recipe = desk.recipe.read_text()
        local = 'local_version="{compute}torch{torch}"'
        desk.recipe.write_text(
            recipe.replace("    smoke_test=", f'    torch=">=2.9",\n    {local},\n    smoke_test=')
        )
    if "add-package" in line:
        desk.recipe.unlink()
    name, *words = (here.get(word, word) for word in shlex.split(line)[1:])
    flags = tasks.namespace[name].flags
    dry = ["--dry-run"] if "--dry-run" in flags and "--dry-run" not in words else []
    done = invoke(name, *words, *dry)
    assert done.status == STATUS.get(name, 0), done.stderr
