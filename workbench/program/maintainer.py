"""``workbench``: the commands of ``tasks.py`` from any folder, without a checkout."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location

from invoke import main as invoke
from invoke.program import Program

from workbench import __version__
from workbench.paths import SHIPPED


def main() -> None:
    """Run a command line, as ``invoke`` does in a checkout."""
    spec = spec_from_file_location("tasks", SHIPPED / "tasks.py")
    assert spec is not None  # noqa: S101 - it is a Python file
    assert spec.loader is not None  # noqa: S101
    tasks = module_from_spec(spec)
    spec.loader.exec_module(tasks)
    # in place of Invoke's own program, where the commands find what flags and files of Invoke's say
    invoke.program = Program(
        namespace=tasks.namespace, name="workbench", binary="workbench", version=__version__
    )
    invoke.program.run()
