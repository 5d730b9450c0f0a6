from __future__ import annotations

import sys

import pytest

from workbench.builders.interpreter import _uv_find, find_interpreter
from workbench.errors import ToolMissing
from workbench.process import run

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
