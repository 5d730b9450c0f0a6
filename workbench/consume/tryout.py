"""Whether installed packages work here: each is imported in a process of its own, and torch multiplies on the GPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from workbench.process import run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

SECONDS = 300
"""After which an import that does not end is given up: the driver may be compiling PTX."""

GPU = "torch on the GPU"

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
print(dist.version, *named)
"""

_MULTIPLY = """
import torch
if not torch.cuda.is_available():
    print("torch sees no GPU (torch.version.cuda is", torch.version.cuda, end=")")
    raise SystemExit(3)
one = torch.ones(256, 256, device="cuda")
assert float((one @ one).sum()) == 256 ** 3
print(torch.__version__, torch.cuda.get_device_name(0), *torch.cuda.get_arch_list())
"""


_CODE = "import torch; print(*torch.cuda.get_arch_list())"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of one trial: `what` was tried, and `said` is its version and modules, or why it failed."""

    what: str
    outcome: Literal["works", "fails", "not installed"]
    said: str


def try_out(interpreter: Path, packages: Sequence[str], *, gpu: bool) -> Iterator[Tried]:
    """Try installed packages with a project's interpreter, and torch's GPU where there is one; yield each in turn."""
    for package in packages:
        yield _tried(package, interpreter, _IMPORT, package)
    if gpu:
        yield _tried(GPU, interpreter, _MULTIPLY)


def _tried(what: str, interpreter: Path, code: str, *words: str) -> Tried:
    from workbench.errors import CommandFailed

    try:
        done = run([interpreter, "-I", "-c", code, *words], check=False, timeout=SECONDS)
    except CommandFailed as error:
        return Tried(what=what, outcome="fails", said=str(error).splitlines()[-1])
    lines = [line for line in done.output.splitlines() if line.strip()]
    last = lines[-1].strip() if lines else ""
    if done.status == 0:
        return Tried(what=what, outcome="works", said=last)
    if done.status < 0:
        return Tried(what=what, outcome="fails", said=f"killed by signal {-done.status}; {last}".rstrip("; "))
    return Tried(what=what, outcome="not installed" if last == "not installed" else "fails", said=last)


def code_of_torch(interpreter: Path) -> tuple[str, ...]:
    """Return the architectures that the installed torch has code for; none where it cannot be imported."""
    from workbench.errors import CommandFailed

    try:
        done = run([interpreter, "-I", "-c", _CODE], check=False, timeout=SECONDS, stdout_only=True)
    except CommandFailed:
        return ()
    return tuple(done.output.split()) if done.status == 0 else ()
