from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from workbench.builders.interpreter import _uv_find, find_interpreter, interpreter_here
from workbench.errors import ToolMissing
from workbench.process import run

if TYPE_CHECKING:
    from pathlib import Path

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"


def test_the_interpreter_found_is_of_the_version_and_has_headers() -> None:
    found = find_interpreter(HERE)
    done = run([found, "-c", "import sys; print(*sys.version_info[:2], sep='.')"])
    assert done.output.strip() == HERE


def test_what_uv_finds_is_an_interpreter() -> None:
    found = _uv_find(HERE, managed=False)
    assert found is not None
    assert found.is_file()


def test_one_that_is_nowhere_says_how_to_get_it() -> None:
    with pytest.raises(ToolMissing) as caught:
        find_interpreter("3.99")
    for way in ("uv python install 3.99", "apt install python3.99-dev", "pyenv install 3.99"):
        assert way in str(caught.value)
    assert "uv cannot fetch it: No download found for request" in str(caught.value), "uv's own reason"


def test_a_free_threaded_python_is_found_by_its_own_name_and_is_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pyenv's folder of one also has a ``python3.97``, which is the very same interpreter."""
    programs = tmp_path / "versions" / "3.97.0t" / "bin"
    programs.mkdir(parents=True)
    for name in ("python3.97", "python3.97t"):
        (programs / name).write_text("#!/bin/sh\nprintf '3.97t\\nTrue\\n'\n")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    assert find_interpreter("3.97t") == programs / "python3.97t"
    assert interpreter_here("3.97") is None


def test_a_pyenv_that_nobody_may_read_has_no_pythons(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, _pattern: str) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("pathlib.Path.glob", refuse)
    assert interpreter_here("3.98") is None
