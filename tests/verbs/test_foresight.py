"""What is known before a build is told before it; and ``source``, which shows what would be built."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.forked import invoke
from tests.verbs.conftest import Demo, git
from workbench.make.foresight import uncovered
from workbench.source.native import read_native
from workbench.source.setup_script import read_scripts

if TYPE_CHECKING:
    from pathlib import Path

PYPROJECT = """\
[build-system]
requires = ["setuptools"]
[project]
name = "demo"
version = "1.0"
requires-python = ">=3.10,<3.13"
[tool.setuptools]
ext-modules = [{name = "demo", sources = ["demo.c"]}]
"""


def commit(demo: Demo, **files: str) -> None:
    """Commit files to the package's repository, and pin the commit."""
    before = git(demo.repository, "rev-parse", "HEAD")
    for name, text in files.items():
        (demo.repository / name.replace("_", ".")).write_text(text)
    git(demo.repository, "add", ".")
    git(demo.repository, "commit", "--quiet", "--message", "more")
    after = git(demo.repository, "rev-parse", "HEAD")
    demo.recipe.write_text(demo.recipe.read_text().replace(before, after))


def test_a_python_that_upstream_does_not_support_is_left_out(demo: Demo) -> None:
    commit(demo, pyproject_toml=PYPROJECT)
    git(demo.repository, "rm", "--quiet", "setup.py")
    commit(demo, README="")
    first = invoke("build", "demo", "--python", "3.13")
    assert first.status == 9, first.stderr
    assert "upstream supports Python <3.13,>=3.10" in first.stderr.replace(">=3.10,<3.13", "<3.13,>=3.10")
    assert "pyproject.toml:6" in first.stderr
    assert "build demo" not in first.stderr, "nothing was compiled"
    cells = invoke("matrix", "demo", "--python", "3.12-3.14").stdout
    assert cells.count("left out  upstream supports Python") == 2


def test_a_version_other_than_upstreams_stops_before_the_build(demo: Demo) -> None:
    commit(demo, pyproject_toml=PYPROJECT.replace('"1.0"', '"1.1"'))
    refused = invoke("build", "demo")
    assert refused.status == 4
    assert "demo: version: pyproject.toml:5 of the source says '1.1'" in refused.stderr


def test_a_series_that_does_not_apply_stops_a_dry_run(demo: Demo) -> None:
    dry = invoke("build", "demo", "--dry-run")
    assert dry.status == 0
    assert "whether its series applies was not tried" in dry.stderr
    assert invoke("source", "demo", "--plain", "--to", demo.paths.root / "out").status == 0
    demo.patch.write_text(demo.patch.read_text().replace("(41)", "(40)"))
    for verb in ("build", "release"):
        refused = invoke(verb, "demo", "--dry-run")
        assert refused.status == 5, refused.stderr
        assert "does not match demo.c at line 3" in refused.stderr
        assert "is kept" not in refused.stderr


@pytest.mark.usefixtures("demo")
@pytest.mark.parametrize("plain", [False, True])
def test_the_source_is_unpacked_patched_or_plain(tmp_path: Path, plain: bool) -> None:
    words = ["source", "demo", "--to", str(tmp_path / "out"), *(["--plain"] if plain else [])]
    done = invoke(*words)
    assert done.status == 0, done.stderr
    assert ("FromLong(42)" in (tmp_path / "out" / "demo.c").read_text()) is not plain
    assert (("answer.patch" in done.stdout), ("--plain" in done.stdout)) == (not plain, plain)
    refused = invoke(*words)
    assert refused.status == 2
    assert f"{tmp_path / 'out'} is there already" in refused.stderr


@pytest.mark.usefixtures("demo")
def test_the_source_lies_in_a_folder_of_its_name_and_version(tmp_path: Path) -> None:
    (tmp_path / "demo-1.0").mkdir()
    done = invoke("source", "demo", "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["path"] == str(tmp_path / "demo-1.0")
    assert (tmp_path / "demo-1.0" / "setup.py").exists()


def test_a_branch_that_was_force_pushed_is_noticed(demo: Demo) -> None:
    assert invoke("source", "demo", "--to", demo.paths.root / "out").status == 0
    (demo.repository / "more.c").write_text("")
    git(demo.repository, "add", ".")
    git(demo.repository, "commit", "--quiet", "--message", "ahead")
    assert "force-pushed" not in invoke("show", "demo").stdout, "it only went on"
    git(demo.repository, "commit", "--quiet", "--amend", "--message", "other", "--reset-author")
    git(demo.repository, "reset", "--quiet", "--hard", "HEAD~1")
    git(demo.repository, "commit", "--quiet", "--amend", "--message", "rewritten")
    tip = git(demo.repository, "rev-parse", "HEAD")
    shown = " ".join(invoke("show", "demo").stdout.split())
    assert "was force-pushed" in shown
    assert tip in shown
    built = invoke("build", "demo")
    assert built.status == 0
    assert "was force-pushed" in built.stderr
    demo.repository.rename(demo.repository.with_name("gone"))
    assert "force-pushed" not in invoke("show", "demo").stdout, "nobody can tell"


@pytest.mark.parametrize(
    ("code", "named", "told"),
    [
        ("#include <curand_kernel.h>", "src/a.cu", "src/a.cu:1 includes curand_kernel.h"),
        ("#include <ATen/cuda/CUDAContext.h>", "src/a.cu", "cublas, cusolver, cusparse"),
        ("#ifdef USE_ROCM\n#include <curand_kernel.h>\n#endif", "src/a.cu", ""),
        ("#ifdef SOMETHING\n#include <curand_kernel.h>\n#endif", "src/a.cu", ""),
        ("#include <curand_kernel.h>", "elsewhere/a.cu", ""),
        ("#include <cuda_runtime.h>", "src/a.cu", ""),
    ],
)
def test_an_include_that_no_library_of_the_recipe_covers(
    tmp_path: Path, code: str, named: str, told: str
) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "a.cu").write_text(code)
    setup = f"from setuptools import Extension, setup\nsetup(ext_modules=[Extension('a', ['{named}'])])\n"
    (tmp_path / "setup.py").write_text(setup)
    lines = list(uncovered(read_native(tmp_path), read_scripts(tmp_path), ("cufft",)))
    assert (told in lines[0]) if told else lines == []
    assert all('write cuda_libraries=("cu' in line for line in lines)
    assert not list(uncovered(read_native(tmp_path), read_scripts(tmp_path), ("curand", "cusolver")))
