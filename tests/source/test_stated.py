from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from workbench.source.setup_script import read_scripts
from workbench.source.stated import read_stated

if TYPE_CHECKING:
    from pathlib import Path

PYPROJECT = '[project]\nname = "x"\nversion = "1.2"\n'
SETUP_CFG = "[metadata]\nversion = 2.0\n"
SETUP_PY = "from setuptools import setup\nsetup(name='x', version='3.0')\n"
PKG_INFO = "Metadata-Version: 2.1\nName: x\nVersion: 4.0\n"


def version_of(files: dict[str, str], tree: Path) -> str | None:
    for name, text in files.items():
        (tree / name).write_text(text)
    return read_stated(tree, read_scripts(tree)).version


@pytest.mark.parametrize(
    ("files", "version"),
    [
        ({"pyproject.toml": PYPROJECT}, "1.2"),
        ({"pyproject.toml": PYPROJECT.replace("1.2", "v1.2.RC1")}, "1.2rc1"),
        ({"setup.cfg": SETUP_CFG}, "2.0"),
        ({"setup.py": SETUP_PY}, "3.0"),
        ({"setup.py": "import setuptools\nV = '3.1'\nsetuptools.setup(version=V)\n"}, "3.1"),
        ({"PKG-INFO": PKG_INFO}, "4.0"),
        (
            {
                "PKG-INFO": PKG_INFO,
                "setup.py": SETUP_PY,
                "setup.cfg": SETUP_CFG,
                "pyproject.toml": PYPROJECT,
            },
            "4.0",
        ),
        ({".git": "gitdir: x", "PKG-INFO": PKG_INFO, "setup.cfg": SETUP_CFG}, "2.0"),
        ({"pyproject.toml": '[project]\ndynamic = ["version"]\n', "setup.py": SETUP_PY}, "3.0"),
        ({"setup.cfg": "[metadata]\nversion = attr: x.__version__\n", "setup.py": SETUP_PY}, "3.0"),
    ],
    ids=lambda value: ", ".join(value) if isinstance(value, dict) else value,
)
def test_a_version_that_is_written_down(files: dict[str, str], version: str, tmp_path: Path) -> None:
    assert version_of(files, tmp_path) == version


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"pyproject.toml": "[build-system]\n"},
        {"pyproject.toml": "project = 5\n"},
        {"pyproject.toml": "[project]\nversion = 5\n"},
        {"pyproject.toml": "not TOML ["},
        {"setup.cfg": "version = 1\n"},
        {"setup.cfg": "[metadata]\nversion = file: VERSION\n"},
        {"setup.py": "from setuptools import setup\nsetup(version=get_version())\n"},
        {"setup.py": "from setuptools import setup\nsetup(version=elsewhere)\n"},
        {"setup.py": "print 'Python 2'\n"},
        {"setup.py": "x = dict(version='1.0')\n"},
        {"PKG-INFO": "Name: x\n"},
    ],
    ids=str,
)
def test_a_version_that_only_a_build_tells(files: dict[str, str], tmp_path: Path) -> None:
    assert version_of(files, tmp_path) is None
