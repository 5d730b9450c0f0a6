from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.version import Version

from tests.forked import invoke
from tests.verbs.conftest import Demo, git
from workbench.recipe import Git, Sdist
from workbench.recipe.load import load
from workbench.registry.file import load as load_registry

if TYPE_CHECKING:
    from workbench.paths import Paths


def everything(paths: Paths) -> set[Path]:
    return {path for path in paths.root.rglob("*") if path.is_file() and ".lock" not in path.name}


def test_a_branch_is_pinned_to_its_commit(demo: Demo) -> None:
    git(demo.repository, "switch", "--quiet", "--create", "arm")
    git(demo.repository, "commit", "--quiet", "--allow-empty", "--message", "two")
    commit = git(demo.repository, "rev-parse", "HEAD")
    added = invoke(
        "add-package", "Open3D", "--source", demo.repository, "--branch", "arm",
        "--upstream", "https://example.com/Open3D", "--description", 'Says "hello" & more',
    )  # fmt: skip
    assert added.status == 0, added.stderr
    recipe = load(demo.paths.recipes, "open3d")
    assert recipe.source == Git(url=str(demo.repository), commit=commit, branch="arm")
    assert (recipe.upstream, recipe.description) == ("https://example.com/Open3D", 'Says "hello" & more')
    assert (demo.paths.patches / "open3d" / "series").read_text() == ""
    assert load_registry(demo.paths.registry).packages["open3d"].source_branch == "arm"
    assert (demo.paths.index / "open3d" / "index.html").exists()
    for told in (
        "wrote recipes/open3d.py",
        f"registered it in {demo.paths.root}: packages.json, index/open3d/",
    ):
        assert told in added.stdout
    assert recipe.version == "1.0", "what setup.py says"
    assert "What remains for you, in recipes/open3d.py:" in added.stdout
    assert "name: setup.py:3 says 'demo'" in added.stdout


def test_a_source_that_does_not_tell_its_version_is_not_built_before_it_is_set(demo: Demo) -> None:
    setup = demo.repository / "setup.py"
    setup.write_text(setup.read_text().replace('version="1.0"', "version=open('VERSION').read()"))
    (demo.repository / "VERSION").write_text("1.0")
    git(demo.repository, "add", ".")
    git(demo.repository, "commit", "--quiet", "--message", "two")
    demo.recipe.unlink()
    added = invoke("add-package", "demo", "--source", demo.repository)
    assert added.status == 0, added.stderr
    assert "version: the source does not tell it" in added.stdout
    for verb in ("build", "release"):
        refused = invoke(verb, "demo")
        assert refused.status == 4
        assert "demo: version: set it in the recipe" in refused.stderr
        assert "fetch" not in refused.stderr
    demo.recipe.write_text(demo.recipe.read_text().replace('version="0"', 'version="1.0"'))
    assert invoke("build", "demo").status == 0


def test_a_site_without_packages_says_how_one_begins(demo: Demo) -> None:
    demo.recipe.unlink()
    assert invoke("list").stdout == "no packages yet: invoke add-package NAME begins one\n"
    assert json.loads(invoke("list", "--json").stdout) == []


def test_the_commands_that_are_proposed_name_a_python_that_the_package_supports(demo: Demo) -> None:
    setup = demo.repository / "setup.py"
    setup.write_text(
        setup.read_text().replace('version="1.0"', 'version="1.0", python_requires=">=3.20,<3.22"')
    )
    git(demo.repository, "commit", "--quiet", "--all", "--message", "for Pythons to come")
    demo.recipe.unlink()
    assert (
        "invoke build demo --python 3.20\n"
        in invoke("add-package", "demo", "--source", demo.repository).stdout
    )


