"""Who builds what: the builder that is named, or the one that fits; what the site's settings add to a plan."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from workbench.arch import OCI_ARCH
from workbench.errors import ContainerError, UsageError
from workbench.make import assign as engines
from workbench.make.assign import assign
from workbench.plan.draft import drafts
from workbench.plan.target import Target, this_arch, this_python
from workbench.recipe import Recipe, Sdist
from workbench.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workbench.paths import Paths
    from workbench.plan.draft import Draft
    from workbench.plan.plan import Plan

RECIPE = Recipe(
    name="demo", version="1.0", description="d", source=Sdist(sha256="0" * 64), compute=("cpu", "rocm*")
)
HERE = Target(python=this_python(), arch=this_arch())
ROCM = replace(HERE, compute="rocm6.4", gpu=("gfx1151",))


@pytest.fixture
def podman(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a program that stands in for the one engine of this machine; tests write what it says."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    program = folder / "podman"
    program.touch(0o755)
    return program


def answers(podman: Path, *, image_id: str, labels: dict[str, str] | None = None) -> None:
    """Let the engine have whatever image it is asked for."""
    info = {"version": {"Version": "4.3.1"}, "store": {"graphRoot": "/nowhere"}}
    facts = {"Id": image_id, "Architecture": OCI_ARCH[this_arch()], "Size": 1, "Config": {"Labels": labels}}
    podman.write_text(
        f"#!/bin/sh\n[ $1 = info ] && echo '{json.dumps(info)}' || echo '{json.dumps([facts])}'\n"
    )


def forget() -> None:
    """Ask the engine anew, as each run of a verb does, which is a process of its own."""
    for each in vars(engines).values():
        if hasattr(each, "cache_clear"):
            each.cache_clear()


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    """Nor does a test of others hear what these engines said."""
    forget()
    yield
    forget()


def drafted(target: Target, *, glibc: str | None = None) -> Draft:
    ((made,), _) = drafts(RECIPE, (), (target,), glibc=glibc)
    return made


def test_the_targets_glibc_counts_more_than_the_sites() -> None:
    assert drafted(HERE, glibc="2.39").glibc == "2.39"
    assert drafted(replace(HERE, glibc="2.28"), glibc="2.39").glibc == "2.28"


def test_rocm_is_built_in_an_image_that_has_it_and_nowhere_else(paths: Paths) -> None:
    with pytest.raises(UsageError, match=r"--builder host: rocm6\.4 is built in a container"):
        assign(drafted(ROCM), "host", read_settings(paths))
    with pytest.raises(ContainerError, match=rf"container\.images\.rocm6\.4\.{this_arch()}"):
        assign(drafted(ROCM), "auto", read_settings(paths))
    (paths.root / "workbench.yaml").write_text(
        f"container: {{images: {{rocm6.4: {{{this_arch()}: example.com/rocm}}}}}}\n"
    )
    made = assign(drafted(ROCM), "auto", read_settings(paths))
    assert (made.builder, made.image) == ("container", "example.com/rocm")
    assert "rocm6.4 is built in an image that has it" in made.why


def test_a_builder_for_another_architecture_is_refused(paths: Paths) -> None:
    other = {"x86_64": "aarch64", "aarch64": "x86_64"}[this_arch()]
    with pytest.raises(UsageError, match=f"{other} is not this machine's own architecture"):
        assign(drafted(replace(HERE, arch=other)), "host", read_settings(paths))
    with pytest.raises(UsageError, match=r"did you mean 'container'\?"):
        assign(drafted(HERE), "containr", read_settings(paths))


def test_what_cibuildwheel_does_not_build_for_is_built_on_the_host(paths: Paths, podman: Path) -> None:
    answers(podman, image_id="a")
    old, new = (drafted(replace(HERE, python=python)) for python in ("3.13t", "3.14t"))
    assert assign(old, "auto", read_settings(paths)).builder == "host"
    assert assign(new, "auto", read_settings(paths)).builder == "container"
    with pytest.raises(ContainerError, match=r"cibuildwheel does not build for 3\.13t"):
        assign(old, "container", read_settings(paths))


def test_an_engine_that_does_not_work_is_told_from_one_that_there_is_not(paths: Paths, podman: Path) -> None:
    podman.write_text("#!/bin/sh\necho 'Error: cannot connect to Podman'\nexit 125\n")
    made = assign(drafted(HERE), "auto", read_settings(paths))
    assert made.builder == "host"
    assert made.why.endswith("; podman is installed and does not work: Error: cannot connect to Podman")


def test_a_machine_without_an_engine_is_told_in_a_few_words(paths: Paths, podman: Path) -> None:
    podman.unlink()
    made = assign(drafted(HERE), "auto", read_settings(paths))
    assert made.why.endswith("; no container engine here (docker or podman)")


def test_a_python_that_the_image_has_not_is_built_on_the_host(paths: Paths, podman: Path) -> None:
    answers(podman, image_id="a", labels={"wheel-workbench.pythons": "3.11"})
    (paths.root / "workbench.yaml").write_text(f"container: {{images: {{cpu: {{{this_arch()}: mine}}}}}}\n")
    assert assign(drafted(replace(HERE, python="3.11")), "auto", read_settings(paths)).builder == "container"
    made = assign(drafted(replace(HERE, python="3.12")), "auto", read_settings(paths))
    assert (made.builder, made.why.partition("; ")[2]) == ("host", "mine has Python 3.11 only")


def test_an_image_is_known_by_more_than_a_name_that_another_may_get(paths: Paths, podman: Path) -> None:
    def made(container: str, image_id: str = "a") -> Plan:
        forget()
        answers(podman, image_id=image_id)
        (paths.root / "workbench.yaml").write_text(f"container: {{{container}}}\n")
        return assign(drafted(HERE), "container", read_settings(paths))

    own = f"images: {{cpu: {{{this_arch()}: localhost/mine}}}}"
    made_here, anew = made(own), made(own, "b")
    assert (made_here.image_pin, anew.image_pin) == ("a", "b")
    assert made_here.key != anew.key
    pulled, anew = (
        made(own.replace("localhost", "example.com")),
        made(own.replace("localhost", "example.com"), "b"),
    )
    assert pulled.key == anew.key, "whether it was pulled, and by which engine, is not another build"
    default = made("frontend: build")
    assert default.image == "manylinux_2_28"
    assert "manylinux_2_28" in str(default.image_pin)
    assert "@sha256:" in str(default.image_pin)
    assert made("create_args: ['--env=CFLAGS=-O0']").key != default.key
