"""What a build says of itself: the provenance beside a wheel, and the bill of materials within it."""

from __future__ import annotations

import hashlib
import json
import subprocess
import zipfile
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.forked import invoke
from tests.verbs.conftest import git
from workbench.builders.isolation import why_not
from workbench.builders.tools import expect_toolkit
from workbench.evidence import notes
from workbench.evidence.built_with import toolkit_of
from workbench.evidence.sbom import bill_of_materials, sbom_of
from workbench.plan.target import Target
from workbench.settings import Settings
from workbench.toolchain.pins import release_of
from workbench.wheel.elf import Elf

if TYPE_CHECKING:
    from pathlib import Path

    from tests.evidence.conftest import Signed
    from tests.verbs.conftest import Demo
    from workbench.paths import Paths


def test_the_statement_has_what_the_build_really_used(signed: Signed) -> None:
    done = invoke("evidence.show", signed.wheel.name, "--json")
    told: dict[str, Any] = json.loads(done.stdout)
    assert told == json.loads(invoke("evidence.show", signed.wheel, "--json").stdout)
    assert (told["_type"], told["predicateType"]) == (
        "https://in-toto.io/Statement/v1",
        "https://slsa.dev/provenance/v1",
    )
    sha256 = hashlib.sha256(signed.wheel.read_bytes()).hexdigest()
    assert told["subject"] == [{"name": signed.wheel.name, "digest": {"sha256": sha256}}]
    definition = told["predicate"]["buildDefinition"]
    used = {each["annotations"]["role"]: each for each in definition["resolvedDependencies"]}
    patch = signed.paths.patches / "demo" / "answer.patch"
    assert used["patch"]["digest"]["sha256"] == hashlib.sha256(patch.read_bytes()).hexdigest()
    recipe = signed.paths.recipes / "demo.py"
    assert used["recipe"]["digest"]["sha256"] == hashlib.sha256(recipe.read_bytes()).hexdigest()
    compiler = subprocess.run(["cc", "--version"], capture_output=True, text=True, check=True).stdout
    assert used["compiler"]["annotations"]["version"] in compiler
    assert definition["internalParameters"]["isolation"]["isolated"] is (why_not() == "")
    setuptools = used["requirement"]
    assert (setuptools["name"], len(setuptools["digest"]["sha256"])) == ("setuptools", 64)


def test_a_toolkit_is_named_by_its_distributions_and_their_hashes() -> None:
    target = Target(python="3.12", arch="aarch64", compute="cu130", gpu=("sm_121",))
    toolkit = expect_toolkit(target, ("cublas",), Settings(), may_be_in_image=False)
    plan: Any = SimpleNamespace(
        toolkit=toolkit,
        toolkit_pins=None,
        target=target,
        recipe=SimpleNamespace(cuda_libraries=("cublas",)),
    )
    whole, *parts = toolkit_of(plan)
    assert toolkit is not None
    assert whole.digest["sha256"].startswith(toolkit), "by which the build key knows it"
    pins = release_of("cu130").pins
    assert {"nvidia-cublas", "nvidia-cuda-nvcc"} < {each.name for each in parts}
    for each in parts:
        assert each.about.startswith("one of ")
        assert all(f"--hash=sha256:{digest}" in pins[each.name] for digest in each.about.split()[2:])
    own: Any = SimpleNamespace(toolkit="/usr/local/cuda-13.0 " + "a" * 64, target=target)
    (used,) = toolkit_of(own)
    assert (used.digest, "/usr/local" in repr(used)) == ({"sha256": "a" * 64}, False)


def test_the_page_leads_to_how_it_was_made(signed: Signed) -> None:
    page = (signed.paths.root / "index" / "demo" / "index.html").read_text()
    for ending in (".statement.*.json", ".sbom.*.json"):
        assert f'href="../../files/demo/{signed.published(ending).name}"' in page


