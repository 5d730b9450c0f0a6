from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.wheels import files_of, pack
from workbench.errors import ToolchainError
from workbench.toolchain.torch import check_cuda, unpack

if TYPE_CHECKING:
    from pathlib import Path

VERSION = """\
from typing import Optional

__all__ = ['__version__', 'debug', 'cuda', 'git_version', 'hip', 'rocm', 'xpu']
__version__ = '2.11.0+x'
debug = False
cuda: Optional[str] = {cuda}
git_version = 'abc'
hip: Optional[str] = None
"""


def package(folder: Path, cuda: str) -> Path:
    (folder / "version.py").write_text(VERSION.format(cuda=cuda))
    return folder


def test_another_minor_release_of_cuda_will_do(tmp_path: Path) -> None:
    check_cuda(package(tmp_path, "'13.2'"), compute="cu130", arch="x86_64")


@pytest.mark.parametrize(
    ("cuda", "said"), [("'12.8'", "is built for CUDA 12.8"), ("None", "is built for no CUDA")]
)
def test_another_major_release_is_refused(cuda: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(
        ToolchainError,
        match=rf"torch 2\.11\.0\+x of the package index for aarch64 {said}, and the wheel is for cu130: name",
    ):
        check_cuda(package(tmp_path, cuda), compute="cu130", arch="aarch64")


def index(folder: Path, version: str, cuda: str) -> str:
    """Make a package index that has one torch, for aarch64, and return its URL."""
    project = folder / "torch"
    project.mkdir(parents=True)
    tag = "cp311-cp311-manylinux_2_28_aarch64"
    files = files_of(
        name="torch",
        version=version,
        tag=tag,
        payload={"torch/version.py": VERSION.format(cuda=cuda).encode()},
    )
    made = pack(project / f"torch-{version}-{tag}.whl", files)
    (project / "index.html").write_text(f'<a href="{quote(made.name)}">{made.name}</a>')
    return folder.as_uri()


def test_the_torches_of_two_indexes_are_not_taken_for_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    indexes = {
        "12.8": index(tmp_path / "old", "2.11.0", "'12.8'"),
        "13.0": index(tmp_path / "new", "2.11.0+cu130", "'13.0'"),
        "13.2": index(tmp_path / "newer", "2.11.0", "'13.2'"),
    }
    homes: dict[str, Path] = {}
    for cuda, url in [*indexes.items(), *indexes.items()]:
        monkeypatch.setenv("UV_DEFAULT_INDEX", url)
        home = unpack("2.11.0", python="3.11", arch="aarch64", cache=tmp_path / "cache")
        assert f"'{cuda}'" in (home / "version.py").read_text()
        assert homes.setdefault(cuda, home) == home
    assert len(set(homes.values())) == len(indexes)


def test_a_release_that_the_index_has_not_is_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", index(tmp_path / "simple", "2.11.0", "'13.0'"))
    with pytest.raises(
        ToolchainError, match=r"no torch==2\.12\.0 for Python 3\.11 on aarch64, which the wheel"
    ):
        unpack("2.12.0", python="3.11", arch="aarch64", cache=tmp_path / "cache")
