"""A statement holds all that a plan's build key is made of: the plan that is read from it has the same key."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tests.plans import planned
from workbench.errors import UsageError
from workbench.evidence.built_with import toolkit_of
from workbench.evidence.gather import command_of, submodules
from workbench.evidence.inputs import changed_inputs, parameters, recipe_inputs
from workbench.evidence.provenance import Isolation, Provenance, StatedBuild, Used, read_statement, statement
from workbench.evidence.reproduction import FirstBuild
from workbench.evidence.restored import restored, toolkit_pins
from workbench.make.again import rebuild_of
from workbench.make.request import Planner, Request
from workbench.paths import CHECKOUT, Paths
from workbench.plan.axes import Axes
from workbench.plan.plan import Needed, ToolkitPins
from workbench.plan.target import Target, cross
from workbench.process import run
from workbench.recipe.load import load, names
from workbench.recipe.model import Git, Recipe, Sdist
from workbench.settings import Settings
from workbench.toolchain.pins import digest, pins_for, releases

if TYPE_CHECKING:
    from workbench.plan.plan import Plan

SHELF = Paths(CHECKOUT)


def plans_of(name: str) -> list[Plan]:
    """Return a plan of a recipe for each kind of target that it has, whoever could build it here."""
    planner = Planner.of(load(SHELF.recipes, name), Request(name=name), SHELF, Settings())
    torch = "2.11" if planner.recipe.torch else ""
    found = []
    for variant in ("", *planner.recipe.variants):
        for compute in ("cpu", "cu130"):
            axes = Axes(python="3.12", arch="x86_64", compute=compute, torch=torch, variant=variant)
            try:
                drafts, _ = planner.drafts(cross(axes))
            except UsageError:
                continue
            found += [plan for draft in drafts if (plan := planner.of_cell(draft.target, "host"))]
    return found


def stated(plan: Plan) -> Provenance:
    """Return what the statement of a build of a plan says, once it was written and read."""
    used = [
        *_source(plan),
        *(Used(role="patch", name=each.name, digest={"sha256": each.sha256}) for each in plan.patches),
        Used(role="python", name="CPython", version="3.12.1"),
    ]
    made = Provenance(
        command="",
        builder=plan.builder,
        workbench="",
        started="",
        finished="",
        isolation=Isolation(how=""),
        epoch=0,
        parameters=parameters(plan),
        inputs=recipe_inputs(plan),
        environment=plan.environment,
        used=tuple(used),
        key=plan.key,
    )
    return read_statement(statement("x.whl", "0" * 64, made), where="it").made


def _source(plan: Plan) -> list[Used]:
    source = plan.source
    if isinstance(source, Sdist):
        uri = f"pkg:pypi/{source.name or plan.recipe.name}@{plan.recipe.version}"
        return [Used(role="source", name="x", uri=uri, digest={"sha256": source.sha256})]
    assert isinstance(source, Git)
    return [Used(role="source", name="x", uri=f"git+{source.url}", digest={"gitCommit": source.commit})]


@pytest.mark.parametrize("name", names(SHELF.recipes))
def test_every_recipe_of_the_shelf_can_be_read_back(name: str) -> None:
    plans = plans_of(name)
    assert plans
    for plan in plans:
        texts = {each.sha256: each.text for each in plan.patches}
        again = replace(restored(stated(plan), texts, where="it"), toolkit=plan.toolkit)
        assert (again.key, again.title, again.recipe.name) == (plan.key, plan.title, plan.recipe.name)
        assert again.patches == tuple(
            replace(mine, path=theirs.path) for mine, theirs in zip(plan.patches, again.patches, strict=True)
        )


PLAN = planned(
    Recipe(name="demo", version="1.0-1", description="", source=Sdist(sha256="0" * 64)),
    Target(python="3.12", arch="x86_64"),
    suffix=".dev2",
)


def test_what_a_build_needs_of_the_sites_own_is_read_back_and_in_its_key() -> None:
    needs = tuple(Needed(package=name, key="1" * 64) for name in ("one", "two"))
    plan = replace(PLAN, needs=needs)
    again = restored(stated(plan), {}, where="it")
    assert (again.needs, again.key) == (needs, plan.key)
    assert plan.key != PLAN.key


@pytest.mark.parametrize(
    ("url", "uri"),
    [
        ("https://example.com/a%20b.git", "git+https://example.com/a%20b.git"),
        ("https://example.com/a b.git", "git+https://example.com/a%20b.git"),
        ("/home/zoë/my work/demo", "git+file:///home/zo%C3%AB/my%20work/demo"),
        ("git@example.com:demo.git", "git+ssh://git@example.com/demo.git"),
    ],
)
def test_a_repository_is_named_by_a_uri_and_its_url_read_back_as_it_was(url: str, uri: str) -> None:
    source = Git(url=url, commit="1" * 40, branch="main")
    plan = planned(replace(PLAN.recipe, source=source), PLAN.target)
    made = stated(plan)
    older = replace(
        made,
        inputs={name: values for name, values in made.inputs.items() if name != "source_url"},
        used=tuple(replace(each, uri=f"git+{url}") if each.role == "source" else each for each in made.used),
    )
    assert made.of_role("source")[0].uri == uri
    for each in (made, older):
        again = restored(each, {}, where="it")
        assert (again.source, again.key) == (source, plan.key)
        assert not changed_inputs(each, plan)
    moved = replace(plan, source=replace(source, url="https://example.com/else"))
    assert [each.name for each in changed_inputs(made, moved)] == ["source's URL"]


def test_a_submodule_may_lie_in_a_folder_with_an_odd_name(tmp_path: Path) -> None:
    path = "third party/pärt (old)"
    for name in ("part", "whole"):
        run(["git", "init", "--quiet", tmp_path / name])
    whole: list[str | Path] = ["git", "-C", tmp_path / "whole", "-c", "protocol.file.allow=always"]
    commit = ["-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "--quiet", "--allow-empty"]
    run(["git", "-C", tmp_path / "part", *commit, "--message", "one"])
    run([*whole, "submodule", "--quiet", "add", f"{tmp_path.as_uri()}/part", path])
    plan: Any = SimpleNamespace(source=Git(url="x", commit="1" * 40, branch="main", submodules=True))
    place: Any = SimpleNamespace(tree=tmp_path / "whole")
    (found,) = submodules(plan, place)
    head = run(["git", "-C", tmp_path / "part", "rev-parse", "HEAD"]).output.strip()
    assert (found.name, found.digest) == (path, {"gitCommit": head})
    assert found.uri == f"git+{tmp_path.as_uri()}/part"


CUDA = replace(
    PLAN, target=Target(python="3.12", arch="x86_64", compute="cu130", gpu=("sm_90",)), toolkit="then"
)


@pytest.mark.parametrize("compute", [release.compute for release in releases()])
@pytest.mark.parametrize("libraries", [(), ("cusolver", "cufft")])
def test_what_a_toolkit_was_laid_out_from_is_read_back(compute: str, libraries: tuple[str, ...]) -> None:
    recipe, target = replace(PLAN.recipe, cuda_libraries=libraries), replace(CUDA.target, compute=compute)
    used = tuple(toolkit_of(replace(CUDA, recipe=recipe, target=target)))
    assert toolkit_pins(used) == pins_for(compute, libraries)


def older(compute: str) -> ToolkitPins:
    """Return pins as an older lock had them."""
    now = pins_for(compute, ())
    then = re.sub(r"nvidia-cuda-cccl==\S+", "nvidia-cuda-cccl==13.0.50", now.requirements)
    assert then != now.requirements
    return ToolkitPins(version="13.0.0", requirements=then)


def test_a_wheel_is_built_again_with_the_toolkit_of_an_older_lock(paths: Paths) -> None:
    then = older("cu130")
    plan = replace(CUDA, toolkit=digest(then.requirements), toolkit_pins=then)
    made = stated(plan)
    made = replace(made, used=(*made.used, *toolkit_of(plan)))
    build = StatedBuild(filename="x.whl", sha256="0" * 64, made=made)
    first = FirstBuild(path=Path("x.whl"), build=build, statement="0" * 64, where="it")
    again = rebuild_of(first, paths, Settings(), any_tools=True)
    assert (again.plan.toolkit, again.plan.toolkit_pins, again.plan.key) == (plan.toolkit, then, plan.key)
    assert not [each for each in again.other_tools if "nvidia" in each or "cu130" in each]


@pytest.mark.parametrize(
    "change",
    [
        {"name": "evil"},
        {"version": "1 --index-url=https://example.com"},
        {"about": "one of 00"},
        {"version": "1.0"},
        {"about": ""},
    ],
)
def test_a_toolkit_that_is_not_told_whole_is_not_asked_of_an_index(change: dict[str, str]) -> None:
    whole, one, *rest = toolkit_of(CUDA)
    altered: Any = change
    assert toolkit_pins((whole, replace(one, **altered), *rest)) is None
    assert toolkit_pins((whole,)) is None


def test_the_line_that_asks_for_it_has_the_suffix_alone() -> None:
    assert "--version-suffix .dev2" in command_of(PLAN)


def test_the_order_of_cudas_libraries_is_no_change() -> None:
    had, has = (
        replace(PLAN, recipe=replace(PLAN.recipe, cuda_libraries=names))
        for names in (("cublas", "cusparse"), ("cusparse", "cublas"))
    )
    assert had.key == has.key
    assert not changed_inputs(stated(had), has)