def test_the_source_is_named_by_its_commit_and_the_tree_before_the_patches(demo: Demo) -> None:
    built = invoke("build", "demo")
    assert built.status == 0, built.stderr
    (wheel,) = demo.wheels()
    known = notes.recall(wheel)
    assert known is not None
    assert known.provenance is not None
    (source,) = known.provenance.of_role("source")
    assert source.digest == {
        "gitCommit": git(demo.repository, "rev-parse", "HEAD"),
        "gitTree": git(demo.repository, "rev-parse", "HEAD^{tree}"),
    }
    assert known.provenance.epoch == int(git(demo.repository, "log", "-1", "--format=%ct"))
    # and the command that it names builds the same plan again
    again = invoke(*known.provenance.command.split()[1:])
    assert (again.status, "was built earlier from the same inputs" in again.stdout) == (0, True), again.stderr


def test_what_is_locked_is_what_is_installed(demo: Demo) -> None:
    """Each file has the hash that the index gives it; one that came otherwise would not be installed."""
    built = invoke("build", "demo", env={"WORKBENCH_DEBUG": "1"})
    assert built.status == 0, built.stderr
    (wheel,) = demo.wheels()
    known = notes.recall(wheel)
    assert known is not None
    assert known.provenance is not None
    for each in known.provenance.of_role("requirement"):
        assert each.url.endswith(".whl")
        assert set(each.digest) == {"sha256"}


def test_the_bill_of_materials_is_valid_and_the_same_each_time(signed: Signed) -> None:
    content = sbom_of(signed.wheel)
    assert content is not None
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(content.decode()) is None
    bill = json.loads(content)
    wheel = bill["metadata"]["component"]
    assert (wheel["name"], wheel["version"]) == ("demo", "1.0")
    assert "answer.patch#sha256=" in wheel["pedigree"]["patches"][0]["diff"]["url"]
    known = notes.recall(signed.wheel)
    assert known is not None
    assert known.provenance is not None
    assert bill_of_materials(known.provenance, [], [], key=known.build_key) == content
    assert signed.published(".sbom.*.json").read_bytes() == content


def test_libraries_in_the_wheel_are_named_with_their_versions(signed: Signed) -> None:
    known = notes.recall(signed.wheel)
    assert known is not None
    assert known.provenance is not None
    paths = ["demo.libs/libgomp-a34b3233.so.1.0.0", "demo/lib/libkernels.so", "demo/_c.cpython-311-x.so"]
    libraries = [Elf(path=path, machine="x86_64", bits=64) for path in paths]
    content = bill_of_materials(known.provenance, libraries, ["libgomp-a34b3233.so.1.0.0"], key=None)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(content.decode()) is None
    inside = {
        each["name"]: (each.get("version"), each["properties"][0]["value"])
        for each in json.loads(content)["components"]
        if each["scope"] == "required"
    }
    assert inside == {"libgomp": ("1.0.0", "repair"), "libkernels": (None, "the build itself")}


def test_a_wheel_without_binaries_has_one_too(paths: Paths, tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "pyproject.toml").write_text('[project]\nname = "plain"\nversion = "1.0"\n')
    (folder / "plain.py").write_text("answer = 42\n")
    (paths.recipes / "plain.py").write_text(
        "from workbench.recipe import Recipe, Sdist\n"
        'recipe = Recipe(name="plain", version="1.0", description="x", source=Sdist(sha256="'
        + "0" * 64
        + '"))\n'
    )
    built = invoke("build", "plain", "--source-dir", folder)
    assert built.status == 0, built.stderr
    (wheel,) = paths.wheels.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        assert "plain-1.0.dist-info/sboms/wheel-workbench.cdx.json" in archive.namelist()
    assert invoke("verify", wheel).status == 0
    told = invoke("evidence.show", wheel)
    assert "a folder of the machine that built it: not pinned" in told.stdout
    assert str(tmp_path) not in told.stdout  # where it lay is nobody's business


def test_a_wheel_from_elsewhere_has_nothing_to_show(signed: Signed) -> None:
    (signed.paths.wheels / f"{signed.wheel.name}.build.json").unlink()
    done = invoke("evidence.show", signed.wheel)
    assert (done.status, "it was built elsewhere" in done.stderr) == (22, True)
