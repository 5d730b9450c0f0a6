"""The checks. ``nox`` runs all but `verify` and `heavy`; ``nox -s verify`` checks what is published.

The sessions that test the checkout run in its own environment (``./inv`` makes it); those that install what is
published get fresh ones.
"""

from __future__ import annotations

import sys
from pathlib import Path

import nox

sys.path.insert(0, str(Path(__file__).parent))  # nox puts no root there

from workbench.errors import WorkbenchError
from workbench.pipeline.proof import Cell, prove, published_cells
from workbench.site import Site

nox.needs_version = ">=2026.10"
nox.options.sessions = ["lint", "typing", "tests"]
nox.options.error_on_missing_interpreters = True
nox.options.default_venv_backend = "none"


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff: rules and formatting."""
    session.run("ruff", "check", ".", *session.posargs)
    session.run("ruff", "format", "--check", ".")


@nox.session
def typing(session: nox.Session) -> None:
    """Mypy, strictly."""
    session.run("mypy", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """The test suite; a folder or a ``-k`` may follow ``--``."""
    session.run("pytest", "-n", "auto", "--dist", "worksteal", *session.posargs)


def cells() -> dict[str, Cell | WorkbenchError]:
    """Return what is published, by package and Python; or the error that keeps it from being read.

    The sessions that need nothing published run all the same.
    """
    try:
        return {f"{cell.package}-{cell.python}": cell for cell in published_cells(Site.here())}
    except WorkbenchError as error:
        return {"what is published": error}


@nox.session
@nox.parametrize("cell", [nox.param(cell, id=name) for name, cell in cells().items()])
def verify(session: nox.Session, cell: Cell | WorkbenchError) -> None:
    """Install a published package from the index in a fresh environment, by pip and by uv, and smoke-test it."""
    if isinstance(cell, WorkbenchError):
        session.error(str(cell))
    session.log(f"{cell.wheel.filename} ({cell.wheel.sha256})")
    try:
        prove([cell], Site.here())
    except WorkbenchError as error:
        session.error(str(error))


@nox.session
def heavy(session: nox.Session) -> None:
    """Build, repair and verify what compiles for long; prints the rows of docs/built.md."""
    session.run("python", "benchmarks/heavy.py", *session.posargs)


@nox.session(name="real-wheels")
def real_wheels(session: nox.Session) -> None:
    """Download large wheels of the package index, one at a time, and read each as ``verify`` does; gigabytes."""
    session.run("python", "benchmarks/real_wheels.py", *session.posargs)
