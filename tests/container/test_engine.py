from __future__ import annotations

import os
from pathlib import Path

import pytest

from workbench.arch import OCI_ARCH
from workbench.container import engine as engines
from workbench.container.cibw import build_wheel
from workbench.container.command import Build
from workbench.container.engine import (
    Engine,
    find_engine,
    find_image,
    is_emulated,
    require_emulation,
    require_image,
)
from workbench.errors import ContainerError
from workbench.plan.target import this_arch

DOCKER_WITHOUT_DAEMON = """\
echo '{"ServerVersion":"","ClientInfo":{"Version":"28.2.2"}}'
echo 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?' >&2
exit 1
"""
DOCKER_WITHOUT_PERMISSION = """\
echo 'permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock' >&2
exit 1
"""
PODMAN_WITHOUT_UIDMAP = """\
echo 'time="2026-11-21T12:29:47Z" level=warning msg="\\"/\\" is not a shared mount"' >&2
echo 'Error: command required for rootless mode with multiple IDs: exec: "newuidmap": not found in $PATH' >&2
exit 125
"""
PODMAN_THAT_WORKS = """\
echo 'time="2026-11-21T12:29:47Z" level=warning msg="something that does not matter"' >&2
printf '{\\n  "version": {"Version": "4.3.1"},\\n  "store": {"graphRoot": "/var/lib/containers/storage"}\\n}\\n'
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder of programs beside the workbench's own; what is said there was heard from real ones."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin-without-engines")
    return tmp_path


def install(folder: Path, name: str, script: str) -> None:
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}")
    program.chmod(0o755)


@pytest.mark.usefixtures("programs")
def test_no_engine_says_how_to_get_one() -> None:
    with pytest.raises(
        ContainerError, match=r"no container engine here \(docker or podman\)\n'apt install podman'"
    ):
        find_engine()


def test_an_engine_that_is_asked_for_is_not_replaced(programs: Path) -> None:
    install(programs, "podman", PODMAN_THAT_WORKS)
    with pytest.raises(ContainerError, match=r"no container engine here \(docker\)"):
        find_engine("docker")


def test_docker_without_its_daemon(programs: Path) -> None:
    install(programs, "docker", DOCKER_WITHOUT_DAEMON)
    with pytest.raises(ContainerError, match=r"Cannot connect.*\n.*systemctl start docker"):
        find_engine()


def test_docker_without_permission(programs: Path) -> None:
    install(programs, "docker", DOCKER_WITHOUT_PERMISSION)
    with pytest.raises(ContainerError, match=r"permission denied.*\n.*usermod -aG docker"):
        find_engine()


def test_podman_without_what_rootless_needs(programs: Path) -> None:
    install(programs, "podman", PODMAN_WITHOUT_UIDMAP)
    with pytest.raises(ContainerError, match=r'"newuidmap".*\n.*apt install uidmap'):
        find_engine()


def test_the_engine_that_works_is_taken_and_its_warnings_are_not(programs: Path) -> None:
    install(programs, "docker", DOCKER_WITHOUT_DAEMON)
    install(programs, "podman", PODMAN_THAT_WORKS)
    engine = find_engine()
    assert (str(engine), engine.storage) == ("podman 4.3.1", Path("/var/lib/containers/storage"))


def test_every_engine_that_does_not_work_is_named(programs: Path) -> None:
    install(programs, "docker", DOCKER_WITHOUT_DAEMON)
    install(programs, "podman", PODMAN_WITHOUT_UIDMAP)
    with pytest.raises(ContainerError) as caught:
        find_engine()
    assert "docker is installed and does not work" in str(caught.value)
    assert "podman is installed and does not work" in str(caught.value)


def test_a_docker_that_is_podman_is_not_taken_for_docker(programs: Path) -> None:
    install(programs, "docker", PODMAN_THAT_WORKS)
    with pytest.raises(ContainerError, match=r"podman under docker's name\n.*container\.engine"):
        find_engine("docker")
    install(programs, "podman", PODMAN_THAT_WORKS)
    assert find_engine().name == "podman"


def test_an_engine_that_hangs_is_passed_by(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "PROBE_TIMEOUT", 0.5)
    install(programs, "docker", "exec /usr/bin/tail -f /dev/null\n")
    with pytest.raises(ContainerError, match=r"docker is installed and does not answer within 0\.5 s"):
        find_engine("docker")
    monkeypatch.setattr(engines, "PROBE_TIMEOUT", 30)
    install(programs, "docker", DOCKER_WITHOUT_DAEMON)
    install(programs, "podman", PODMAN_THAT_WORKS)
    assert find_engine().name == "podman"


WARNING = """\
echo 'time="2026-11-28T09:00:00Z" level=warning msg="Using cgroups-v1 which is deprecated"' >&2
"""
INSPECTED = """\
echo '[{"Id": "4a5e", "Architecture": "amd64", "Size": 42, "Config": {"Labels": {"wheel-workbench.pythons": "3.11"}}}]'
"""
PODMAN = Engine(name="podman", version="4.3.1", storage=Path("/nowhere"))


def test_an_image_is_found_whatever_the_engine_warns_of(programs: Path) -> None:
    install(programs, "podman", WARNING + INSPECTED)
    image = find_image(PODMAN, "localhost/image:x86_64")
    assert image is not None
    assert (image.id, image.pythons) == ("4a5e", ("3.11",))


def test_of_an_interrupted_build_its_container_is_removed_and_no_other(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{programs}:{os.defpath}")
    inspected = INSPECTED.replace("amd64", OCI_ARCH[this_arch()])
    answers = (
        f"case $1 in image) {inspected};; ps) echo 0123456789ab;; rm) echo $* >>{tmp_path}/removed;; esac\n"
    )
    install(programs, "podman", WARNING + answers)

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    build = Build(
        title="demo",
        python="3.11",
        arch=this_arch(),
        image="localhost/image",
        tree=tmp_path,
        output=tmp_path / "wheels",
        wheelhouse=tmp_path / "house",
    )
    with pytest.raises(KeyboardInterrupt):
        build_wheel(build, PODMAN, log=tmp_path / "build.log", on_line=interrupt)
    # before it as well: one that an earlier build left when it was killed
    assert (tmp_path / "removed").read_text() == 2 * "rm --force --volumes 0123456789ab\n"


REGISTERED = """\
{state}
interpreter /usr/bin/qemu-aarch64
flags: {flags}
offset 0
magic 7f454c460201010000000000000000000200{machine}
mask ffffffffffffff00fffffffffffffffffeffffff
"""


def register(folder: Path, *, state: str = "enabled", flags: str = "F", machine: str = "b700") -> None:
    (folder / "register").touch()
    (folder / "status").write_text("enabled\n")
    (folder / "an-emulator").write_text(REGISTERED.format(state=state, flags=flags, machine=machine))


def test_an_emulator_is_known_by_what_it_runs(tmp_path: Path) -> None:
    register(tmp_path)
    assert is_emulated("aarch64", binfmt=tmp_path)
    assert not is_emulated("x86_64", binfmt=tmp_path)


@pytest.mark.parametrize(
    "how",
    [{"state": "disabled"}, {"flags": "OC"}, {"machine": "f300"}],
    ids=["disabled", "not opened", "riscv64"],
)
def test_an_emulator_that_does_not_serve(tmp_path: Path, how: dict[str, str]) -> None:
    register(tmp_path, **how)
    with pytest.raises(ContainerError, match="aarch64 programs do not run on this machine") as caught:
        require_emulation("aarch64", binfmt=tmp_path)
    assert "containers/setup registers qemu" in str(caught.value)


def test_binfmt_that_is_not_mounted(tmp_path: Path) -> None:
    assert not is_emulated("aarch64", binfmt=tmp_path / "nowhere")


REGISTRY = """\
case "$1 $2" in
"image inspect") [ -e "{here}/image" ] || exit 1
    echo '[{{"Id": "sha256:1", "Architecture": "amd64", "Size": 1, "Config": {{}}}}]' ;;
pull*) echo x >>"{here}/tries"
    if [ $(wc -l <"{here}/tries") = {answers} ]; then touch "{here}/image"; exit; fi
    echo '{said}' >&2; exit 1 ;;
esac
"""


@pytest.mark.parametrize(
    ("said", "tries"),
    [
        ("received unexpected HTTP status: 503 Service Unavailable", 3),
        ("toomanyrequests: You have reached your pull rate limit", 3),
        ("manifest unknown", 1),
        ("requested access to the resource is denied", 1),
    ],
)
def test_a_pull_is_tried_again_where_the_trouble_passes(
    said: str, tries: int, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "PULL_WAITS", (0.0, 0.0, 0.0))
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    install(programs, "docker", REGISTRY.format(here=programs, said=said, answers=3))
    docker = Engine(name="docker", version="28", storage=programs)
    if tries == 1:
        with pytest.raises(ContainerError, match=said):
            require_image(docker, "example.com/image", "x86_64")
    else:
        assert require_image(docker, "example.com/image", "x86_64").id == "sha256:1"
    assert len((programs / "tries").read_text().split()) == tries
