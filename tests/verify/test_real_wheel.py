"""One of the wheels of ``nox -s real-wheels``, in every run: it has 4,260 members."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from workbench.process import run
from workbench.verify import archive
from workbench.verify.checks import check

if TYPE_CHECKING:
    from pathlib import Path


def test_a_large_wheel_of_the_package_index_is_sound(tmp_path: Path) -> None:
    only = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check"]
    platform = "--platform=manylinux2014_x86_64"
    run([sys.executable, "-m", "pip", "download", *only, platform, "--dest", tmp_path, "cmake==4.4.5"])
    (path,) = tmp_path.iterdir()
    contents = archive.read(path)
    assert len(contents.members) > 4000
    assert check(contents, ("cmake",)).findings == ()
