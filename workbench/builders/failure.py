"""What a person is told of a build that failed, whichever builder ran it: why, what to do, what there is to look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.builders import isolation
from workbench.builders.reached import attempts, online, refused
from workbench.container.blame import PROJECT, CibuildwheelFailed
from workbench.container.command import COUNTERS
from workbench.errors import BuildFailed, ContainerError, ToolchainError, WorkbenchError
from workbench.files import content_of
from workbench.plan.target import this_arch
from workbench.process import pieces_of
from workbench.recipe.load import path_of
from workbench.text import counted
from workbench.toolchain.cross import debian_package
from workbench.toolchain.cuda_headers import TORCH_LIBRARIES, library_of
from workbench.troubles import Explanation, catalogue, diagnose, distribution_of

if TYPE_CHECKING:
    from workbench.builders.workplace import Workplace
    from workbench.errors import CommandFailed
    from workbench.paths import Paths
    from workbench.plan.plan import Plan
    from workbench.troubles import Fault, Known, Where

_ERRORS: Mapping[Fault, type[WorkbenchError]] = {
    "package": BuildFailed,
    "toolchain": ToolchainError,
    "container": ContainerError,
    "machine": WorkbenchError,
}

KILLED = ("was killed by signal 9:", "failed with 137:")
"""What is said of a program that was killed; of one in a sandbox, by its exit status."""

OF_MEMORY = ("killed", "killed-alone")
"""The entries of the catalogue that say that memory ran out."""

_LAST = 8
"""Lines of a log's end that are shown where nothing tells what went wrong."""


def why_it_failed(
    error: CommandFailed, place: Workplace, paths: Paths, *, jobs: int, killed: bool
) -> Explanation | None:
    """Return why a build failed, as far as its log tells; `jobs` compilers ran at once.

    `killed` says that the kernel has killed one of its programs because memory ran out, whatever is in the log.
    """
    plan = place.plan
    known = {**facts(plan, paths, jobs=jobs), "online": online(plan)}
    if plan.target.cuda:
        known |= _switch(place.tree)
    at: set[Where] = {"build"}
    if plan.builder == "container":
        at.add("container")
    elif plan.target.arch != this_arch():
        at.add("cross")
        known |= {"package": lambda words: debian_package(words["wanted"])}
    if plan.builder != "container":
        known |= {"hidden": lambda words: isolation.hidden(words.get("program", "cargo"))}
    if isinstance(error, CibuildwheelFailed):
        engine = error.engine
        known |= {"online": error.online or online(plan)}
        known |= {"engine": engine.name, "storage": str(engine.storage), "free": engine.free()}
    # a backend that compiles, or generates code, in its own process leaves no word of it in the log
    alone = any(line in KILLED for line in str(error).splitlines())
    said = [] if killed else [*_last_command(place)]
    if reached := "" if known.get("online") else ", ".join(map(str, attempts(said))):
        known |= {"reached": reached}
    return diagnose([*said, *[KILLED[0]] * (killed or alone)], at=at, known=known)


def explained(error: CommandFailed, why: Explanation | None, place: Workplace) -> WorkbenchError:
    """Return the error of a build that failed: the package's, unless its log tells otherwise."""
    kind: type[WorkbenchError] = BuildFailed
    inside = ""
    if isinstance(error, CibuildwheelFailed):
        kind, inside = error.fault, f"\nTo look inside: {error.inside}"
    if why is None:
        told = str(error)
    elif why.name:
        kind = kind if why.fault == "package" else _ERRORS[why.fault]
        told = f"{why.meaning}\n{why.text}"
    else:
        last = "\n".join(f"  {line}" for line in str(error).splitlines()[-_LAST:])
        told = f"the first error in its log is\n{why.text}\nand its last lines are\n{last}"
    made = (
        place.failed(f"{told}{inside}")
        if kind is BuildFailed
        else kind(f"{place.plan.title} was not built: {told}{inside}\n{place.kept}")
    )
    made.explanation = why
    return made


def _recipe_facts(plan: Plan, paths: Paths) -> dict[str, str]:
    """Return the words of the catalogue's texts that a plan tells."""
    recipe = path_of(paths.recipes, plan.recipe.name)
    return {"recipe": str(recipe.relative_to(paths.root)), "version": plan.recipe.version}


