"""Find the Python that a wheel is built for and tested with."""

from __future__ import annotations

import json
import os
import re
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import ToolMissing
from workbench.events import step
from workbench.process import run

if TYPE_CHECKING:
    from workbench.process import Completed

_PROBE = """
import pathlib, sys, sysconfig
print("%d.%d" % sys.version_info[:2] + ("t" if sysconfig.get_config_var("Py_GIL_DISABLED") else ""))
print(pathlib.Path(sysconfig.get_path("include"), "Python.h").is_file())
"""


@cache
def find_interpreter(python: str) -> Path:
    """Return an interpreter of a Python (``3.12``, ``3.13t``) that extensions can be built with.

    Looked for among those that uv finds and pyenv's; where there is none, uv fetches one. Raises ToolMissing,
    with the ways to get it, when that fails too.
    """
    here, has_headers = _on_this_machine(python)
    if here and has_headers:
        return here
    with step(f"fetch Python {python}") as at:
        fetched = run(["uv", "python", "install", "--no-progress", python], check=False)
        if fetched.status == 0 and (found := _uv_find(python, managed=True)):
            return found
        at.fail("uv cannot")
    why = _reason(fetched)
    if here:
        raise ToolMissing(
            f"Python {python} at {here} has no headers (Python.h), and uv cannot fetch another: {why}\n"
            f"Install them with 'apt install python{python}-dev'"
        )
    raise ToolMissing(
        f"Python {python} is not on this machine, and uv cannot fetch it: {why}\n"
        f"Get it with 'uv python install {python}' where the network allows, 'apt install python{python}-dev', "
        f"or 'pyenv install {python}'"
    )


def pythons_here() -> tuple[str, ...]:
    """Return the Pythons (``3.12``, ``3.13t``) that are on this machine by their names, none of them started."""
    listed = run(
        ["uv", "python", "list", "--only-installed", "--output-format=json", "--no-python-downloads"],
        check=False,
        stdout_only=True,
    )
    found = json.loads(listed.output) if listed.status == 0 else []
    minors = {
        (each["version_parts"]["major"], each["version_parts"]["minor"], each["variant"] == "freethreaded")
        for each in found
        if each["implementation"] == "cpython"
    }
    with suppress(PermissionError):  # as below
        for path in _pyenv().glob("3.*/bin/python3.*"):
            if name := re.fullmatch(r"python3\.(\d+)(t?)", path.name):
                minors.add((3, int(name[1]), bool(name[2])))
    return tuple(f"{major}.{minor}{'t' * threads}" for major, minor, threads in sorted(minors))


def interpreter_here(python: str) -> Path | None:
    """Return an interpreter of a Python that is on this machine, with headers or without, or None."""
    return _on_this_machine(python)[0]


@cache
def _on_this_machine(python: str) -> tuple[Path | None, bool]:
    """Return an interpreter of a Python and whether it has headers; one that has them where there is one."""
    without_headers = None
    for candidate in _candidates(python):
        probe = run([candidate, "-I", "-c", _PROBE], check=False, stdout_only=True).output.split()
        if probe == [python, "True"]:
            return candidate, True
        if probe[:1] == [python]:
            without_headers = without_headers or candidate
    return without_headers, False


def _reason(fetched: Completed) -> str:
    """Return uv's own words: its error, and the last of the causes behind it."""
    said = [line.strip() for line in fetched.output.splitlines()]
    error = [line.removeprefix("error: ") for line in said if line.startswith("error: ")]
    causes = [line.removeprefix("cause: ") for line in said if line.startswith("cause: ")]
    return ": ".join([*error[:1], *causes[-1:]]) or f"it ended with {fetched.status}"


def _candidates(python: str) -> list[Path]:
    name = f"python{python}"
    found = [Path(sys.base_prefix) / "bin" / name, _uv_find(python, managed=False)]
    with suppress(PermissionError):  # somebody else's, who shows it to nobody
        found += sorted(_pyenv().glob(f"{python.removesuffix('t')}.*/bin/{name}"))
    return [path for path in found if path and os.access(path, os.X_OK)]


def _pyenv() -> Path:
    return Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"


def _uv_find(python: str, *, managed: bool) -> Path | None:
    preference = "only-managed" if managed else "system"
    argv = ["uv", "python", "find", "--system", "--no-project", "--no-python-downloads"]
    found = run([*argv, "--python-preference", preference, python], check=False, stdout_only=True)
    return Path(found.output.strip()) if found.status == 0 else None
