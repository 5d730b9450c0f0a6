"""Whether installed packages work here: each is imported in a process of its own, and torch multiplies on the GPU.

Where a recipe makes the version that is installed, its smoke test is run too: it calls the package's own kernels.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from packaging.requirements import Requirement
from packaging.version import InvalidVersion, Version

from workbench.process import run
from workbench.recipe.load import maker_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from workbench.recipe.model import Recipe

SECONDS = 300
"""After which an import that does not end is given up: the driver may be compiling PTX."""

GPU = "torch on the GPU"

_WORKS = "works: "
"""How the line begins that a trial prints once it has succeeded: libraries print more at its end."""

_IMPORT = """
import importlib, importlib.metadata as metadata, sys
try:
    dist = metadata.distribution(sys.argv[1])
except metadata.PackageNotFoundError:
    print("not installed")
    raise SystemExit(3)
tops = set()
for path in dist.files or ():
    top, *below = path.parts
    if top.endswith((".dist-info", ".data")) or top in ("..", "__pycache__"):
        continue
    if below and (below[-1] == "__init__.py" and len(below) == 1):
        tops.add(top)
    elif not below and top.endswith((".py", ".so")):
        tops.add(top.partition(".")[0])
named = [name for name in sorted(tops) if name not in ("tests", "test", "benchmarks", "docs", "examples")]
if not named:
    print("it has nothing to import")
for name in named:
    importlib.import_module(name)
print("works:", dist.version, *named)
"""

_MULTIPLY = """
import torch
if not torch.cuda.is_available():
    print("torch sees no GPU (torch.version.cuda is", torch.version.cuda, end=")")
    raise SystemExit(3)
one = torch.ones(256, 256, device="cuda")
assert float((one @ one).sum()) == 256 ** 3
print("works:", torch.__version__, torch.cuda.get_device_name(0), *torch.cuda.get_arch_list())
"""

_SMOKE = """
import importlib.metadata as metadata, sys
def lacks(name):
    try:
        metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return True
lacking = [name for name in sys.argv[2:] if lacks(name)]
if lacking:
    print("it needs", ", ".join(lacking))
    raise SystemExit(4)
exec(compile(sys.argv[1], "smoke_test", "exec"), {"__name__": "__main__"})
"""
_LACKS = 4

_CODE = "import torch; print(*torch.cuda.get_arch_list())"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of one trial: `what` was tried, and `said` is its version and modules, or why it failed."""

    what: str
    outcome: Literal["works", "fails", "not installed", "not run"]
    said: str


def try_out(interpreter: Path, packages: Sequence[str], recipes: Path, *, gpu: bool) -> Iterator[Tried]:
    """Try installed packages with a project's interpreter, and torch's GPU where there is one; yield each in turn.

    A smoke test of `recipes` that needs what is not installed is not run. Raises RecipeError for a recipe that does
    not load.
    """
    for package in packages:
        imported = _tried(package, interpreter, _IMPORT, package)
        yield imported
        version = imported.said.partition(" ")[0] if imported.outcome == "works" else ""
        if (recipe := _maker(recipes, package, version)) and recipe.smoke_test:
            needs = [Requirement(each).name for each in recipe.test_requires]
            yield _tried(f"{package}: smoke test", interpreter, _SMOKE, recipe.smoke_test, *needs)
    if gpu:
        yield _tried(GPU, interpreter, _MULTIPLY)


def _maker(recipes: Path, package: str, installed: str) -> Recipe | None:
    """Return the recipe that makes an installed version, if there is one."""
    try:
        version = Version(installed)
    except InvalidVersion:  # no recipe makes such a one
        return None
    recipe = maker_of(recipes, package, version)
    return recipe if recipe and Version(recipe.version).public == version.public else None


def _tried(what: str, interpreter: Path, code: str, *words: str) -> Tried:
    from workbench.errors import CommandFailed

    try:
        done = run([interpreter, "-I", "-c", code, *words], check=False, timeout=SECONDS)
    except CommandFailed as error:
        return Tried(what=what, outcome="fails", said=str(error).splitlines()[-1])
    lines = [line for line in done.output.splitlines() if line.strip()]
    last = lines[-1].strip() if lines else ""
    if done.status == 0:
        said = (line.removeprefix(_WORKS).strip() for line in reversed(lines) if line.startswith(_WORKS))
        return Tried(what=what, outcome="works", said=next(said, ""))
    if done.status < 0:
        return Tried(what=what, outcome="fails", said=f"killed by signal {-done.status}; {last}".rstrip("; "))
    if done.status == _LACKS:
        return Tried(what=what, outcome="not run", said=last)
    return Tried(what=what, outcome="not installed" if last == "not installed" else "fails", said=last)


def code_of_torch(interpreter: Path) -> tuple[str, ...]:
    """Return the architectures that the installed torch has code for; none where it cannot be imported."""
    from workbench.errors import CommandFailed

    try:
        done = run([interpreter, "-I", "-c", _CODE], check=False, timeout=SECONDS, stdout_only=True)
    except CommandFailed:
        return ()
    return tuple(done.output.split()) if done.status == 0 else ()
