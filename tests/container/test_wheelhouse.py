"""What a container installs: found as on this machine, for another one, and by its hash."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from tests.wheels import files_of, pack
from workbench.container.wheelhouse import FIRST, LOCK, MORE, asked_in, fetch_wheels, glibc_of
from workbench.environment import locked
from workbench.errors import CommandFailed, ContainerError
from workbench.files import sha256_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the pages of an index that uv's own variable names, in a folder with a space in its name."""
    pages = tmp_path / "my index" / "simple"
    monkeypatch.setenv("UV_DEFAULT_INDEX", pages.as_uri())
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    return pages


def put(index: Path, name: str, tag: str = "py3-none-any", *requires: str) -> Path:
    folder = index / name
    folder.mkdir(parents=True, exist_ok=True)
    files = files_of(name=name, tag=tag, requires=requires, payload={f"{name}/__init__.py": b""})
    pack(folder / f"{name}-1.0-{tag}.whl", files)
    links = (f'<a href="{each.name}">{each.name}</a>' for each in folder.glob("*.whl"))
    (folder / "index.html").write_text("\n".join(links))
    return folder / f"{name}-1.0-{tag}.whl"


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_they_are_for_the_containers_machine_and_what_is_asked_for_later_comes_on_top(
    index: Path, tmp_path: Path
) -> None:
    needed, later = put(index, "needed"), put(index, "later", "cp311-cp311-manylinux_2_28_aarch64")
    demo = put(index, "demo", "py3-none-any", "needed")
    put(index, "later", "cp311-cp311-manylinux_2_28_x86_64")
    house = tmp_path / "my site" / "house"
    fetch_wheels(["demo"], house, folder=FIRST, python="3.11", arch="aarch64")
    assert names(house / FIRST) == [demo.name, needed.name]
    fetch_wheels(["demo", "later"], house, folder=MORE, python="3.11", arch="aarch64")
    assert names(house / MORE) == [later.name]
    # once more, for nothing
    fetch_wheels(["demo", "later"], house, folder=MORE, python="3.11", arch="aarch64")
    recorded = {each.name: each.wheels[0].hashes["sha256"] for each in locked(house / LOCK) if each.wheels}
    assert recorded == {each.name.partition("-")[0]: sha256_of(each) for each in (demo, later, needed)}


def test_a_free_threaded_python_gets_its_own_though_it_is_not_on_this_machine(
    index: Path, tmp_path: Path
) -> None:
    for abi in ("cp314", "cp314t"):
        put(index, "demo", f"cp314-{abi}-manylinux_2_28_aarch64")
    for python, abi in (("3.14t", "cp314t"), ("3.14", "cp314")):
        house = tmp_path / "my site" / python
        fetch_wheels(["demo"], house, folder=FIRST, python=python, arch="aarch64")
        assert names(house / FIRST) == [f"demo-1.0-cp314-{abi}-manylinux_2_28_aarch64.whl"]
    put(index, "other", "cp314-abi3-manylinux_2_28_aarch64")
    with pytest.raises(CommandFailed, match="other"):
        fetch_wheels(["other"], tmp_path / "not-for-it", folder=FIRST, python="3.14t", arch="aarch64")


def test_what_has_no_wheel_for_it_is_told_and_nothing_half_is_left(index: Path, tmp_path: Path) -> None:
    put(index, "demo", "cp311-cp311-manylinux_2_28_x86_64")
    with pytest.raises(CommandFailed, match="demo"):
        fetch_wheels(["demo"], tmp_path / "house", folder=FIRST, python="3.11", arch="aarch64")
    assert not (tmp_path / "house" / FIRST).exists()


def test_a_repository_is_not_a_wheel(index: Path, tmp_path: Path) -> None:
    source = tmp_path / "mine"
    source.mkdir()
    (source / "pyproject.toml").write_text('[project]\nname = "mine"\nversion = "1.0"\n')
    shutil.copytree(source, index / "mine")
    wanted = f"mine @ {source.as_uri()}"
    with pytest.raises((ContainerError, CommandFailed), match="mine"):
        fetch_wheels([wanted], tmp_path / "house", folder=FIRST, python="3.11", arch="x86_64")


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ('requires: ["cmake>=3.15", "ninja"]', ("cmake>=3.15", "ninja")),
        ("requires: [1", ()),
        ("gcc requires: []", ()),
        ("requires: nothing", ()),
    ],
)
def test_what_a_backend_asks_for_is_a_line_of_the_log(line: str, asked: tuple[str, ...]) -> None:
    assert asked_in(line) == asked


def test_a_policys_image_has_its_glibc() -> None:
    images = ("manylinux2014", "manylinux_2_34", "localhost/image:x")
    assert [glibc_of(each) for each in images] == ["2.17", "2.34", "2.28"]
