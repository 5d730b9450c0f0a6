"""The folder in which one plan is built."""

from __future__ import annotations

import tomllib
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.errors import BuildFailed, UsageError
from workbench.files import locked, remove_tree
from workbench.process import end_left
from workbench.source.tree import prepare

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from workbench.plan.plan import Plan
    from workbench.site import Site


LEGACY = {"requires": ["setuptools>=40.8.0"], "build-backend": "setuptools.build_meta:__legacy__"}
"""What a project without a ``[build-system]`` gets (PEP 517)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workplace:
    """The folder of one build: the patched source `tree`, the environment, the log, the `raw` wheel."""

    plan: Plan
    root: Path

    @classmethod
    def of(cls, plan: Plan, site: Site) -> Workplace:
        """Return where a plan is built."""
        return cls(plan=plan, root=site.state / "builds" / plan.slug)

    @contextmanager
    def opened(self, site: Site) -> Iterator[None]:
        """Hold the folder for this process alone, with nothing but the plan's patched source in it.

        Raises UsageError while another process builds the plan; SourceError and PatchError from the source.
        """
        with self._alone():
            self._empty()
            self.raw.mkdir(parents=True)
            self.log.write_bytes(b"")
            prepare(self.plan, site, self.tree)
            yield

    @property
    def tree(self) -> Path:
        """The source, patched."""
        return self.root / "tree"

    @property
    def log(self) -> Path:
        """All that the backend and its compilers said."""
        return self.root / "build.log"

    @property
    def raw(self) -> Path:
        """The folder for the wheel as the backend made it."""
        return self.root / "raw"

    @property
    def kept(self) -> str:
        """What of a failed build there is to look at, in words."""
        return f"The tree is kept: {self.tree}\nThe whole log: {self.log}"

    def clear(self) -> None:
        """Remove all but the log, unless another process builds the plan by now: then it is all its own."""
        with suppress(UsageError), self._alone():
            self._empty()

    def _alone(self) -> AbstractContextManager[None]:
        return locked(self.root.with_name(f"{self.root.name}.lock"), busy=f"a build of {self.plan.title}")

    def _empty(self) -> None:
        end_left(self.log)
        for path in self.root.iterdir() if self.root.exists() else ():
            if path.is_dir():
                remove_tree(path)

    def build_system(self) -> dict[str, Any]:
        """Return the source's ``[build-system]`` (PEP 518), completed with PEP 517's defaults. Raises BuildFailed."""
        path = self.tree / "pyproject.toml"
        if not path.exists() and not (self.tree / "setup.py").exists():
            raise self.failed("the source has neither pyproject.toml nor setup.py at its top")
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise self.failed(f"its pyproject.toml is not TOML: {error}") from error
        system = table.get("build-system")
        return {**LEGACY, **system} if system else LEGACY

    def failed(self, why: str) -> BuildFailed:
        """Return the error of a build that failed: it names what is kept."""
        return BuildFailed(f"{self.plan.title} does not build: {why}\n{self.kept}")
