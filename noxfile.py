"""The checks. ``nox`` runs all but `verify`, for what is published, and what is long (`shelf`, `heavy`, `fleet` ...).

The sessions that test the checkout run in its own environment (``./inv`` makes it); those that install what is
published get fresh ones.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import nox

sys.path.insert(0, str(Path(__file__).parent))  # nox puts no root there

from workbench.console import listening
from workbench.errors import IndexCheckFailed, WorkbenchError
from workbench.paths import Paths
from workbench.pipeline.proof import Proof, prove, published_here
from workbench.settings import read_settings
from workbench.store.opening import open_site

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
"""With it every process of a session would compile what it imports anew: three quarters of its time."""

nox.needs_version = ">=2026.10"
nox.options.sessions = ["lint", "typing", "workflows", "tests"]
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
def workflows(session: nox.Session) -> None:
    """Actionlint and zizmor on this repository's workflows."""
    session.run("actionlint")
    session.run("zizmor", "--offline", "--persona", "pedantic", ".")


@nox.session
def tests(session: nox.Session) -> None:
    """The test suite; a folder or a ``-k`` may follow ``--``."""
    session.run("pytest", "-n", WORKERS, "--dist", "worksteal", *session.posargs)


WORKERS = str((os.cpu_count() or 1) + 2)
"""More than there are processors: much of what is tested is to wait for other programs."""

QUICK = (
    *("tests/wheel", "tests/plan", "tests/patches", "tests/simple", "tests/registry", "tests/store"),
    *("tests/verify/test_archive.py", "tests/verify/test_checks.py", "tests/recipe/test_load.py"),
    *("tests/index/test_channel.py", "tests/index/test_availability.py", "tests/verbs/test_pick.py"),
    *("tests/test_settings.py", "tests/test_strict.py", "tests/test_docs.py", "tests/test_errors.py"),
    *("tests/test_files.py", "tests/test_http.py", "tests/test_url.py", "tests/test_architecture.py"),
)
"""Tests that need no compiler and no network but loopback, and little time."""


@nox.session
def quick(session: nox.Session) -> None:
    """Lint, types, and the tests that need no compiler and no network."""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")
    outside = ("-k", "not cuobjdump")  # which is downloaded, and what it reads
    session.run("pytest", "-n", WORKERS, "-m", "not needs and not long", *outside, *QUICK, *session.posargs)


def published() -> dict[str, Proof | str | WorkbenchError]:
    """Return what there is to verify, by package and Python, and what to say of the rest.

    An error that keeps it from being read is told by the session that needs it; the others run all the same.
    """
    try:
        proofs, others = published_here(Paths.here())
    except WorkbenchError as error:
        return {"what is published": error}
    found: dict[str, Proof | str | WorkbenchError] = {
        f"{each.package}-{each.python}": each for each in proofs
    }
    if others:
        said = f"not for this machine, so not checked here: {', '.join(others)}"
        found["elsewhere"] = said if proofs else IndexCheckFailed(f"nothing was checked: {said}")
    return found or {"nothing": "nothing is published, so there is nothing to check"}


@nox.session
@nox.parametrize("what", [nox.param(what, id=name) for name, what in published().items()])
def verify(session: nox.Session, what: Proof | str | WorkbenchError) -> None:
    """Install a published package from the index in a fresh environment, by pip and by uv, and smoke-test it."""
    match what:
        case WorkbenchError():
            session.error(str(what))
        case str():
            session.log(what)
        case Proof():
            session.log(f"{what.wheel.filename} ({what.wheel.sha256})")
            try:
                paths = Paths.here()
                settings = read_settings(paths)
                with listening():
                    prove([what], *open_site(paths, settings))
            except WorkbenchError as error:
                session.error(str(error))


@nox.session
def shelf(session: nox.Session) -> None:
    """Fetch, patch and prepare the metadata of each shipped recipe, in one environment with torch; nothing compiles."""
    session.run("python", "benchmarks/shelf.py", *session.posargs)


@nox.session
def heavy(session: nox.Session) -> None:
    """Build, repair and verify what compiles for long; writes the rows of docs/built.md."""
    session.run("python", "benchmarks/heavy.py", *session.posargs)


@nox.session
def reproducible(session: nox.Session) -> None:
    """Build packages of the shelf twice, in two folders, and compare the wheels byte by byte; rows of docs/trust.md."""
    session.run("python", "benchmarks/reproducible.py", "--table", "docs/trust.md", *session.posargs)


@nox.session(name="real-wheels")
def real_wheels(session: nox.Session) -> None:
    """Download large wheels of the package index, one at a time, and read each as ``verify`` does; gigabytes."""
    session.run("python", "benchmarks/real_wheels.py", *session.posargs)


@nox.session
def fleet(session: nox.Session) -> None:
    """Many builds for real: too little memory (control groups of version 1), machines by SSH, Slurm; root, minutes."""
    session.run("python", "benchmarks/memory.py", *session.posargs)
    # under CI a missing program is a failure: tests/fleet/setup installs them
    strictly = {"WORKBENCH_FLEET": "1", "CI": "true"}
    session.run("pytest", "tests/fleet/test_ssh.py", "tests/fleet/test_slurm.py", env=strictly)
