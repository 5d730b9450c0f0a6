"""The other engine: Docker, with a daemon of the test's own."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from workbench.container.cibw import build_wheel
from workbench.container.command import Build
from workbench.container.engine import cuda_in, find_engine, find_image
from workbench.container.image import ImageRecipe, build_image
from workbench.container.trial import try_wheel
from workbench.paths import Paths
from workbench.process import run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.container.engine import Engine

pytestmark = pytest.mark.needs("dockerd", "docker")


@pytest.fixture(scope="module")
def docker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Start a daemon without a bridge, for there may be no right to make one, and say where it listens."""
    root = tmp_path_factory.mktemp("docker")
    address = f"unix://{root}/socket"
    options = [f"--data-root={root}/data", f"--exec-root={root}/exec", f"--pidfile={root}/pid"]
    # its files lie on whatever the test's folder lies on, which need be no file system that can be layered
    options += ["--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=vfs"]
    with (
        pytest.MonkeyPatch.context() as patch,
        (root / "log").open("wb") as log,
        subprocess.Popen(["dockerd", *options, f"--host={address}"], stdout=log, stderr=log) as daemon,
    ):
        patch.setenv("DOCKER_HOST", address)
        try:
            while run(["docker", "info"], check=False).status:
                assert daemon.poll() is None, (root / "log").read_text()
            yield find_engine("docker")
        finally:
            daemon.terminate()
    # the daemon leaves a network namespace mounted, and who removes its folder later would stumble over that
    for line in Path("/proc/mounts").read_text().splitlines():
        if (mounted := line.split()[1]).startswith(str(root)):
            run(["umount", mounted])


def test_a_wheel_is_built_by_docker_and_tried_in_it(docker: Engine, small: Path, tmp_path: Path) -> None:
    assert docker.name == "docker"
    image = build_image(ImageRecipe(arch="x86_64"), docker, cache=Paths.here().cache)
    assert find_image(docker, image.name) == image
    assert cuda_in(docker, image) is None
    build = Build(
        title="small x86_64",
        python="3.11",
        arch="x86_64",
        image=image.name,
        tree=small,
        output=tmp_path / "wheels",
        wheelhouse=tmp_path / "house",
        requires=("setuptools",),
    )
    wheel = build_wheel(build, docker, log=tmp_path / "build.log")
    assert wheel.name.startswith("small-1.0-cp311-cp311-manylinux")
    try_wheel(wheel, engine=docker, image=image.name, python="3.11", arch="x86_64", code="import small")
