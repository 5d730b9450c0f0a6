"""The proof of a publish: what is in the index installs from it, by pip and by uv, and passes its smoke test."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from workbench.builders.interpreter import find_interpreter
from workbench.environment import Environment
from workbench.errors import CommandFailed, InstallFailed, SettingsError, ToolMissing
from workbench.events import step
from workbench.files import content_of, temporary, write_whole
from workbench.index.install import pinned
from workbench.index.serve import LOOPBACK, served
from workbench.plan.target import this_arch
from workbench.process import run
from workbench.recipe.load import maker_of
from workbench.registry.file import load as load_registry
from workbench.store.layout import SIMPLE
from workbench.toolchain.emulated import EmulatedPython
from workbench.verify.pythons import choose, own_cell
from workbench.verify.smoke import alone
from workbench.wheel import record
from workbench.wheel.filename import parse_wheel
from workbench.wheel.serves import Audience

if TYPE_CHECKING:
    from importlib.metadata import Distribution

    from workbench.paths import Paths
    from workbench.recipe.model import Recipe
    from workbench.registry.model import PublishedWheel
    from workbench.settings import Settings
    from workbench.store.protocol import Store

Installer = Literal["pip", "uv"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A published wheel that is to be proved: its package, the Python and the architecture to try it with."""

    package: str
    python: str
    arch: str
    wheel: PublishedWheel


def published_here(paths: Paths) -> tuple[tuple[Proof, ...], tuple[str, ...]]:
    """Return a proof for each package and Python that is published for this machine, and the wheels for others.

    Of several versions the newest counts; yanked wheels do not. Raises RegistryError.
    """
    newest: dict[tuple[str, str], Proof] = {}
    others = []
    wheels = load_registry(paths.registry).wheels()
    for package, wheel in sorted(
        wheels, key=lambda each: parse_wheel(each[1].filename).version, reverse=True
    ):
        if wheel.yanked is not None:
            continue
        own = own_cell(Audience.of(wheel.filename, wheel.requires_python))
        if own is None or own[1] != this_arch():
            others.append(wheel.filename)
            continue
        proof = Proof(package=package, python=own[0], arch=own[1], wheel=wheel)
        newest.setdefault((package, proof.python), proof)
    return tuple(newest[key] for key in sorted(newest)), tuple(sorted(others))


def prove(proofs: Sequence[Proof], paths: Paths, settings: Settings, store: Store) -> None:
    """Install each wheel from the index in a fresh environment for each installer, and run its smoke test.

    The wheel is pinned to the hash in the registry and comes from our index alone: the public one, or without a
    public URL the store's folder, served on loopback. What it requires comes from the package index. Where its
    package has no recipe, its modules are imported. This code runs as that of verification does: isolated. That a
    wheel was proved is kept, for `unproved`.

    Raises InstallFailed; ToolMissing without the Python.
    """
    if not proofs:
        return
    with _index_url(settings, store) as index_url:
        for proof in proofs:
            for installer in get_args(Installer):
                _prove(proof, index_url, paths, installer)
            write_whole(_mark(proof, paths, settings, store), proof.wheel.sha256)


def unproved(proofs: Sequence[Proof], paths: Paths, settings: Settings, store: Store) -> tuple[Proof, ...]:
    """Return those that were never proved here against the site's store: a proof failed, or was ended."""
    return tuple(
        each
        for each in proofs
        if content_of(_mark(each, paths, settings, store)) != each.wheel.sha256.encode()
    )


def _mark(proof: Proof, paths: Paths, settings: Settings, store: Store) -> Path:
    """Return the file that says which bytes of a wheel were proved. A folder for each place that it may lie in."""
    place = f"{store.place} {settings.public_url or ''}"
    folder = paths.state / "proved" / hashlib.sha256(place.encode()).hexdigest()[:16]
    return folder / f"{proof.wheel.filename}.{proof.python}-{proof.arch}"


@contextmanager
def _index_url(settings: Settings, store: Store) -> Iterator[str]:
    if settings.public_url:
        yield f"{settings.public_url}/{SIMPLE}"
        return
    folder = store.folder
    if folder is None:
        raise SettingsError("workbench.yaml: public_url: missing: it says where the world finds the store")
    with served(folder) as url:
        yield url


