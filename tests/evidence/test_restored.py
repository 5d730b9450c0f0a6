"""A statement holds all that a plan's build key is made of: the plan that is read from it has the same key."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.plans import planned
from workbench.errors import UsageError
from workbench.evidence.gather import command_of
from workbench.evidence.inputs import changed_inputs, parameters, recipe_inputs
from workbench.evidence.provenance import Isolation, Provenance, Used, read_statement, statement
from workbench.evidence.restored import restored
from workbench.make.request import Planner, Request
from workbench.paths import CHECKOUT, Paths
from workbench.plan.axes import Axes
from workbench.plan.plan import Needed
from workbench.plan.target import Target, cross
from workbench.recipe.load import load, names
from workbench.recipe.model import Git, Recipe, Sdist
from workbench.settings import Settings

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


def test_the_line_that_asks_for_it_has_the_suffix_alone() -> None:
    assert "--version-suffix .dev2" in command_of(PLAN)


def test_the_order_of_cudas_libraries_is_no_change() -> None:
    had, has = (
        replace(PLAN, recipe=replace(PLAN.recipe, cuda_libraries=names))
        for names in (("cublas", "cusparse"), ("cusparse", "cublas"))
    )
    assert had.key == has.key
    assert not changed_inputs(stated(had), has)
