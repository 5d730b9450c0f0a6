"""The smoke test: the wheel in a fresh environment, far from any source tree."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.environment import Environment
from workbench.errors import CommandFailed
from workbench.verify.report import Finding

if TYPE_CHECKING:
    from collections.abc import Sequence


def smoke_test(
    wheel: Path, *, python: Path, modules: Sequence[str], code: str, test_requires: Sequence[str]
) -> tuple[Finding, ...]:
    """Install a wheel, its requirements and `test_requires`; import its modules; run `code`.

    Each module is imported in a process of its own, so that one cannot lean on another. It ends at the first
    that fails: the finding says which it was and quotes what was printed.
    """
    with tempfile.TemporaryDirectory(prefix="smoke-") as name:
        folder = Path(name)
        empty = folder / "empty"
        empty.mkdir()
        at = "install"
        try:
            environment = Environment.create(folder / "env", python=python)
            environment.install([wheel.resolve(), *test_requires])
            for module in modules:
                at = f"import {module}"
                environment.run_code(at, cwd=empty)
            if code:
                at = "smoke_test"
                environment.run_code(code, cwd=empty)
        except CommandFailed as error:
            return (Finding(check="smoke", where=at, what=str(error)),)
    return ()
