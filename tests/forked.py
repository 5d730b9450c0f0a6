"""Processes that begin with the program imported: one server for each worker imports it once, and forks.

A process of its own tells as much as one that starts from nothing (its signals, its exit status, what it prints), at a
tenth of the cost. That the program starts from nothing is tested where it is what a test is about.
"""

from __future__ import annotations

import multiprocessing
import os
import pkgutil
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import workbench
from workbench.environment import index_url
from workbench.paths import CHECKOUT
from workbench.process import environment

if TYPE_CHECKING:
    from collections.abc import Mapping

FORKSERVER = multiprocessing.get_context("forkserver")
FORKSERVER.set_forkserver_preload(
    [
        "tests.asked_once",
        # pytest: each process looks at the program that started the server, and imports what that imports
        *("pytest", "boto3", "invoke.main", "jinja2", "packaging.metadata", "rich.console", "urllib3"),
        *("tests.publish.workers", "tests.integration.s3.workers"),
        *(each.name for each in pkgutil.walk_packages(workbench.__path__, "workbench.")),
    ]
)


@dataclass(frozen=True)
class Ran:
    """A command that ended: its exit status and what it printed."""

    status: int
    stdout: str
    stderr: str


def typed(*words: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Ran:
    """Run ``invoke`` with these words in a process of its own, `env` added to this process's variables."""
    with tempfile.TemporaryDirectory() as folder:
        printed = [Path(folder) / name for name in ("stdout", "stderr")]
        for each in printed:
            each.touch()  # whatever becomes of the process
        variables = environment(env)
        process = FORKSERVER.Process(
            target=_invoke, args=([*map(str, words)], cwd or Path.cwd(), variables, *printed)
        )
        process.start()
        process.join()
        assert process.exitcode is not None
        return Ran(process.exitcode, *(each.read_text() for each in printed))


def invoke(*words: str | Path, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Ran:
    """Run a verb of this checkout as a user types it."""
    return typed("--search-root", CHECKOUT, *words, cwd=cwd, env=env)


def _invoke(words: list[str], cwd: Path, variables: dict[str, str], stdout: Path, stderr: Path) -> None:
    from invoke.main import program

    if _configure_pip(variables) != _configure_pip(os.environ):
        index_url.cache_clear()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(variables)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, path in ((1, stdout), (2, stderr)):
        os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND), number)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.argv = ["invoke", *words]
    program.run()


def _configure_pip(variables: Mapping[str, str]) -> dict[str, str]:
    return {each: variables[each] for each in variables if each.startswith(("PIP_", "HOME", "XDG_CONFIG_"))}
