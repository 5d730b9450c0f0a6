"""Several versions of a package, and a variant that is a project of its own: built, published, found by its name."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING

from tests.forked import invoke
from tests.verbs.conftest import SETUP, git
from workbench.registry.file import load

if TYPE_CHECKING:
    from tests.verbs.conftest import Demo

RECIPE = """\
from workbench.recipe import Git, Recipe, when

recipe = Recipe(
    name="demo",
    versions={{
        "1.0": Git(url="{url}", commit="{old}", branch="main"),
        "1.1": Git(url="{url}", commit="{new}", branch="main"),
    }},
    description="A demonstration",
    variants={{"fast": "demo-fast"}},
    environment={{"CFLAGS": when("-DVERSION_ONE", version="<1.1")}},
    smoke_test="import demo; assert demo.answer() == 42",
)
"""


def test_versions_of_a_variant_are_published_under_its_own_name(demo: Demo) -> None:
    old = git(demo.repository, "rev-parse", "HEAD")
    (demo.repository / "setup.py").write_text(SETUP.replace('"1.0"', '"1.1"'))
    git(demo.repository, "commit", "--quiet", "--all", "--message", "two")
    new = git(demo.repository, "rev-parse", "HEAD")
    demo.recipe.write_text(RECIPE.format(url=demo.repository, old=old, new=new))

    done = invoke("release", "demo", "--version", "all", "--variant", "fast", "--json")
    assert done.status == 0, done.stderr
    wheels = [each.filename for each in load(demo.paths.registry).wheels_of("demo-fast")]
    assert [name.split("-")[:2] for name in wheels] == [["demo_fast", "1.0"], ["demo_fast", "1.1"]]
    assert load(demo.paths.registry).packages.keys() == {"demo-fast"}
    with zipfile.ZipFile(demo.paths.wheels / wheels[0]) as wheel:
        metadata = wheel.read("demo_fast-1.0.dist-info/METADATA").decode()
        assert {"Name: demo-fast", "Version: 1.0"} <= set(metadata.splitlines())
        assert {
            name.partition("/")[0].partition("-")[0] for name in wheel.namelist() if "dist-info" in name
        } == {"demo_fast"}
    notes = json.loads((demo.paths.wheels / f"{wheels[0]}.build.json").read_text())
    assert "--version 1.0" in notes["provenance"]["command"]
    assert "--variant fast" in notes["provenance"]["command"]

    anew = invoke("evidence.reproduce", demo.paths.wheels / wheels[0], "--dry-run")
    assert anew.status == 0, anew.stderr

    again = invoke("release", "demo", "--version", "1.0-1.1", "--variant", "all", "--dry-run", "--json")
    told = json.loads(again.stdout)
    assert [each["filename"] for each in told["published_already"]] == wheels
    assert [(each["package"], each["version"]) for each in told["to_do"]] == [
        ("demo", "1.0"),
        ("demo", "1.1"),
    ]
    cells = json.loads(
        invoke("matrix", "demo", "--version", "all", "--variant", "all", "--all", "--json").stdout
    )
    assert [(cell["version"], cell["variant"], cell["state"]) for cell in cells["include"]] == [
        ("1.0", "", "to build"),
        ("1.0", "fast", "published"),
        ("1.1", "", "to build"),
        ("1.1", "fast", "published"),
    ]
    checked = invoke("verify", *(demo.paths.wheels / name for name in wheels), "--json")
    assert [(each["passed"], "smoke" in each["checks"]) for each in json.loads(checked.stdout)] == [
        (True, True)
    ] * 2
    shown = json.loads(invoke("show", "demo-fast", "--json").stdout)
    assert (list(shown["versions"]), len(shown["wheels"]), shown["variants"]) == (
        ["1.0", "1.1"],
        2,
        {"fast": "demo-fast"},
    )
    listed = {each["name"]: each["version"] for each in json.loads(invoke("list", "--json").stdout)}
    assert listed == {"demo": "1.1", "demo-fast": "1.1"}


def test_the_source_of_a_version(demo: Demo) -> None:
    old = git(demo.repository, "rev-parse", "HEAD")
    (demo.repository / "new.txt").touch()
    git(demo.repository, "add", ".")
    git(demo.repository, "commit", "--quiet", "--message", "two")
    new = git(demo.repository, "rev-parse", "HEAD")
    demo.recipe.write_text(RECIPE.format(url=demo.repository, old=old, new=new))
    for words, has in (((), True), (("--version", "1.0"), False)):
        to = demo.paths.root / "-".join(("source", *words))
        assert invoke("source", "demo", "--to", to, *words).status == 0
        assert (to / "new.txt").exists() == has
    refused = invoke("source", "demo", "--version", "1.2")
    assert (refused.status, "the recipe has 1.0, 1.1" in refused.stderr) == (2, True)
