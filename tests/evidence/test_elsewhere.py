"""A signed index of wheels that lie at a release: whoever has its address and the key proves them like any others."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from tests.evidence.test_attestations import fresh  # noqa: F401 - fixtures for these tests too
from tests.forked import invoke
from tests.outlets.conftest import REPOSITORY, hub  # noqa: F401 - likewise
from workbench.evidence.notes import statement_path
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


def test_a_statement_that_lies_there_and_nobody_signed_is_not_linked_to(
    fresh: Signed,  # noqa: F811
    hub: WritableGitHub,  # noqa: F811
) -> None:
    settings = fresh.paths.root / "workbench.yaml"
    signing = settings.read_text()
    settings.write_text("{}\n")
    assert invoke("upload", fresh.wheel, "--to", "github:v1").status == 0
    settings.write_text(signing)
    for words in (["--dry-run"], []):
        done = invoke("upload", fresh.wheel, "--to", "github:v1,index", *words)
        told = "it is not signed" in done.stderr and "evidence.sign" in done.stderr
        assert (done.status, told, fresh.paths.registry.exists()) == (22, True, False), done.stderr
    assert invoke("evidence.sign", fresh.wheel).status == 0
    (release,) = hub.repositories[REPOSITORY].releases
    (asset,) = [each for each in release["assets"] if each["name"].endswith(".statement.json")]
    signed = statement_path(fresh.wheel).read_bytes()
    asset["digest"] = f"sha256:{hashlib.sha256(signed).hexdigest()}"
    repository = hub.repositories[REPOSITORY]
    repository.assets[asset["id"]] = signed
    (path,) = [each for each in repository.files if each.endswith(asset["name"])]
    repository.files[path] = signed
    done = invoke("upload", fresh.wheel, "--to", "github:v1,index")
    assert done.status == 0, done.stderr
    assert fresh.proved().status == 0