def test_a_source_with_submodules_gets_them(demo: Demo) -> None:
    library = demo.repository.parent / "library"
    library.mkdir()
    git(library, "init", "--quiet", "--initial-branch=main")
    git(library, "commit", "--quiet", "--allow-empty", "--message", "one")
    allowed = ["-c", "protocol.file.allow=always"]
    git(demo.repository, *allowed, "submodule", "add", "--quiet", str(library), "library")
    git(demo.repository, "commit", "--quiet", "--message", "two")
    assert invoke("add-package", "new", "--source", demo.repository).status == 0
    recipe = load(demo.paths.recipes, "new")
    assert isinstance(recipe.source, Git)
    assert recipe.source.submodules

    path = demo.paths.recipes / "new.py"
    path.write_text(path.read_text().replace("submodules=True", "submodules=False"))
    built = invoke("build", "new")
    assert "has submodules, and the recipe does without" in built.stderr


def test_a_folder_is_pinned_by_its_whole_path(demo: Demo) -> None:
    added = invoke("add-package", "new", "--source", f"./{demo.repository.name}", cwd=demo.repository.parent)
    assert added.status == 0, added.stderr
    recipe = load(demo.paths.recipes, "new")
    assert isinstance(recipe.source, Git)
    assert recipe.source.url == str(demo.repository)


def test_a_tag_tells_the_version(demo: Demo) -> None:
    git(demo.repository, "tag", "--annotate", "--message", "release", "v1.2.3")
    assert invoke("add-package", "tagged", "--source", demo.repository, "--tag", "v1.2.3").status == 0
    recipe = load(demo.paths.recipes, "tagged")
    assert isinstance(recipe.source, Git)
    assert (recipe.version, recipe.source.tag) == ("1.2.3", "v1.2.3")
    assert recipe.source.commit == git(demo.repository, "rev-parse", "HEAD")


def test_a_fork_says_how_far_it_is_from_upstream(demo: Demo, tmp_path: Path) -> None:
    git(demo.repository, "tag", "v1.0")
    fork = tmp_path / "fork"
    git(tmp_path, "clone", "--quiet", str(demo.repository), str(fork))
    for number in range(3):
        (fork / f"{number}.c").write_text("")
        git(fork, "add", ".")
        git(fork, "commit", "--quiet", "--message", str(number))
    git(demo.repository, "commit", "--quiet", "--allow-empty", "--message", "later")
    git(demo.repository, "tag", "v2.0")
    words = ["--source", str(fork), "--upstream", str(demo.repository), "--dry-run"]
    shown = invoke("add-package", "fork", *words).stdout.replace("#", "")
    assert f"3 commits ahead of v1.0 of {demo.repository}" in " ".join(shown.split())
    words = ["--source", str(fork), "--upstream", "https://127.0.0.1:1/none", "--dry-run"]
    added = invoke("add-package", "fork", *words)
    assert added.status == 0
    assert "ahead of" not in added.stdout


def test_a_torch_extension_gets_the_recipe_that_a_maintainer_wrote(paths: Paths) -> None:
    added = invoke("add-package", "torch-cluster", "--source", "pypi:torch-cluster==1.6.3")
    assert added.status == 0, added.stderr
    recipe = load(paths.recipes, "torch-cluster")
    shipped = load(Path(__file__).parents[2] / "recipes", "torch-cluster")
    assert replace(recipe, description=shipped.description, smoke_test=shipped.smoke_test) == shipped
    text = (paths.recipes / "torch_cluster.py").read_text()
    assert "# curand: csrc/cuda/rw_cuda.cu:4" in text
    assert "# setup.py:24 reads FORCE_ONLY_CUDA" in text


def test_the_newest_version_is_taken_and_told(paths: Paths) -> None:
    added = invoke("add-package", "xatlas", "--json", "--dry-run")
    assert added.status == 0, added.stderr
    told = json.loads(added.stdout)
    assert f"xatlas {told['version']} is the newest final version" in added.stderr
    assert Version(told["version"]) >= Version("0.0.11")
    assert told["fields"]["python"]["value"].startswith(">=3.")
    assert told["fields"]["license"]["evidence"]
    assert told["remaining"]
    assert list(paths.recipes.iterdir()) == []


def test_a_version_is_written_as_wheels_spell_it(demo: Demo) -> None:
    git(demo.repository, "tag", "v2024.01.15")
    assert invoke("add-package", "dated", "--source", demo.repository, "--tag", "v2024.01.15").status == 0
    assert load(demo.paths.recipes, "dated").version == "2024.1.15"


