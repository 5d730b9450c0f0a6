"""The folder in which one plan is built."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement

from workbench.builders import continuing
from workbench.builders.isolation import ROOT
from workbench.builders.objects import STATS, Units, units_of
from workbench.environment import Environment
from workbench.errors import BuildFailed, UsageError, WorkbenchError
from workbench.events import note, step
from workbench.files import content_of, locked, remove_tree
from workbench.process import end_left
from workbench.source.tree import prepare

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from workbench.paths import Paths
    from workbench.plan.plan import Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildSystem:
    """A source's ``[build-system]`` (PEP 518)."""

    requires: tuple[str, ...]
    backend: str
    backend_path: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """The folder of one build, `root`: the source, patched, in `tree`, and the wheel as the backend made it in `raw`.

    `log` is all that the backend and its compilers said.
    """

    plan: Plan
    root: Path
    tree: Path
    raw: Path
    log: Path

    @classmethod
    def of(cls, plan: Plan, paths: Paths) -> Workplace:
        """Return where a plan is built."""
        root = paths.state / "builds" / plan.slug
        return cls(plan=plan, root=root, tree=root / "tree", raw=root / "raw", log=root / "build.log")

    @contextmanager
    def opened(self, paths: Paths, *, keeps: bool = True) -> Iterator[None]:
        """Hold the folder for this process alone, with nothing in it but the plan's patched source.

        And, where it `keeps` that, what a build of the same plan had compiled that did not end well (`continuing`).
        Raises UnderWay while another process builds the plan; SourceError and PatchError from the source.
        """
        # a container's objects go with it
        here = self.plan.key is not None and self.plan.builder != "container"
        with self._alone():
            end_left(self.log)  # before what it may still change is looked at
            self._kept.unlink(missing_ok=True)
            left, why = continuing.take(self.root, self.plan.key) if here and keeps else (None, "")
            self._empty(but=(left, self.objects) if left else ())
            self.raw.mkdir(parents=True)
            self.log.write_bytes(b"")
            prepare(self.plan, paths, self.tree)
            if left:
                continuing.carry(left, self.tree)
                self._kept.write_text(continuing.KEPT, encoding="utf-8")
                note("· it goes on from what the earlier build had compiled")
            elif why:
                note(f"· what an earlier build had compiled is not used: {why}")
            key = self.plan.key if here else None
            if key:
                continuing.begin(self.root, key)
            try:
                yield
            except WorkbenchError:  # whatever else ends it, Ctrl-C say, ends its programs where they stand
                if key:
                    continuing.mark(self.root, key)
                raise
            continuing.end(self.root)

    @property
    def _kept(self) -> Path:
        return self.root / "kept"

    @property
    def took(self) -> str:
        """What the build has taken of what earlier ones compiled, in words; nothing where it compiled all itself."""
        left = (content_of(self._kept) or b"").decode()
        return " and ".join(filter(None, (left, str(self.units))))

    @property
    def objects(self) -> Path:
        """The folder that build systems are told to compile into, where they can be told."""
        return self.root / continuing.OBJECTS

    @property
    def compilers(self) -> Path:
        """The folder of what stands in front of the compilers (`objects`)."""
        return self.root / "compilers"

    @property
    def home(self) -> Path:
        """The home of an isolated build."""
        return self.root / "home"

    @property
    def units(self) -> Units:
        """What the build that has just ended compiled, and what it did not have to."""
        return units_of(self.home / STATS)

    @property
    def temporary(self) -> Path:
        """The folder for temporary files of an isolated build."""
        return self.root / "temp"

    @property
    def environment(self) -> Environment:
        """Where a build on this machine has its build requirements."""
        return Environment(self.root / "env")

    @property
    def kept(self) -> str:
        """What of a failed build there is to look at, in words."""
        return f"The tree is kept: {self.tree}\nThe whole log: {self.log}"

    @property
    def said(self) -> bytes:
        """What the log says, fit to be published: where the folder lies is for this machine's people."""
        return self.log.read_bytes().replace(bytes(self.root), ROOT.encode())

    def doubt(self) -> None:
        """Remove what of the build's objects may be half-written, for one of its programs was killed."""
        continuing.doubt(self.root)

    def clear(self) -> None:
        """Remove all but the log, unless another process builds the plan by now: then it is all its own."""
        with suppress(UsageError), self._alone():
            self._empty()

    def wait(self) -> None:
        """Wait for the end of the plan's build in another process."""
        title = f"wait for the build of {self.plan.title} in another process"
        with step(title, waits=True), locked(self._lock):
            pass

    def _alone(self) -> AbstractContextManager[None]:
        return locked(self._lock, busy=f"a build of {self.plan.title}")

    @property
    def _lock(self) -> Path:
        return self.root.with_name(f"{self.root.name}.lock")

    def _empty(self, *, but: Collection[Path] = ()) -> None:
        end_left(self.log)
        for path in self.root.iterdir() if self.root.exists() else ():
            if path.is_dir() and path not in but:
                remove_tree(path)

    def build_system(self) -> BuildSystem:
        """Return the source's ``[build-system]``. Raises BuildFailed for one that is not as PEP 517 and 518 say."""
        path, tree = self.tree / "pyproject.toml", self.tree.resolve()
        if not path.exists() and not (self.tree / "setup.py").exists():
            raise self.failed("the source has neither pyproject.toml nor setup.py at its top")
        try:
            table = tomllib.loads((content_of(path) or b"").decode())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise self.failed(f"its pyproject.toml is not TOML: {error}") from error
        system = table.get("build-system", {})
        if not isinstance(system, dict):
            raise self.failed("build-system in its pyproject.toml is not a table")
        requires = self.requirements(
            system.get("requires", ["setuptools>=40.8.0"]), "requires in [build-system]"
        )
        backend = system.get("build-backend", "setuptools.build_meta:__legacy__")
        if not isinstance(backend, str) or not all(map(str.isidentifier, re.split("[.:]", backend))):
            raise self.failed(f"build-backend in [build-system] is not the name of a module: {backend!r}")
        folders = self._strings(system.get("backend-path", []), "backend-path in [build-system]")
        for folder in folders:
            place = (tree / folder).resolve()
            if not (place.is_dir() and place.is_relative_to(tree)):
                raise self.failed(f"backend-path in [build-system]: not a folder of the source: {folder!r}")
        return BuildSystem(requires=requires, backend=backend, backend_path=folders)

    def requirements(self, found: object, where: str) -> tuple[str, ...]:
        """Return what should be a list of requirements (PEP 508); `where` names it. Raises BuildFailed."""
        words = self._strings(found, where)
        for word in words:
            try:
                Requirement(word)
            except InvalidRequirement as error:
                why = str(error).partition("\n")[0]
                raise self.failed(f"{where}: {word!r} is not a requirement (PEP 508): {why}") from error
        return words

    def _strings(self, found: object, where: str) -> tuple[str, ...]:
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            raise self.failed(f"{where} is not a list of strings: {found!r}")
        return tuple(found)

    def failed(self, why: str) -> BuildFailed:
        """Return the error of a build that failed: it names the builder and what is kept."""
        builder = f"The builder was {self.plan.builder}: {self.plan.why}."
        return BuildFailed(f"{self.plan.title} does not build: {why}\n{builder}\n{self.kept}")
