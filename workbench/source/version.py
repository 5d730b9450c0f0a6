"""The version that a source tells without being built."""

from __future__ import annotations

import ast
import configparser
import tomllib
from collections.abc import Callable, Mapping
from contextlib import suppress
from email.parser import HeaderParser

from packaging.version import InvalidVersion, Version


def static_version(files: Mapping[str, str]) -> str | None:
    """Return the version (normalised, PEP 440) that files at the top of a source tell, or None.

    `files` are those of `TELLING` that are there, by name. A version that a program works out (setuptools-scm, a
    function in ``setup.py``) is known only once the source is built.
    """
    for name, read in TELLING.items():
        with suppress(InvalidVersion):
            if text := read(files.get(name, "")):
                return str(Version(text))
    return None


def _pyproject(text: str) -> str | None:
    """Return ``project.version`` (PEP 621)."""
    try:
        version = tomllib.loads(text).get("project", {}).get("version")
    except (tomllib.TOMLDecodeError, AttributeError):
        return None
    return version if isinstance(version, str) else None


def _setup_cfg(text: str) -> str | None:
    """Return setuptools' ``metadata.version``; ``attr:`` and ``file:`` are not versions, so they are skipped."""
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
    except configparser.Error:
        return None
    return parser.get("metadata", "version", fallback=None)


def _setup_py(text: str) -> str | None:
    """Return the version that ``setup(version=...)`` is given: a string, or a name that is one at the top level."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return None
    constants = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] == "setup":
            value = next((each.value for each in node.keywords if each.arg == "version"), None)
            if isinstance(value, ast.Name):
                value = constants.get(value.id)
            if isinstance(value, ast.Constant):
                return str(value.value)
    return None


TELLING: dict[str, Callable[[str], str | None]] = {
    "pyproject.toml": _pyproject,
    "setup.cfg": _setup_cfg,
    "setup.py": _setup_py,
    # somebody may keep an unpacked sdist in a repository
    "PKG-INFO": lambda text: HeaderParser().parsestr(text).get("Version"),
}
"""The files that tell a version, the one that counts most first, and how each is read."""
