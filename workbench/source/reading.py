"""All that a source tells without being built, read once from its unpacked tree."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.events import step
from workbench.source.native import Native, read_native
from workbench.source.setup_script import Scripts, read_scripts
from workbench.source.stated import BuildTable, Stated, import_names, read_build_system, read_stated

if TYPE_CHECKING:
    from workbench.source.quote import Quote


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a source tells: of itself, of its build, of its code; `imports` are what it says to provide."""

    stated: Stated
    system: BuildTable
    scripts: Scripts
    native: Native
    imports: tuple[Quote, ...]


def read_source(tree: Path, name: str) -> Reading:
    """Return what the unpacked source of a project tells; nothing of it is run."""
    with step("read the source"):
        scripts = read_scripts(tree)
        stated = read_stated(tree, scripts)
        return Reading(
            stated=stated,
            system=read_build_system(tree),
            scripts=scripts,
            native=read_native(tree),
            imports=import_names(tree, name, stated, scripts),
        )