def test_an_sdist_is_pinned_to_its_hash(paths: Paths) -> None:
    added = invoke("add-package", "annoy", "--source", "pypi:annoy==1.17.3")
    assert added.status == 0, added.stderr
    recipe = load(paths.recipes, "annoy")
    shipped = load(Path(__file__).parents[2] / "recipes", "annoy")
    assert isinstance(recipe.source, Sdist)
    assert isinstance(shipped.source, Sdist)
    assert (recipe.version, recipe.source.sha256) == ("1.17.3", shipped.source.sha256)


def test_what_was_added_builds(demo: Demo) -> None:
    git(demo.repository, "tag", "1.0")
    demo.recipe.unlink()
    demo.patch.unlink()
    demo.patch.with_name("series").unlink()
    assert invoke("add-package", "demo", "--source", demo.repository, "--tag", "1.0").status == 0
    built = invoke("build", "demo")
    assert built.status == 0, built.stderr
    assert re.search(r"\n  tags +cp3\d+-cp3\d+-manylinux", built.stdout)


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["demo", "--source", "REPOSITORY"], 2, "there is a recipe already"),
        (["De_mo?", "--source", "REPOSITORY"], 2, "is not a project name"),
        (["new", "--source", "REPOSITORY", "--branch", "mian"], 6, "did you mean 'main'?"),
        (["new", "--source", "REPOSITORY", "--tag", "v9"], 6, "no tag 'v9'"),
        (["new", "--source", "REPOSITORY", "--tag", "v9", "--branch", "main"], 2, "not both"),
        (["new", "--source", "https://127.0.0.1:1/none.git"], 6, "no Git repository answers there"),
        (["new", "--source", "pypi:annoy==1.17.*"], 2, "name one version: pypi:annoy==VERSION"),
        (["new", "--source", "pypi:annoy==1.17.3; python_version>'3'"], 2, "neither extras nor conditions"),
        (["new", "--source", "pypi:annoy[x]==1.17.3"], 2, "neither extras nor conditions"),
        (["new", "--source", "https://me:s3cret@example.com/x"], 2, "https://***@example.com/x: a login"),
        (["new", "--source", "pypi:annoy==0.0.99"], 6, "the package index has nothing of version 0.0.99"),
        (["no-such-project-as-this"], 6, "has no such project: is its name right?"),
    ],
)
def test_what_cannot_be_added_leaves_nothing_behind(
    demo: Demo, words: list[str], status: int, message: str
) -> None:
    before = everything(demo.paths)
    refused = invoke(
        "add-package", *(str(demo.repository) if word == "REPOSITORY" else word for word in words)
    )
    assert refused.status == status, refused.stderr
    assert message in refused.stderr
    assert "s3cret" not in refused.stderr
    assert everything(demo.paths) == before


def test_a_dry_run_shows_the_recipe_and_writes_nothing(demo: Demo) -> None:
    before = everything(demo.paths)
    shown = invoke("add-package", "new", "--source", demo.repository, "--dry-run")
    assert shown.status == 0
    assert "recipe = Recipe(" in shown.stdout
    assert everything(demo.paths) == before


@pytest.mark.parametrize("known", [False, True])
def test_pages_that_cannot_be_drawn_leave_nothing_behind(demo: Demo, known: bool) -> None:
    if known:
        assert invoke("add-package", "new", "--source", demo.repository).status == 0
        (demo.paths.recipes / "new.py").unlink()
        shutil.rmtree(demo.paths.index)
    demo.paths.index.write_text("a file where the pages belong")
    refused = invoke("add-package", "new", "--source", demo.repository, "--description", "New")
    assert refused.status == 1, refused.stderr
    assert str(demo.paths.index) in refused.stderr
    assert not (demo.paths.recipes / "new.py").exists()
    assert ("new" in load_registry(demo.paths.registry).packages) is known


def test_a_registry_that_cannot_be_read_leaves_no_recipe_behind(demo: Demo) -> None:
    demo.paths.registry.write_text("{")
    refused = invoke("add-package", "new", "--source", demo.repository)
    assert refused.status == 14
    assert not (demo.paths.recipes / "new.py").exists()
    assert not (demo.paths.patches / "new").exists()
