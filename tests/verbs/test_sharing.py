"""A wheel that serves several cells: built once for them, tried for each, and done whichever it was built for."""

from __future__ import annotations

import json
import sys

import pytest

from tests.forked import invoke
from tests.verbs.conftest import Demo, git
from workbench.builders.interpreter import interpreter_here
from workbench.plan.target import this_arch, this_python
from workbench.registry.file import load

STABLE = """\
from setuptools import Extension, setup

setup(
    name="demo",
    version="1.0",
    ext_modules=[Extension("demo", ["demo.c"], py_limited_api=True, define_macros=[("Py_LIMITED_API", "0x030a0000")])],
    options={"bdist_wheel": {"py_limited_api": "cp310"}},
)
"""
PURE = 'from setuptools import setup\n\nsetup(name="demo", version="1.0", py_modules=["demo"])\n'


@pytest.fixture
def newer() -> str:
    """Return a Python of this machine that is newer than the workbench's."""
    for minor in range(sys.version_info[1] + 1, 20):
        if interpreter_here(f"3.{minor}"):
            return f"3.{minor}"
    pytest.skip("no newer Python is on this machine")


def commit(demo: Demo, **files: str) -> None:
    """Change files of the repository, and pin the recipe to that."""
    before = git(demo.repository, "rev-parse", "HEAD")
    for name, content in files.items():
        (demo.repository / name.replace("_py", ".py")).write_text(content)
    git(demo.repository, "add", ".")
    git(demo.repository, "commit", "--quiet", "--message", "two")
    demo.recipe.write_text(demo.recipe.read_text().replace(before, git(demo.repository, "rev-parse", "HEAD")))


def change_patch(demo: Demo) -> None:
    demo.patch.write_text(demo.patch.read_text().replace("right", "very right"))


def states(*words: str) -> list[tuple[str, str]]:
    return [
        (cell["state"], cell["what"])
        for cell in json.loads(invoke("matrix", "demo", *words, "--all", "--json").stdout)["include"]
    ]


def test_a_wheel_of_the_stable_abi_is_built_once_for_all_its_pythons(demo: Demo, newer: str) -> None:
    commit(demo, setup_py=STABLE)
    both = ("--python", f"{this_python()},{newer}")
    first = invoke("release", "demo", *both)
    assert first.status == 0, first.stderr
    assert first.stderr.count("✓ build demo") == 1
    for python in (this_python(), newer):
        assert f"on Python {python}: uv installs it: the smoke test passes" in first.stderr
    (wheel,) = demo.wheels()
    assert "-cp310-abi3-" in wheel.name
    assert [each.filename for _, each in load(demo.paths.registry).wheels()] == [wheel.name]
    assert states(*both) == [("published", wheel.name)] * 2
    second = invoke("release", "demo", *both)
    assert (second.status, "build" in second.stderr) == (0, False)
    change_patch(demo)
    for python in (this_python(), newer):
        refused = invoke("release", "demo", "--python", python)
        assert (refused.status, "with other patches (answer.patch)" in refused.stderr) == (13, True)
    assert [state for state, _ in states(*both)] == ["changed", "changed"]


def test_a_python_that_is_asked_for_later_is_served_by_what_is_published(demo: Demo, newer: str) -> None:
    commit(demo, setup_py=STABLE)
    assert invoke("release", "demo").status == 0
    later = invoke("release", "demo", "--python", newer)
    assert later.status == 0, later.stderr
    assert "is published already" in later.stdout
    assert "✓ build" not in later.stderr
    assert f"on Python {newer}: pip installs it: the smoke test passes" in later.stderr, (
        "it was not tried there yet"
    )


@pytest.mark.needs("aarch64-linux-gnu-g++")
def test_a_pure_wheel_serves_every_architecture(demo: Demo) -> None:
    (demo.paths.patches / "demo" / "series").write_text("")
    demo.patch.unlink()
    commit(demo, setup_py=PURE, demo_py="def answer():\n    return 42\n")
    assert invoke("release", "demo").status == 0
    (wheel,) = demo.wheels()
    other = {"x86_64": "aarch64", "aarch64": "x86_64"}[this_arch()]
    both = ("--arch", f"{this_arch()},{other}")
    assert states(*both) == [("published", wheel.name)] * 2
    for path in demo.paths.wheels.iterdir():
        path.unlink()
    assert "published already" in invoke("release", "demo", *both, "--dry-run").stdout
    built = invoke("build", "demo", *both, "--json")
    (made,) = json.loads(built.stdout)["wheels"]
    assert made["path"] == str(wheel)


def test_wheels_of_one_version_have_the_same_patches_unless_somebody_says_otherwise(
    demo: Demo, newer: str
) -> None:
    assert invoke("release", "demo").status == 0
    change_patch(demo)
    refused = invoke("release", "demo", "--python", newer)
    assert refused.status == 13
    for named in ("with other patches (answer.patch)", "--version-suffix .post1", "--mixed"):
        assert named in refused.stderr
    assert len(demo.wheels()) == 1
    (published,) = [each.filename for _, each in load(demo.paths.registry).wheels()]
    ((state, what), (open_state, _)) = states("--python", f"{this_python()},{newer}")
    assert (state, open_state) == ("changed", "to build")
    assert what == f"{published} was built with other patches (answer.patch) than would be taken now"
    mixed = invoke("release", "demo", "--python", newer, "--mixed")
    assert mixed.status == 0, mixed.stderr
    assert len(list(load(demo.paths.registry).wheels())) == 2


def test_what_was_built_is_not_built_again(demo: Demo) -> None:
    assert "✓ build demo" in invoke("build", "demo").stderr
    again = invoke("build", "demo")
    assert (again.status, "✓ build demo" in again.stderr) == (0, False)
    (wheel,) = demo.wheels()
    assert f"{wheel} was built earlier from the same inputs" in again.stdout
    assert json.loads(invoke("build", "demo", "--json").stdout)["built_already"] == [str(wheel)]
    change_patch(demo)
    assert "✓ build demo" in invoke("build", "demo").stderr


def test_one_wheel_cannot_have_the_patches_of_two_pythons(demo: Demo, newer: str) -> None:
    commit(demo, setup_py=STABLE)
    text = demo.recipe.read_text().replace("import Git, Recipe", "import Git, Recipe, when")
    condition = f'patches_when=(when("answer.patch", python="<{newer}"),),'
    demo.recipe.write_text(text.replace("    smoke_test", f"    {condition}\n    smoke_test"))
    refused = invoke("build", "demo", "--python", f"{this_python()},{newer}")
    assert refused.status == 4
    assert "patches_when: the wheel for cp" in refused.stderr
