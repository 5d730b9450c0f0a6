from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import workbench

PACKAGE = Path(workbench.__file__).parent

FLOW = re.findall(r"^``(\w+)``  ", workbench.__doc__ or "", re.MULTILINE)
"""The steps in their order, as the package's own docstring lists them."""

MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def imported_steps(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        found |= {name.split(".")[1] for name in names if name.startswith("workbench.")}
    return found


@pytest.mark.parametrize("module", [m for m in MODULES if m.parts[0] in FLOW], ids=str)
def test_data_goes_one_way(module: Path) -> None:
    below = FLOW[FLOW.index(module.parts[0]) + 1 :]
    assert not imported_steps(PACKAGE / module) & set(below)


@pytest.mark.parametrize("module", [m for m in MODULES if len(m.parts) == 1 and m.name != "verb.py"], ids=str)
def test_what_stands_beside_the_flow_knows_none_of_it(module: Path) -> None:
    assert not imported_steps(PACKAGE / module) & set(FLOW)


def test_every_folder_is_a_step() -> None:
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert folders == set(FLOW)


def test_one_module_starts_programs() -> None:
    starters = {
        str(module)
        for module in MODULES
        for node in ast.walk(ast.parse((PACKAGE / module).read_bytes()))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        and "subprocess" in [getattr(node, "module", None), *(alias.name for alias in node.names)]
    }
    assert starters == {"process.py"}
