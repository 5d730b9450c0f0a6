"""The proof of a publish: what is in the index installs from it, by pip and by uv, and passes its smoke test."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from packaging.utils import parse_wheel_filename

from workbench.build.interpreter import find_interpreter
from workbench.commands.verify import python_of
from workbench.console import step
from workbench.environment import Environment
from workbench.errors import CommandFailed, InstallFailed
from workbench.plan.target import this_arch
from workbench.process import run
from workbench.recipe.load import load
from workbench.registry.file import load as load_registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from workbench.registry.model import PublishedWheel
    from workbench.site import Site

Installer = Literal["pip", "uv"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A published wheel that this machine can try: its package, the Python to try it with, and the file."""

    package: str
    python: str
    wheel: PublishedWheel


def published_cells(site: Site) -> tuple[Cell, ...]:
    """Return a cell for each package and Python that is published for this machine's architecture.

    Of several versions the newest counts; yanked wheels do not. Raises RegistryError.
    """
    newest: dict[tuple[str, str], tuple[object, Cell]] = {}
    for package, wheel in load_registry(site.registry).wheels():
        _, version, _, tags = parse_wheel_filename(wheel.filename)
        here = any(tag.platform == "any" or tag.platform.endswith(f"_{this_arch()}") for tag in tags)
        if wheel.yanked is not None or not here:
            continue
        cell = Cell(package=package, python=python_of(wheel.filename), wheel=wheel)
        key = (package, cell.python)
        if key not in newest or newest[key][0] < version:  # type: ignore[operator] - versions, as packaging gives them
            newest[key] = (version, cell)
    return tuple(cell for _, cell in newest.values())


def prove(cell: Cell, index_url: str, site: Site, *, installers: Sequence[Installer] = ("pip", "uv")) -> None:
    """Install a cell's wheel from an index in a fresh environment for each installer, and run its smoke test.

    The wheel is pinned to the hash in the registry and comes from `index_url` alone; what it requires comes from
    the package index. Raises InstallFailed.
    """
    recipe = load(site.recipes, cell.package)
    name, version, _, _ = parse_wheel_filename(cell.wheel.filename)
    pin = f"{name}=={version} --hash=sha256:{cell.wheel.sha256}\n"
    for installer in installers:
        with (
            step(f"prove {name} {version} {cell.python}: {installer} install, smoke test"),
            tempfile.TemporaryDirectory(prefix="workbench-proof-") as folder,
        ):
            place = Path(folder)
            (place / "pin.txt").write_text(pin)
            try:
                environment = Environment.create(place / "env", python=find_interpreter(cell.python))
                run([*_install(installer, environment), "--default-index" if installer == "uv" else "--index-url",
                     index_url, "--no-deps", "--require-hashes", "-r", place / "pin.txt"], cwd=place)
                environment.install([f"{name}=={version}", *recipe.test_requires])
                environment.run_code(recipe.smoke_test or f"import {recipe.modules[0]}", cwd=place)
            except CommandFailed as error:
                raise InstallFailed(f"{cell.wheel.filename} is published, but {installer} fails: {error}") from error


def _install(installer: Installer, environment: Environment) -> list[str | Path]:
    if installer == "pip":
        return [sys.executable, "-m", "pip", "--python", environment.python, "install", "--quiet", "--no-cache-dir"]
    return ["uv", "pip", "install", "--quiet", "--no-cache", "--python", environment.python]
