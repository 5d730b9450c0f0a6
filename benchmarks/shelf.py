"""Is the shelf sound, as far as minutes tell? Each recipe's source is fetched, patched and asked for its metadata.

    .venv/bin/python benchmarks/shelf.py [NAME ...] [--torch 2.11]

The build backend runs with what a build of this machine's architecture would tell it, in one environment for all: torch
is unpacked once, and each recipe's build requirements join the others. Nothing is compiled. Prints a table, and ends
with 1 where a source does not say the name, the version and the Pythons that its recipe says.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyproject_hooks
from packaging.metadata import Metadata
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from heavy import axes_of

from workbench.builders.interpreter import find_interpreter
from workbench.builders.tools import equip, toolkit_for
from workbench.builders.workplace import Workplace
from workbench.environment import Environment
from workbench.errors import WorkbenchError
from workbench.make.request import Request, plans
from workbench.paths import Paths
from workbench.plan.target import this_arch
from workbench.process import run
from workbench.recipe.load import names
from workbench.settings import read_settings
from workbench.source.epoch import source_epoch
from workbench.source.tree import prepare
from workbench.toolchain.variables import build_variables, joined

if TYPE_CHECKING:
    from workbench.plan.plan import Plan
    from workbench.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The one environment, and where the sources lie meanwhile."""

    environment: Environment
    folder: Path
    paths: Paths
    settings: Settings

    def metadata(self, plan: Plan) -> Metadata:
        """Return the metadata that a plan's patched source prepares. Raises WorkbenchError."""
        root = self.folder / plan.recipe.name
        place = Workplace(plan=plan, root=root, tree=root / "tree", raw=root / "raw", log=root / "log")
        prepare(plan, self.paths, place.tree)
        place.log.write_bytes(b"")
        system = place.build_system()
        self.environment.install([*system.requires, *plan.build_requires], log=place.log)
        tools, _ = equip(
            self.environment,
            plan.target,
            root,
            toolkit=toolkit_for(plan, self.paths, self.settings),
            compiler=None,
            cache=self.paths.cache,
        )
        variables = joined(
            {"PATH": os.environ.get("PATH", os.defpath)},
            build_variables(tools, plan.environment, jobs=1, epoch=source_epoch(plan.source, place.tree)),
            {"VIRTUAL_ENV": str(self.environment.path), "PATH": str(self.environment.path / "bin")},
        )

        def runner(
            cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None
        ) -> None:
            run(cmd, cwd=Path(cwd or root), env={**variables, **(extra_environ or {})}, log=place.log)

        hooks = pyproject_hooks.BuildBackendHookCaller(
            str(place.tree),
            system.backend,
            backend_path=system.backend_path or None,
            runner=runner,
            python_executable=str(self.environment.python),
        )
        place.raw.mkdir()
        more = hooks.get_requires_for_build_wheel()
        self.environment.install(place.requirements(more, "get_requires_for_build_wheel"), log=place.log)
        found = hooks.prepare_metadata_for_build_wheel(str(place.raw), _allow_fallback=False)
        return Metadata.from_email((place.raw / found / "METADATA").read_bytes(), validate=False)


def faults(plan: Plan, metadata: Metadata) -> list[str]:
    """Return what a source says otherwise than its recipe."""
    recipe, found = plan.recipe, []
    if canonicalize_name(metadata.name) != recipe.name:
        found.append(f"its name is {metadata.name}")
    if str(metadata.version) != recipe.version:
        found.append(f"its version is {metadata.version}")
    supported = metadata.requires_python or SpecifierSet()
    pythons = [f"3.{minor}" for minor in range(8, 16)]
    if refused := [each for each in SpecifierSet(recipe.python).filter(pythons) if each not in supported]:
        found.append(f"Requires-Python {supported} is without {', '.join(refused)}")
    return found


def main() -> None:
    """Prepare each recipe's metadata and print a row for it; what fails is told, and the rest goes on."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--torch", default="2.11")
    asked = parser.parse_args()
    asked.arch, asked.gpu = this_arch(), ""
    paths = Paths.here()
    settings = read_settings(paths)
    failed = []
    warnings.simplefilter("ignore", pyproject_hooks.BuildBackendWarning)
    print("| package | patches | Requires-Python | license | s |\n|---|--:|---|---|--:|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        python = find_interpreter(f"{sys.version_info.major}.{sys.version_info.minor}")
        environment = Environment.create(Path(folder) / "env", python=python)
        environment.install([f"torch=={asked.torch}.*"])
        shelf = Shelf(environment=environment, folder=Path(folder), paths=paths, settings=settings)
        for name in asked.names or names(paths.recipes):
            began = time.monotonic()
            axes = axes_of(name, "", asked, paths)
            (plan,) = plans(Request(name=name, axes=axes, builder="host"), paths, settings).plans
            try:
                metadata = shelf.metadata(plan)
                said = faults(plan, metadata)
            except (WorkbenchError, pyproject_hooks.HookMissing) as error:
                said = [str(error)]
            if said:
                failed.append(name)
                print(f"{name}: {'; '.join(said)}", file=sys.stderr, flush=True)
                continue
            cells = (
                f"{name} {plan.recipe.version}",
                str(len(plan.patches)),
                str(metadata.requires_python or ""),
                plan.recipe.license or "",
                f"{time.monotonic() - began:.1f}",
            )
            print(f"| {' | '.join(cells)} |", flush=True)
    if failed:
        sys.exit(f"{len(failed)} failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
