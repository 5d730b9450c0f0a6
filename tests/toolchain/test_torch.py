from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from workbench.errors import ToolchainError
from workbench.toolchain.torch import check_cuda

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


def environment(folder: Path, cuda: str) -> Path:
    packages = folder / "lib" / "python3.11" / "site-packages" / "torch"
    packages.mkdir(parents=True)
    (packages / "version.py").write_text(VERSION.format(cuda=cuda))
    return folder


def test_another_minor_release_of_cuda_will_do(tmp_path: Path) -> None:
    check_cuda(tmp_path, compute="cu130")  # no torch, no question
    check_cuda(environment(tmp_path, "'13.2'"), compute="cu130")


@pytest.mark.parametrize(
    ("cuda", "said"), [("'12.8'", "is built for CUDA 12.8"), ("None", "is built for no CUDA")]
)
def test_another_major_release_is_refused(cuda: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(
        ToolchainError, match=rf"torch 2\.11\.0\+x .* {said}, and the wheel is for cu130: name"
    ):
        check_cuda(environment(tmp_path, cuda), compute="cu130")
