"""A small real package: a C extension in a Git repository, its recipe and its patch series, in a site of its own."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.forked import invoke
from workbench.paths import Paths

if TYPE_CHECKING:
    from pathlib import Path

C = """\
#include <Python.h>

static PyObject *answer(PyObject *self, PyObject *unused) { return PyLong_FromLong(41); }
static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, 0}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "demo", 0, -1, methods};
PyMODINIT_FUNC PyInit_demo(void) { return getenv("HIP_VISIBLE_DEVICES") ? NULL : PyModule_Create(&module); }
"""

SETUP = """\
from setuptools import Extension, setup

setup(name="demo", version="1.0", ext_modules=[Extension("demo", ["demo.c"])])
"""

PATCH = """\
Description: Give the right answer
Author: The tests
--- a/demo.c
+++ b/demo.c
@@ -1,6 +1,6 @@
 #include <Python.h>

-static PyObject *answer(PyObject *self, PyObject *unused) { return PyLong_FromLong(41); }
+static PyObject *answer(PyObject *self, PyObject *unused) { return PyLong_FromLong(42); }
 static PyMethodDef methods[] = {{"answer", answer, METH_NOARGS, 0}, {0}};
 static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "demo", 0, -1, methods};
 PyMODINIT_FUNC PyInit_demo(void) { return getenv("HIP_VISIBLE_DEVICES") ? NULL : PyModule_Create(&module); }
"""

RECIPE = """\
from __future__ import annotations

from workbench.recipe import Git, Recipe

recipe = Recipe(
    name="demo",
    version="1.0",
    description="A demonstration",
    source=Git(url="{url}", commit="{commit}", branch="main"),
    smoke_test="import demo; assert demo.answer() == 42",
)
"""


def git(folder: Path, *words: str) -> str:
    """Run git in a folder, as somebody, and return what it printed."""
    who = ["-c", "user.name=T", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", *who, *words], cwd=folder, check=True, capture_output=True, text=True
    ).stdout.strip()


@dataclass(frozen=True)
class Demo:
    """The package's repository, and the site that holds its recipe and its patch."""

    paths: Paths
    repository: Path

    @property
    def recipe(self) -> Path:
        return self.paths.recipes / "demo.py"

    @property
    def patch(self) -> Path:
        return self.paths.patches / "demo" / "answer.patch"

    def wheels(self) -> list[Path]:
        return sorted(self.paths.wheels.glob("*.whl"))


def made(paths: Paths, repository: Path) -> Demo:
    """Make the package's repository, and its recipe and its patch in a site."""
    repository.mkdir()
    (repository / "demo.c").write_text(C)
    (repository / "setup.py").write_text(SETUP)
    git(repository, "init", "--quiet", "--initial-branch=main")
    git(repository, "add", ".")
    git(repository, "commit", "--quiet", "--message", "one")
    made = Demo(paths, repository)
    made.recipe.write_text(RECIPE.format(url=repository, commit=git(repository, "rev-parse", "HEAD")))
    made.patch.parent.mkdir()
    made.patch.write_text(PATCH)
    made.patch.with_name("series").write_text("answer.patch\n")
    return made


@pytest.fixture
def demo(paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Demo:
    """Return the small package, ready to be built; its sources are cached for this test alone."""
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    return made(paths, tmp_path / "upstream")


@pytest.fixture(scope="session")
def released_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a site in which the small package was released, its repository and the cache."""
    root = tmp_path_factory.mktemp("released")
    (root / "site" / "recipes").mkdir(parents=True)
    (root / "site" / "patches").mkdir()
    made(Paths(root / "site"), root / "upstream")
    places = {"WORKBENCH_SITE": root / "site", "WORKBENCH_CACHE": root / "cache"}
    done = invoke("release", "demo", env={name: str(path) for name, path in places.items()})
    assert done.status == 0, done.stderr
    return root


@pytest.fixture
def released(released_once: Path, paths: Paths, monkeypatch: pytest.MonkeyPatch) -> Demo:
    """Return the small package, released: a site of the test's own, beside a repository that is not to be changed."""
    shutil.copytree(released_once / "site", paths.root, dirs_exist_ok=True)
    monkeypatch.setenv("WORKBENCH_CACHE", str(released_once / "cache"))
    return Demo(paths, released_once / "upstream")
