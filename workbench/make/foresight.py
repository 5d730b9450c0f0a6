"""What can be known before a build: whether the source is what the recipe says, and has what its includes ask for.

A sound recipe is never stopped. What the source states for sure, and otherwise than the recipe, is an error; what a
reader can only suspect is a note.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from workbench.errors import BuildFailed, RecipeError
from workbench.events import note, step
from workbench.files import scratch
from workbench.recipe.model import Git
from workbench.source.git_history import rewritten
from workbench.source.native import read_native
from workbench.source.requires_python import excludes, stated_pythons
from workbench.source.setup_script import read_scripts
from workbench.source.stated import import_names, read_stated
from workbench.source.tree import fetch, is_here, patch
from workbench.toolchain.cuda_headers import libraries_of
from workbench.toolchain.pins import together

if TYPE_CHECKING:
    from workbench.paths import Paths
    from workbench.plan.draft import Draft
    from workbench.plan.plan import Plan
    from workbench.settings import Settings
    from workbench.source.native import Native
    from workbench.source.setup_script import Scripts
    from workbench.source.stated import Stated

_IS_HEADER = re.compile(r"\.(cuh|h|hh|hpp|hxx|inl)$")


def foresee(plan: Plan, tree: Path, paths: Paths, settings: Settings) -> None:
    """Compare a plan with its patched source, before it is built; note what is likely to go wrong.

    Raises RecipeError where the wheel would have another name or version than the recipe says; BuildFailed for a Python
    that upstream does not support.
    """
    if isinstance(plan.source, Git) and (told_of := rewritten_line(plan.source, paths.cache)):
        note(told_of)
    scripts = read_scripts(tree)
    stated = read_stated(tree, scripts, written_first=True)
    _require_same(plan, stated)
    told = stated_pythons(tree, scripts, plan.patches)
    if told and excludes(told, plan.target.python_version):
        raise BuildFailed(
            f"{plan.title} is not built: upstream supports Python {told.text} ({told.where} of its source). Leave this "
            "Python out with python= in the recipe, or patch the source"
        )
    for line in _unknown_modules(plan, tree, stated, scripts):
        note(line)
    laid_out = plan.target.cuda and plan.builder != "container" and plan.target.compute not in settings.cuda
    for line in uncovered(read_native(tree), scripts, plan.recipe.cuda_libraries) if laid_out else ():
        note(line)


def rehearse(plans: Sequence[Plan], paths: Paths, settings: Settings) -> None:
    """Do what comes before a build, for each plan whose source is in the cache: apply its series, and foresee.

    Raises PatchError where the series does not apply, and what `foresee` raises.
    """
    for source, patches in dict.fromkeys((plan.source, plan.patches) for plan in plans):
        alike = [plan for plan in plans if (plan.source, plan.patches) == (source, patches)]
        first = alike[0]
        if not is_here(first.source, paths.cache):
            which = (
                f"{first.recipe.name} {first.recipe.version}" if first.recipe.versions else first.recipe.name
            )
            note(f"· the source of {which} is not here yet: whether its series applies was not tried")
            continue
        with scratch(paths.state / "rehearsals", ".tree.") as folder, step(f"prepare {first.title}"):
            tree = folder / first.recipe.name
            fetch(
                first.source,
                name=first.recipe.name,
                version=first.recipe.version,
                cache=paths.cache,
                into=tree,
            )
            if patches:
                patch(patches, first.source, tree)
            told = set[tuple[str, str]]()
            for plan in alike:
                if (of := (plan.target.python, plan.target.compute)) not in told:
                    told.add(of)
                    foresee(plan, tree, paths, settings)


@cache
def rewritten_line(source: Git, folder: Path) -> str | None:
    """Say that a pinned branch was force-pushed since; None where it was not, or nobody can tell now.

    `folder` is the user's cache.
    """
    if (tip := rewritten(source, folder)) is None:
        return None
    return (
        f"branch {source.branch} of {source.url} was force-pushed: its tip {tip} does not have the pinned commit "
        f"{source.commit} in its history. The pin is what is built; compare the two before you pin the tip"
    )


def _require_same(plan: Draft, stated: Stated) -> None:
    """Raise RecipeError where ``[project]``, which no program changes, has another name or version than the recipe."""
    recipe = plan.recipe
    name, version = stated.first("Name"), stated.first("Version")
    where = "pyproject.toml:"
    if name and name.where.startswith(where) and canonicalize_name(name.text) != recipe.name:
        raise RecipeError(
            f"{recipe.name}: name: {name.where} of the source says {name.text!r}, and so would the wheel: "
            "give the recipe that name, or patch the source"
        )
    if version and version.where.startswith(where) and _differs(version.text, recipe.version):
        raise RecipeError(
            f"{recipe.name}: version: {version.where} of the source says {version.text!r}, and so would the wheel: "
            "correct the recipe's, or patch the source"
        )


def _differs(one: str, other: str) -> bool:
    try:
        return Version(one) != Version(other)
    except InvalidVersion:
        return False


def _unknown_modules(plan: Draft, tree: Path, stated: Stated, scripts: Scripts) -> Iterator[str]:
    """Yield a line for each module of the recipe that the source, which lists its own, does not have."""
    told = import_names(tree, plan.recipe.name, stated, scripts)
    listed = bool(told) and ("top_level.txt" in told[0].where or stated.all("Import-Name"))
    if not listed or len(scripts.modules) < len(scripts.extensions):
        return  # it has more than it says
    known = {each.text.partition(".")[0] for each in (*told, *scripts.modules)}
    for module in plan.recipe.modules:
        top = module.partition(".")[0]
        if top not in known and not any(tree.glob(f"**/{top}")) and not any(tree.glob(f"**/{top}.*")):
            yield (
                f"{plan.recipe.name}: modules: the source does not seem to provide {top!r}: "
                f"it says {', '.join(sorted(known))} ({told[0].where})"
            )


def uncovered(native: Native, scripts: Scripts, libraries: Sequence[str]) -> Iterator[str]:
    """Yield a line for each of CUDA's libraries that the source's own code includes for sure, and that is missing.

    What nothing compiles does not count: a header that nothing includes, a folder that ``setup.py`` does not name.
    CMake asks for each library itself, before it compiles.
    """
    if scripts.runs_cmake:
        return
    covered = together(libraries)
    included = {each.header.rpartition("/")[2] for each in native.includes}
    missing: dict[str, list[str]] = {}
    found = set(covered)
    for each in native.includes:
        path = each.where.rpartition(":")[0]
        compiled = not _IS_HEADER.search(path) or path.rpartition("/")[2] in included
        if each.certain and compiled and scripts.words.issuperset(path.split("/")[:-1]):
            new = [library for library in libraries_of(each.header) if library not in found]
            found.update(new)
            if new:
                missing.setdefault(f"{each.where} includes {each.header}", []).extend(new)
    wanted = str(tuple(sorted({*libraries, *(one for new in missing.values() for one in new)}))).replace(
        "'", '"'
    )
    for where, lacking in missing.items():
        lacks = f"and the recipe does not ask for CUDA's {', '.join(lacking)}"
        yield f"{where}, {lacks}: write cuda_libraries={wanted} there"
