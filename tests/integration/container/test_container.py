"""What goes wrong in a container, and what a build in one sees of this machine."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

import pytest

from tests.wheels import files_of, pack
from workbench.container.blame import CibuildwheelFailed
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


ASKING = """\
from setuptools import build_meta
from setuptools.build_meta import *

def get_requires_for_build_wheel(config_settings=None):
    return ["only-here", *build_meta.get_requires_for_build_wheel(config_settings)]
"""


@pytest.mark.parametrize("frontend", ["build", "build[uv]"])
def test_without_a_network_a_container_installs_what_was_fetched_and_what_the_backend_asks_for(
    build: Builds, small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frontend: str
) -> None:
    links = tmp_path / "links"
    links.mkdir()
    pack(links / "only_here-1.0-py3-none-any.whl", files_of(name="only-here", payload={"only_here.py": b""}))
    monkeypatch.setenv("UV_FIND_LINKS", str(links))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-of-the-shell")
    monkeypatch.setenv("https_proxy", "http://me:secret-of-the-proxy@127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "*")
    (small / "backend.py").write_text(ASKING)
    (small / "pyproject.toml").write_text(
        '[build-system]\nrequires = ["setuptools"]\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "small"\nversion = "1.0"\n'
    )
    (small / "setup.py").write_text(
        "import os\nif 'bdist_wheel' in __import__('sys').argv: import only_here\n"
        "assert 'secret' not in str(os.environ), os.environ\n" + (small / "setup.py").read_text()
    )
    # the container's only interface is its own loopback
    only_loopback = "[ \"$(tail -n +3 /proc/net/dev | cut -d: -f1 | tr -d ' ')\" = lo ]"
    assert build(small, before_build=only_loopback, frontend=frontend).exists()


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
