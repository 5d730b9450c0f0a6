"""A signed index of wheels that lie at a release: whoever has its address and the key proves them like any others."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.evidence.test_attestations import fresh  # noqa: F401 - fixtures for these tests too
from tests.forked import invoke
from tests.outlets.conftest import hub  # noqa: F401 - likewise
from workbench.evidence.root import ROOT
from workbench.registry.file import load

if TYPE_CHECKING:
    from tests.evidence.conftest import Signed
    from tests.outlets.github_server import WritableGitHub


@pytest.fixture
def linked(fresh: Signed, hub: WritableGitHub) -> Signed:  # noqa: F811 - the fixtures above
    """Return a site that signs, whose one wheel, with a patch in it, lies in a release."""
    done = invoke("upload", fresh.wheel, "--to", "github:v1,index")
    assert done.status == 0, done.stderr
    ((_, published),) = load(fresh.paths.registry).wheels()
    assert published.url.startswith(hub.api)
    return fresh


def test_it_is_proved_and_its_patches_are_those_of_the_statement(linked: Signed) -> None:
    done = linked.proved()
    assert done.status == 0, done.stderr
    assert "its patches are those of the statement: answer.patch" in done.stdout


def test_the_registry_names_the_patches_of_the_statement(linked: Signed) -> None:
    """Whoever has the key of the root, and not of the statement, cannot tell of other patches."""
    known = json.loads(linked.paths.registry.read_text())
    (patch,) = known["packages"]["demo"]["wheels"][0]["build"]["patches"]
    for listed in (
        [],
        [patch | {"sha256": "0" * 64}],
        [patch, patch | {"name": "b.patch", "sha256": "0" * 64}],
    ):
        known["packages"]["demo"]["wheels"][0]["build"]["patches"] = listed
        linked.paths.registry.write_text(json.dumps(known))
        (linked.paths.root / ROOT).unlink()
        assert invoke("evidence.sign-index").status == 0
        done = linked.proved()
        said = "the published patches are not those of its statement"
        assert (done.status, said in done.stderr) == (22, True), done.stderr


def test_it_is_fetched_to_be_built_again_and_its_patches_come_from_here(linked: Signed) -> None:
    name = linked.wheel.name
    linked.wheel.unlink()
    done = invoke("evidence.reproduce", name, "--dry-run")
    assert done.status == 0, done.stderr
    for each in linked.paths.patches.rglob("*.patch"):
        each.unlink()
    done = invoke("evidence.reproduce", name, "--dry-run")
    assert (done.status, "neither in patches/ nor published" in done.stderr) == (22, True), done.stderr
