"""The proof of a publish: what is in the index installs from it, by pip and by uv, and passes its smoke test."""

from __future__ import annotations

import hashlib
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Literal, get_args

from packaging.utils import parse_wheel_filename

from workbench.builders.interpreter import find_interpreter
from workbench.console import step
from workbench.environment import Environment
from workbench.errors import CommandFailed, InstallFailed, SettingsError
from workbench.files import write_whole
from workbench.index.install import pinned
from workbench.index.serve import served
from workbench.make.verification import arch_of, emulated, python_of
from workbench.plan.target import this_arch
from workbench.process import run
from workbench.recipe.load import load, names
from workbench.registry.file import load as load_registry
from workbench.store.opening import open_store
from workbench.wheel import record
from workbench.wheel.filename import label

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from importlib.metadata import Distribution

    from packaging.version import Version

    from workbench.recipe.model import Recipe
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


def prove(cells: Sequence[Cell], site: Site) -> None:
    """Install each cell's wheel from the index in a fresh environment for each installer, and run its smoke test.

    The wheel is pinned to the hash in the registry and comes from our index alone: the public one, or without a
    public URL the store's folder, served on loopback. What it requires comes from the package index. Where its package
    has no recipe, its modules are imported. That a wheel was proved is kept, for `unproved`.

    Raises InstallFailed; ToolMissing without the cell's Python.
    """
    if not cells:
        return
    with _index_url(site) as index_url:
        for cell in cells:
            for installer in get_args(Installer):
                _prove(cell, index_url, site, installer)
            write_whole(_mark(cell, site), cell.wheel.sha256)


def unproved(cells: Sequence[Cell], site: Site) -> tuple[Cell, ...]:
    """Return those cells that were never proved here against the site's store: a proof failed, or was ended."""
    return tuple(cell for cell in cells if _kept(_mark(cell, site)) != cell.wheel.sha256)


def _mark(cell: Cell, site: Site) -> Path:
    """Return the file that says which bytes of a wheel were proved. A folder for each place that it may lie in."""
    place = f"{open_store(site).place} {site.settings.public_url or ''}"
    return site.state / "proved" / hashlib.sha256(place.encode()).hexdigest()[:16] / cell.wheel.filename


def _kept(mark: Path) -> str | None:
    try:
        return mark.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None


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
    recipe = load(site.recipes, cell.package) if cell.package in names(site.recipes) else None
    test_requires = recipe.test_requires if recipe else ()
    name, version, _, _ = parse_wheel_filename(cell.wheel.filename)
    exact = pinned(name, str(version))
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
                environment.install([exact, *test_requires])
                (packages,) = environment.path.glob("lib/python*/site-packages")
                environment.run_code(_code(recipe, _installed(name, packages)), cwd=place)
            else:
                packages = place / "packages"
                run([*_installing(installer, index_url, _foreign(installer, cell, arch, packages)), *exactly])
                python = emulated(cell.python, arch, site)
                if python is None:
                    at.outcome = "not run: no Python of that architecture here"
                    return
                installed = _installed(name, packages)
                python.install([*(installed.requires or []), *test_requires], packages)
                python.run_code(_code(recipe, installed), packages=packages, cwd=place)
            at.outcome = "the smoke test passes" if recipe else "its modules import"
        except CommandFailed as error:
            raise InstallFailed(
                f"{cell.wheel.filename} is published, but does not install with {installer}: {error}"
            ) from error


def _installed(name: str, packages: Path) -> Distribution:
    (installed,) = distributions(name=name, path=[str(packages)])
    return installed


def _code(recipe: Recipe | None, installed: Distribution) -> str:
    """Return the code that shows that what is installed works."""
    if recipe is None:
        modules = record.modules(map(str, installed.files or ()))
        return f"import {', '.join(modules)}" if modules else ""
    return recipe.smoke_code


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
