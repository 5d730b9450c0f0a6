"""The smoke test: the wheel in a fresh environment, far from any source tree."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.builders import isolation
from workbench.environment import Environment
from workbench.errors import CommandFailed
from workbench.files import temporary
from workbench.toolchain.emulated import EmulatedPython
from workbench.troubles import with_meaning
from workbench.verify.report import Finding

if TYPE_CHECKING:
    from workbench.process import Completed, Variables
    from workbench.verify.report import Expectation


_ENDED = ("\nfailed with ", "\nwas killed by signal ")
"""What stands between a command and what it printed, in the error of one that failed."""


def smoke_test(
    request: Expectation, *, python: Path | EmulatedPython, imports: Sequence[str]
) -> Finding | None:
    """Install a wheel, its requirements and `test_requires`; import its modules; run the code of `smoke_test`.

    `imports` are what import statements name: a module, or several where one must be imported before another.
    `python` is an interpreter of this machine, or one of the wheel's own architecture that runs under qemu.

    Each is a process of its own, so that one module cannot lean on another. It ends at the first
    that fails: the finding says which it was and quotes what was printed. Where this machine can isolate programs, the
    code sees no network, no home but an empty one, and no variables of the caller's.
    """
    with temporary() as folder:
        at = "install"
        try:
            run_code = _prepare(python, folder, [request.path.resolve(), *request.test_requires])
            for names in imports:
                at = f"import {names}"
                run_code(at)
            if request.smoke_test:
                at = "smoke_test"
                run_code(request.smoke_test)
        except CommandFailed as error:
            said = str(error)
            if at == "smoke_test":  # the command has all of its code, and would fill a screen
                said = said[max(map(said.rfind, _ENDED)) + 1 :]
            return Finding(check="smoke", where=at, what=with_meaning(said))
    return None


def _prepare(
    python: Path | EmulatedPython, folder: Path, requirements: Sequence[str | Path]
) -> Callable[[str], Completed]:
    """Install requirements for a Python, apart from all others, and return what runs code there."""
    if isinstance(python, EmulatedPython):
        packages = folder / "packages"
        python.install(requirements, packages)
        return alone(python, folder, packages=packages)
    environment = Environment.create(folder / "env", python=python)
    environment.install(requirements)
    return alone(environment, folder)


def alone(
    python: Environment | EmulatedPython, folder: Path, *, packages: Path | None = None
) -> Callable[[str], Completed]:
    """Return what runs code where it sees its packages, an empty folder and an empty home, both below `folder`.

    It has no network and none of the caller's variables. The packages are those of the environment, or lie in a folder
    for an emulated Python. Where this machine can isolate nothing, the code only starts in the empty folder.
    """
    cwd, home = folder / "empty", folder / "home"
    cwd.mkdir()
    if isinstance(python, EmulatedPython):
        assert packages is not None  # noqa: S101 - it has no packages of its own
        env, under = _apart(packages, [python.root], cwd, home)
        return lambda code: python.run_code(code, packages=packages, cwd=cwd, env=env, under=under)
    env, under = _apart(python.path, [*isolation.interpreter_of(python.python)], cwd, home)
    # what Python compiles must not go into files that other environments have as well
    options = ("-X", f"pycache_prefix={home / 'pycache'}") if under else ()
    return lambda code: python.run_code(code, cwd=cwd, env=env, under=under, options=options)


_DEVICES = ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "LD_LIBRARY_PATH")
_PROCESSORS = ("OMP_NUM_THREADS", "OPENBLAS_CORETYPE")
"""Variables by which libraries find their way on this machine."""


def _apart(packages: Path, reads: Sequence[Path], cwd: Path, home: Path) -> tuple[Variables, tuple[str, ...]]:
    """Return the variables and the words before a program that isolate it; none where nothing can be isolated.

    It sees the folder of packages, and may write in `cwd` and in a fresh `home`.
    """
    if isolation.why_not():
        return None, ()
    home.mkdir()
    own_folders = {str(each): each for each in (cwd, home)}
    room = isolation.Room(own=own_folders, kept={str(packages): packages}, reads=tuple(reads), gpu=True)
    own = {name: os.environ[name] for name in (*_DEVICES, *_PROCESSORS) if name in os.environ}
    usual = isolation.usual_variables(isolated=True, network=False)
    return dict.fromkeys(os.environ) | usual | own | {"HOME": str(home)}, room.words(str(cwd))