def _prove(proof: Proof, index_url: str, paths: Paths, installer: Installer) -> None:
    parsed = parse_wheel(proof.wheel.filename)
    recipe = maker_of(paths.recipes, proof.package, parsed.version)
    test_requires = recipe.test_requires if recipe else ()
    exact = pinned(parsed.name, str(parsed.version))
    title = f"prove {parsed.name} {parsed.version} {proof.arch} on Python {proof.python}"
    with (
        step(f"{title}: {installer} installs it") as at,
        temporary() as place,
    ):
        audience = Audience.of(proof.wheel.filename, proof.wheel.requires_python)
        chosen = choose(audience, [(proof.python, proof.arch)], cache=paths.cache)
        if chosen.missing:
            raise ToolMissing(chosen.missing)
        pin = place / "requirements.txt"
        pin.write_text(f"{exact} --hash=sha256:{proof.wheel.sha256}\n")
        exactly: list[str | Path] = ["--no-deps", "--require-hashes", "-r", pin]

        def install(where: Sequence[str | Path]) -> None:
            run([*_installing(installer, index_url, where), *exactly], env=_past_proxies())

        try:
            if proof.arch == this_arch() and chosen.pythons:
                environment = Environment.create(place / "env", python=find_interpreter(proof.python))
                install(["--python", environment.python])
                environment.install([exact, *test_requires])
                (packages,) = environment.path.glob("lib/python*/site-packages")
                alone(environment, place)(_code(recipe, _installed(parsed.name, packages)))
            else:
                packages = place / "packages"
                install(_described(installer, proof, packages))
                if not chosen.pythons:
                    at.outcome = f"not run: {' '.join(chosen.untried)}"
                    return
                (python,) = chosen.pythons.values()
                assert isinstance(python, EmulatedPython)  # noqa: S101 - of another architecture
                installed = _installed(parsed.name, packages)
                python.install([*(installed.requires or []), *test_requires], packages)
                alone(python, place, packages=packages)(_code(recipe, installed))
            at.outcome = "the smoke test passes" if recipe else "its modules import"
        except CommandFailed as error:
            what = f"{proof.wheel.filename} is published, but does not install with {installer}"
            raise InstallFailed(f"{what}: {error}") from error


def _installed(name: str, packages: Path) -> Distribution:
    (installed,) = distributions(name=name, path=[str(packages)])
    return installed


def _code(recipe: Recipe | None, installed: Distribution) -> str:
    """Return the code that shows that what is installed works."""
    if recipe is None:
        modules = record.modules(map(str, installed.files or ()))
        return f"import {', '.join(modules)}" if modules else ""
    return recipe.smoke_code


def _past_proxies() -> dict[str, str]:
    """Return variables with which programs reach a server on this machine, whatever proxy the user has.

    No proxy leads there: one elsewhere would look on its own machine.
    """
    told = os.environ.get("no_proxy") or os.environ.get("NO_PROXY")
    hosts = ",".join(filter(None, [told, LOOPBACK]))
    return {"no_proxy": hosts, "NO_PROXY": hosts}


def _installing(installer: Installer, index_url: str, where: Sequence[str | Path]) -> list[str | Path]:
    if installer == "uv":
        return ["uv", "pip", "install", "--quiet", "--no-cache", "--default-index", index_url, *where]
    pip: list[str | Path] = [sys.executable, "-m", "pip"]
    if where[0] == "--python":  # pip takes it before its verb
        pip, where = [*pip, *where], ()
    return [*pip, "install", "--quiet", "--no-cache-dir", "--index-url", index_url, *where]


def _described(installer: Installer, proof: Proof, packages: Path) -> list[str | Path]:
    """Return the options with which an installer installs for a machine that is only described, into a folder."""
    python = proof.python.removesuffix("t")
    into: list[str | Path] = ["--target", packages, "--only-binary", ":all:", "--python-version", python]
    if installer == "uv":
        return [*into, "--python-platform", f"{proof.arch}-manylinux_2_40"]
    tags = parse_wheel(proof.wheel.filename).tags
    return [*into, *(word for tag in tags for word in ("--platform", tag.platform))]
