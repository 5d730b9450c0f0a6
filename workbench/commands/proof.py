"""The proof of a publish: what is in the index installs from it, by pip and by uv, and passes its smoke test."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal

from packaging.utils import parse_wheel_filename

from workbench.build.interpreter import find_interpreter
from workbench.commands.index import served
from workbench.commands.verify import arch_of, emulated, python_of
from workbench.console import step
from workbench.environment import Environment
from workbench.errors import CommandFailed, InstallFailed, SettingsError
from workbench.index.install import pinned
from workbench.plan.target import this_arch
from workbench.process import run
from workbench.recipe.load import load
from workbench.registry.file import load as load_registry
from workbench.registry.filename import label
from workbench.store.opening import open_store

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from packaging.version import Version

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

    Of several versions the newest counts; yanked wheels do not, nor do those with a variant label, which installers
    pass over. Raises RegistryError.
    """
    newest: dict[tuple[str, str], tuple[Version, Cell]] = {}
    for package, wheel in load_registry(site.registry).wheels():
        if wheel.yanked is not None or label(wheel.filename):
            continue
        _, version, _, tags = parse_wheel_filename(wheel.filename)
        if not any(tag.platform == "any" or tag.platform.endswith(f"_{this_arch()}") for tag in tags):
            continue
        cell = Cell(package=package, python=python_of(wheel.filename), wheel=wheel)
        key = (package, cell.python)
        if key not in newest or newest[key][0] < version:
            newest[key] = (version, cell)
    return tuple(cell for _, cell in newest.values())


def prove(cells: Sequence[Cell], site: Site, *, installers: Sequence[Installer] = ("pip", "uv")) -> None:
    """Install each cell's wheel from the index in a fresh environment for each installer, and run its smoke test.

    The wheel is pinned to the hash in the registry and comes from our index alone: the public one, or without a
    public URL the store's folder, served on loopback. What it requires comes from the package index.

    Raises InstallFailed.
    """
    with _index_url(site) as index_url:
        for cell in cells:
            for installer in installers:
                _prove(cell, index_url, site, installer)


@contextmanager
def _index_url(site: Site) -> Iterator[str]:
    public = site.settings.public_url
    if public:
        yield f"{public.rstrip('/')}/index/simple/"
        return
    folder = open_store(site).folder
    if folder is None:
        raise SettingsError("workbench.yaml: public_url: missing: it says where the world finds the store")
    with served(folder) as url:
        yield url


def _prove(cell: Cell, index_url: str, site: Site, installer: Installer) -> None:
    recipe = load(site.recipes, cell.package)
    name, version, _, _ = parse_wheel_filename(cell.wheel.filename)
    exact = pinned(name, str(version))
    code = recipe.smoke_test or f"import {recipe.modules[0]}"
    arch = arch_of(cell.wheel.filename)
    with (
        step(f"prove {name} {version} {arch} on Python {cell.python}: {installer} installs it") as at,
        TemporaryDirectory(prefix="workbench-proof-") as folder,
    ):
        place = Path(folder)
        pin = place / "requirements.txt"
        pin.write_text(f"{exact} --hash=sha256:{cell.wheel.sha256}\n")
        exactly: list[str | Path] = ["--no-deps", "--require-hashes", "-r", pin]
        try:
            if arch == this_arch():
                environment = Environment.create(place / "env", python=find_interpreter(cell.python))
                run([*_installing(installer, index_url, ["--python", environment.python]), *exactly])
                environment.install([exact, *recipe.test_requires])
                environment.run_code(code, cwd=place)
            else:
                packages = place / "packages"
                run([*_installing(installer, index_url, _foreign(installer, cell, arch, packages)), *exactly])
                python = emulated(cell.python, arch, site)
                if python is None:
                    at.outcome = "not run: no Python of that architecture here"
                    return
                (installed,) = distributions(name=name, path=[str(packages)])
                requires = installed.requires or []
                python.install([*requires, *recipe.test_requires], packages)
                python.run_code(code, packages=packages, cwd=place)
            at.outcome = "the smoke test passes"
        except CommandFailed as error:
            raise InstallFailed(
                f"{cell.wheel.filename} is published, but does not install with {installer}: {error}"
            ) from error


def _installing(installer: Installer, index_url: str, where: Sequence[str | Path]) -> list[str | Path]:
    if installer == "uv":
        return ["uv", "pip", "install", "--quiet", "--no-cache", "--default-index", index_url, *where]
    pip: list[str | Path] = [sys.executable, "-m", "pip"]
    if where[0] == "--python":  # pip takes it before its verb
        pip, where = [*pip, *where], ()
    return [*pip, "install", "--quiet", "--no-cache-dir", "--index-url", index_url, *where]


def _foreign(installer: Installer, cell: Cell, arch: str, packages: Path) -> list[str | Path]:
    """Return the options with which an installer installs for another machine, into a folder."""
    into: list[str | Path] = ["--target", packages, "--only-binary", ":all:", "--python-version", cell.python]
    if installer == "uv":
        return [*into, "--python-platform", f"{arch}-manylinux_2_40"]
    *_, tags = parse_wheel_filename(cell.wheel.filename)
    return [*into, *(word for tag in tags for word in ("--platform", tag.platform))]