def facts(plan: Plan, paths: Paths, *, jobs: int) -> Known:
    """Return what fills the catalogue's texts for a build of a plan, in which `jobs` compilers ran at once."""
    has, target = plan.recipe.cuda_libraries, plan.target

    def of_cuda(words: Mapping[str, str]) -> str | None:
        return library_of(Path(words.get("header", "")).name) if target.cuda else None

    def lacked(words: Mapping[str, str]) -> str | None:
        library = of_cuda(words)
        return library if library not in has else None

    def present(words: Mapping[str, str]) -> str | None:
        library = of_cuda(words)
        return library if library in has else None

    def libraries(words: Mapping[str, str]) -> str:
        every = {*has, *filter(None, [of_cuda(words)]), *(TORCH_LIBRARIES if target.torch else ())}
        listed = ", ".join(f'"{library}"' for library in sorted(every))
        return f"({listed})" if len(every) > 1 else f"({listed},)"

    return {
        **_recipe_facts(plan, paths),
        "library": lacked,
        "present": present,
        "libraries": libraries,
        "with_cuda": str(target) if target.cuda else "",
        "no_cuda": "" if target.cuda else str(target),
        "fewer": str(jobs // 2) if jobs > 1 else "",
        "distribution": lambda words: distribution_of(words["module"]),
    }


def _last_command(place: Workplace) -> Iterator[str]:
    """Yield what the last command in a build's log said: those before it ended well."""
    said: list[str] = []
    for line in _shortened(place):
        if line.startswith("$ "):
            said.clear()
        else:
            said.append(line)
    yield from said


def _shortened(place: Workplace) -> Iterator[str]:
    """Yield the lines of a build's log; a path in its own folder is as its source has it."""
    for piece in pieces_of(place.log):
        line = piece.rstrip("\n")
        for folder in (place.tree, f"{isolation.ROOT}/tree", place.root, isolation.ROOT, PROJECT):
            line = line.replace(f"{folder}/", "")
        yield line


def tried(place: Workplace) -> tuple[str, ...]:
    """Return what a build tried to reach that had no network, in words.

    Where its log names nothing, it is how often the kernel has refused it: of a build in a container, once it has made
    a wheel.
    """
    if online(place.plan):
        return ()
    if named := [str(each) for each in attempts(_shortened(place)) if each.what]:
        return tuple(named)
    if place.plan.builder == "container":
        counters = "".join(filter(COUNTERS.match, pieces_of(place.log)))
    else:
        counters = (content_of(place.temporary / isolation.COUNTERS) or b"").decode(errors="replace")
    count = refused(counters)
    return (f"the network, {counted(count, 'time')}, of which its log says nothing",) if count else ()


def left_out(plan: Plan, log: Path, tree: Path, code: Sequence[str], paths: Paths) -> Explanation | None:
    """Return why a wheel that was built for a GPU may lack its code; None where it has it.

    `code` are the GPU architectures that it has code for.
    """
    missing = [gpu for gpu in plan.target.gpu if gpu not in code]
    if not plan.target.cuda or not missing:
        return None
    known = {**_recipe_facts(plan, paths), "missing": ", ".join(missing) if code else ""}
    said = pieces_of(log) if code else _lines_of(tree / "setup.py")
    return diagnose(list(said), at={"result"}, known=known)


def _switch(tree: Path) -> dict[str, str]:
    """Return the variable that a source's setup.py asks whether to build for CUDA, and where it does; else nothing."""
    (asks,) = next(trouble.patterns for trouble in catalogue() if trouble.name == "no-gpu-code")
    found = next(filter(None, map(asks.search, _lines_of(tree / "setup.py"))), None)
    return {"variable": found["variable"], "where": found["where"]} if found else {}


def _lines_of(path: Path) -> Iterator[str]:
    """Yield the lines of a file as a compiler names them: ``setup.py:12: …``."""
    if path.is_file():
        text = path.read_text(encoding="utf-8", errors="replace")
        yield from (f"{path.name}:{number}: {line}" for number, line in enumerate(text.splitlines(), 1))
