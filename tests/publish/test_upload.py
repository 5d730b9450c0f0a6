from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from workbench.errors import UsageError
from workbench.make.verification import verified

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.paths import Paths


def test_a_wheel_without_a_recipe_is_told_before_anything_is_verified(paths: Paths, tmp_path: Path) -> None:
    wheel = tmp_path / "unknown-1.0-py3-none-any.whl"
    wheel.write_bytes(b"whatever it is, it is not read")
    with pytest.raises(UsageError, match=r"unknown has no recipe.*invoke add-package unknown"):
        verified([wheel], paths)
