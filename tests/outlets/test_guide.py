"""The commands of docs/outlets.md, as they stand there: a site with two wheels, GitHub and an index on loopback."""

from __future__ import annotations

import shlex
import shutil
from typing import TYPE_CHECKING

from tests.forked import invoke
from tests.outlets.conftest import REPOSITORY, wheel
from tests.outlets.indexes import PASSWORD, USER, pypiserver
from tests.test_docs import commands
from workbench.outlets.credentials import variables_for
from workbench.paths import CHECKOUT
from workbench.process import run

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.outlets.github_server import WritableGitHub
    from workbench.paths import Paths

PAGE = CHECKOUT / "docs" / "outlets.md"
URL = "https://wheels.example.com/legacy/"

RECIPE = """\
from __future__ import annotations

from workbench.recipe import Recipe, Sdist

recipe = Recipe(name="demo", version="1.0", description="Wheels of others", source=Sdist(sha256="0" * 64))
"""


def test_every_command_does_what_the_page_says(
    paths: Paths, hub: WritableGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "A Tester")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "tester@example.com")
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    run(["git", "init", "--quiet", paths.root])
    (paths.recipes / "demo.py").write_text(RECIPE)
    shutil.copy(CHECKOUT / "recipes" / "hnswlib.py", paths.recipes)
    shutil.copytree(CHECKOUT / "patches" / "hnswlib", paths.patches / "hnswlib")
    (paths.root / "README.md").write_text("# Demo\n")
    wheels = [wheel(paths.wheels, version) for version in ("1.0", "1.1")]
    lines = commands(PAGE)
    with pypiserver(tmp_path / "index") as url:
        monkeypatch.setenv(variables_for(url, url)[0], f"{USER}:{PASSWORD}")
        for line in lines:
            _, *words = shlex.split(line.replace(URL, url))
            at = words.index("wheels/*.whl") if "wheels/*.whl" in words else None
            if at is not None:
                words[at : at + 1] = [f"wheels/{each.name}" for each in wheels]
            done = invoke(*words, cwd=paths.root)
            assert done.status == 0, f"{line}\n{done.stderr}"
            assert (f"send {wheels[0].name}" in done.stdout) == (URL in line), line
    assert len(lines) >= 6
    names = [name for each in wheels for name in (each.name, f"{each.name}.metadata")]
    assert (
        hub.names(REPOSITORY, "v1.0")
        == hub.names(REPOSITORY, "demo-v1.0") + hub.names(REPOSITORY, "demo-v1.1")
        == names
    )
    assert (paths.wheels / "index" / "simple" / "demo" / "index.html").is_file()
    assert "packages.json" in run(["git", "-C", paths.root, "ls-files"]).output
