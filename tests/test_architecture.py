from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import workbench
from workbench.ci.committed import compare
from workbench.ci.workflows import workflow_files
from workbench.paths import CHECKOUT, Paths
from workbench.settings import read_settings

PACKAGE = Path(workbench.__file__).parent

FLOW = re.findall(r"^``(\w+)``  ", workbench.__doc__ or "", re.MULTILINE)
"""The steps in their order, as the package's own docstring lists them."""

LAYERS = [
    steps
    for group in (workbench.__doc__ or "").split("\n\n")
    if (steps := re.findall(r"^``(\w+)``  ", group, re.MULTILINE))
]
"""The same in their groups."""


def imported_modules(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    return [alias.name for alias in node.names] if isinstance(node, ast.Import) else []


def imported_libraries(path: Path) -> set[str]:
    """Return what a module imports that is neither Python's nor ours, type checkers' stubs aside."""
    found = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        found |= {name.partition(".")[0] for name in imported_modules(node)}
    return found - sys.stdlib_module_names - {"workbench", "_typeshed"}


MODULES = sorted(path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))


def imported_steps(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_bytes())):
        found |= {name.split(".")[1] for name in imported_modules(node) if name.startswith("workbench.")}
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


@pytest.mark.parametrize("module", [m for m in MODULES if m.parts[0] == "consume"], ids=str)
def test_the_consumer_needs_nothing_of_what_makes_and_publishes(module: Path) -> None:
    assert imported_steps(PACKAGE / module) & set(FLOW) <= {"consume", "wheel", "simple", "plan", "recipe"}


def test_commands_do_not_import_each_others_modules() -> None:
    shared = {"workbench.verbs.flags", "workbench.verbs.summary"}
    found = {
        f"{module}: {name}"
        for module in MODULES
        if module.parts[0] == "verbs"
        for node in ast.walk(ast.parse((PACKAGE / module).read_bytes()))
        for name in imported_modules(node)
        if name.startswith("workbench.verbs") and name not in shared
    }
    assert found == set()


def repeated(named: list[tuple[str, str]]) -> dict[str, list[str]]:
    """Return the names that stand for more than one thing, with the places of each."""
    places: dict[str, list[str]] = {}
    for name, place in named:
        places.setdefault(name, []).append(place)
    return {name: found for name, found in places.items() if len(found) > 1}


def test_no_two_public_classes_share_a_name() -> None:
    classes = [
        (node.name, str(module))
        for module in MODULES
        for node in ast.parse((PACKAGE / module).read_bytes()).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_")
    ]
    assert repeated(classes) == {}


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer[0])
def test_no_two_modules_of_a_layer_share_a_name(layer: list[str]) -> None:
    modules = [
        (module.stem, str(module))
        for module in MODULES
        if module.parts[0] in layer and module.stem != "__init__"
    ]
    assert repeated(modules) == {}


def test_one_module_opens_the_network() -> None:
    """The S3 client apart, which boto3 makes."""
    clients = {"requests", "urllib3", "http.client", "urllib.request", "socket", "ssl"}
    found = {
        str(module)
        for module in MODULES
        for node in ast.walk(ast.parse((PACKAGE / module).read_bytes()))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        and clients & {getattr(node, "module", None), *(alias.name for alias in node.names)}
    }
    assert found == {"http.py"}


def test_only_verbs_print() -> None:
    """The others tell of what they do (``events``), or return it."""
    printing = {
        module.parts[0]
        for module in MODULES
        if any(
            "workbench.console" in (node.module, f"{node.module}.{alias.name}")
            for node in ast.walk(ast.parse((PACKAGE / module).read_bytes()))
            if isinstance(node, ast.ImportFrom)
            for alias in node.names
        )
    }
    assert printing <= {"verbs", "program", "verb.py"}


def test_one_module_starts_programs() -> None:
    starters = {
        str(module)
        for module in MODULES
        for node in ast.walk(ast.parse((PACKAGE / module).read_bytes()))
        if isinstance(node, (ast.Import, ast.ImportFrom))
        and "subprocess" in [getattr(node, "module", None), *(alias.name for alias in node.names)]
    }
    assert starters == {"process.py"}


def test_one_module_makes_temporary_folders() -> None:
    """There they are swept: what one that was killed has left goes with the next."""
    makers = {
        str(module)
        for module in MODULES
        for node in ast.walk(ast.parse((PACKAGE / module).read_bytes()))
        if isinstance(node, (ast.Attribute, ast.ImportFrom))
        and {"TemporaryDirectory", "NamedTemporaryFile", "mkdtemp"}
        & {getattr(node, "attr", None), *(alias.name for alias in getattr(node, "names", ()))}
    }
    assert makers == {"files.py"}


def test_only_a_fleet_needs_dask() -> None:
    importers = {
        module.parts[0] for module in MODULES if imported_libraries(PACKAGE / module) & {"distributed"}
    }
    assert importers == {"fleet"}


def test_every_library_that_is_imported_is_asked_for() -> None:
    with (PACKAGE.parent / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["fleet"]]
    distributions = packages_distributions()
    # seven are parts of libraries that are asked for, and pip stands in every environment that venv makes
    declared = set(map(canonicalize_name, [Requirement(each).name for each in asked]))
    declared |= set(
        map(
            canonicalize_name,
            (
                "botocore",
                "markupsafe",
                "packageurl-python",
                "pip",
                "pydantic",
                "s3transfer",
                "securesystemslib",
                "sigstore",
            ),
        )
    )
    missing = {
        f"{name} ({module})"
        for module in MODULES
        for name in imported_libraries(PACKAGE / module)
        if not declared & set(map(canonicalize_name, distributions.get(name, ())))
    }
    assert missing == set()


def test_workflows_of_this_repository_are_as_they_are_written() -> None:
    """A template was changed, or workbench.yaml: ``invoke ci.write``."""
    here = Paths(CHECKOUT)
    found = compare(workflow_files(here, read_settings(here)), here)
    assert "".join(each.diff for each in found if each.state != "same") == ""
