"""What goes wrong in a container, and what a build in one sees of this machine."""

from __future__ import annotations

import re
import zipfile
from functools import partial
from typing import TYPE_CHECKING

import pytest

from workbench.container.cibw import CibuildwheelFailed
from workbench.container.configuration import fetch_wheelhouse, hand_on
from workbench.container.engine import require_image
from workbench.container.trial import try_wheel
from workbench.errors import BuildFailed, ContainerError, VerificationFailed
from workbench.process import run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.container.conftest import Builds
    from workbench.container.engine import Engine

pytestmark = pytest.mark.needs("podman")


def test_a_wheel_is_built_and_the_tree_stays_as_it_was(build: Builds, small: Path) -> None:
    before = sorted(small.rglob("*"))
    wheel = build(small)
    assert wheel.name.startswith("small-1.0-cp311-cp311-manylinux")
    assert sorted(small.rglob("*")) == before


def test_variables_reach_the_build_literally(build: Builds, small: Path) -> None:
    value = """it's "$HOME" `id` \\ ; *"""
    (small / "setup.py").write_text(
        f"import os\nassert os.environ['ODD'] == {value!r}, os.environ['ODD']\n"
        + (small / "setup.py").read_text()
    )
    build(
        small,
        environment={"ODD": value, "PATH": "/somewhere/first"},
        before_build='[ "${PATH%%:*}" = /somewhere/first ]',
    )


def test_a_step_that_fails_is_named(build: Builds, small: Path, tmp_path: Path) -> None:
    (small / "small.c").write_text("#include <Python.h>\nint broken(void) { return 1 }\n")
    with pytest.raises(CibuildwheelFailed, match="'Building wheel'") as caught:
        build(small)
    assert caught.value.fault is BuildFailed
    assert "small.c:2:" in (tmp_path / "build.log").read_text()
    assert f"--volume={small}:/project" in caught.value.inside
    assert (small / "small.c").exists()


def test_a_build_without_a_network_uses_what_it_was_given(build: Builds, small: Path, tmp_path: Path) -> None:
    handed = fetch_wheelhouse(["setuptools"], python="3.11", arch="x86_64", into=tmp_path / "house")
    # the container's only interface is its own loopback
    only_loopback = "[ \"$(tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' ')\" = lo ]"
    assert build(small, network=False, handed=handed, cache=False, before_build=only_loopback).exists()


def test_a_folder_that_pip_knows_is_known_in_the_container(
    build: Builds, small: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "links"
    fetch_wheelhouse(["setuptools"], python="3.11", arch="x86_64", into=folder)
    with zipfile.ZipFile(folder / "only_here-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("only_here.py", "")
        wheel.writestr(
            "only_here-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: only-here\nVersion: 1.0\n"
        )
        wheel.writestr(
            "only_here-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr("only_here-1.0.dist-info/RECORD", "only_here.py,,\n")
    (small / "setup.py").write_text("import only_here\n" + (small / "setup.py").read_text())
    handed = hand_on({"find-links": str(folder), "no-index": "true"}, {})
    for frontend in ("build", "build[uv]"):
        build(small, requires=("only-here",), handed=handed, frontend=frontend, cache=False)


def test_an_interrupted_build_leaves_no_container(build: Builds, small: Path, engine: Engine) -> None:
    (small / "setup.py").write_text("import time\nprint('sleeping')\ntime.sleep(600)\n")
    ours = []

    def interrupt(line: str) -> None:
        if "label=wheel-workbench=" in line:
            ours.extend(re.findall(r"label=wheel-workbench=([\w-]+)", line))
        if line.startswith("Setting up build environment"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(small, on_line=interrupt)
    label = f"--filter=label=wheel-workbench={ours[0]}"
    assert run([engine.name, "ps", "--all", "--quiet", label]).output == ""


def test_an_image_that_is_missing(engine: Engine) -> None:
    with pytest.raises(ContainerError, match="the image localhost/no-such:x is not here") as caught:
        require_image(engine, "localhost/no-such:x", "aarch64")
    assert "invoke toolchain.image --arch aarch64" in str(caught.value)


def test_an_image_of_another_architecture(engine: Engine, image: Callable[..., str]) -> None:
    with pytest.raises(ContainerError, match=r"is for amd64, and the wheel is for aarch64 \(arm64\)"):
        require_image(engine, image("x86_64"), "aarch64")


def test_an_image_is_made_once(image: Callable[..., str], capfd: pytest.CaptureFixture[str]) -> None:
    image("x86_64")
    capfd.readouterr()
    image("x86_64")
    assert capfd.readouterr().err == ""


def test_a_wheel_that_needs_what_the_runtime_image_lacks(
    build: Builds, small: Path, engine: Engine, image: Callable[..., str]
) -> None:
    wheel = build(small)
    trial = partial(try_wheel, wheel, engine=engine, image=image("x86_64", "runtime"), arch="x86_64")
    trial(python="3.11", code="import small, shutil; assert shutil.which('gcc') is None")
    with pytest.raises(VerificationFailed, match="No module named 'numpy'"):
        trial(python="3.11", code="import small, numpy")
    with pytest.raises(ContainerError, match=r"this image has no Python 3\.12"):
        trial(python="3.12", code="import small")
