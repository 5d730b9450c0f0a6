"""``build`` behind its backend: what is grafted, what is tried, and what then lies in ``wheels/``."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.forked import invoke
from workbench.builders.host import build_here
from workbench.container.engine import Engine
from workbench.errors import VerificationFailed
from workbench.make.produce import build_all
from workbench.make.request import Request, plans
from workbench.plan.target import this_arch, this_python
from workbench.settings import read_settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.verbs.conftest import Demo

RUNTIME_IMAGE = "container: {{runtime_images: {{cpu: {{{arch}: mine}}}}}}\n"

OPENMP = """\
#include <omp.h>
int threads(void) { return omp_get_max_threads(); }
"""


@pytest.mark.needs("aarch64-linux-gnu-g++", "apt-get", "dpkg-deb")
def test_a_cross_build_for_an_old_glibc_brings_the_libraries_of_its_own_compiler(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WORKBENCH_CACHE")  # the compiler is unpacked once, not for each test
    (demo.paths.root / "workbench.yaml").write_text("cache: {objects: false}\n")  # which is the user's own
    source = demo.repository / "demo.c"
    source.write_text(source.read_text() + OPENMP)
    setup = demo.repository / "setup.py"
    options = '["demo.c"], extra_compile_args=["-fopenmp"], extra_link_args=["-fopenmp"]'
    setup.write_text(setup.read_text().replace('["demo.c"]', options))
    words = ("--builder", "cross", "--arch", "aarch64", "--glibc", "2.31", "--source-dir", demo.repository)
    made = invoke("build", "demo", *words, "--json")
    assert made.status == 0, made.stderr
    (wheel,) = json.loads(made.stdout)["wheels"]
    (grafted,) = wheel["grafted"]
    assert grafted.startswith("libgomp-")


def test_a_wheel_is_tried_as_it_will_be_published(demo: Demo, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its version, its requirements and its RPATHs; one that fails there stays, and is tried again."""
    (demo.paths.root / "workbench.yaml").write_text(RUNTIME_IMAGE.format(arch=this_arch()))
    paths = demo.paths
    (here,) = plans(
        Request(name="demo", builder="host", version_suffix=".post1"), paths, read_settings(paths)
    ).plans
    plan = replace(here, builder="container", requires=("packaging",))
    tried: list[tuple[str, bytes]] = []

    def look(wheel: Path, **_: Any) -> None:
        with zipfile.ZipFile(wheel) as archive:
            tried.append((wheel.name, archive.read("demo-1.0.post1.dist-info/METADATA")))

    def fail(wheel: Path, **_: Any) -> None:
        raise VerificationFailed(f"{wheel.name} does not work in mine")

    engine = Engine(name="podman", version="4.3.1", storage=demo.paths.root)
    monkeypatch.setattr("workbench.container.engine.find_engine", lambda _: engine)
    monkeypatch.setattr("workbench.builders.raw_wheel.build_in_container", build_here)

    monkeypatch.setattr("workbench.container.trial.try_wheel", fail)
    wanted = replace(plans(Request(name="demo", builder="host"), paths, read_settings(paths)), plans=(plan,))
    _, (failure,) = build_all(wanted, paths, read_settings(paths))
    (wheel,) = demo.wheels()
    assert "does not work in mine" in failure.found
    assert f"The wheel is kept, not verified: {wheel}" in str(failure.error)

    monkeypatch.setattr("workbench.container.trial.try_wheel", look)
    monkeypatch.setattr("workbench.make.produce.find_built", lambda *_: wheel)
    (made,), _ = build_all(wanted, paths, read_settings(paths))
    assert made.wheel == wheel
    ((name, metadata),) = tried
    assert name == made.wheel.name
    assert "manylinux" in name
    assert b"Requires-Dist: packaging" in metadata


@pytest.mark.parametrize("damage", ["of other bytes", "cut short"])
def test_a_wheel_that_its_notes_do_not_speak_of_is_built_again(demo: Demo, damage: str) -> None:
    """A build that was killed between the wheel and its notes leaves those of the wheel before."""
    assert invoke("build", "demo").status == 0
    (wheel,) = demo.wheels()
    notes = wheel.with_name(f"{wheel.name}.build.json")
    noted = notes.read_text()
    digest = json.loads(noted)["record_sha256"]
    notes.write_text(noted[:-10] if damage == "cut short" else noted.replace(digest, "0" * 64))
    (cell,) = json.loads(invoke("matrix", "demo", "--json").stdout)["include"]
    assert cell["state"] == "to build"
    done = invoke("release", "demo")
    assert done.status == 0, done.stderr
    assert json.loads(notes.read_text())["record_sha256"] == digest


def test_a_wheel_from_a_folder_that_replaces_another_says_so(demo: Demo) -> None:
    words = ("build", "demo", "--source-dir", demo.repository)
    assert "is replaced" not in invoke(*words).stderr
    (wheel,) = demo.wheels()
    assert f"· {wheel} was there: it is replaced\n" in invoke(*words).stderr


def test_a_program_reads_why_a_target_failed(demo: Demo) -> None:
    demo.patch.write_text(
        demo.patch.read_text().replace("+static PyObject", "+#include <turbojpeg.h>\n+static PyObject")
    )
    demo.patch.write_text(demo.patch.read_text().replace("-1,6 +1,6", "-1,6 +1,7"))
    failed = invoke("build", "demo", "--json")
    assert failed.status == 9, failed.stderr
    (told,) = json.loads(failed.stdout)["failures"]
    assert told["status"] == 9
    why = told["explanation"]
    assert (why["name"], why["file"], why["line"]) == ("header-missing", "demo.c", 3)
    assert "recipes/demo.py" in why["remedy"]
    assert (
        f"✗ build demo 1.0 cp{this_python().replace('.', '')} {this_arch()} cpu (host): {why['meaning']}"
        in failed.stderr
    )


def test_what_an_import_fails_with_is_explained(demo: Demo) -> None:
    """The loader's words are real: the function is in no library."""
    patch = demo.patch.read_text().replace("+static PyObject", "+int nowhere(void);\n+static PyObject")
    demo.patch.write_text(
        patch.replace("-1,6 +1,6", "-1,6 +1,7").replace("PyLong_FromLong(42)", "PyLong_FromLong(nowhere())")
    )
    failed = invoke("release", "demo")
    assert failed.status == 11, failed.stderr
    assert "the module uses nowhere, which no library that it links to has" in failed.stderr
    assert "What to do: A source file or a library is left out of the link" in failed.stderr
