from __future__ import annotations

import json
import shutil
from typing import TYPE_CHECKING

import pytest

from tests.forked import invoke
from tests.outlets.conftest import REPOSITORY
from tests.outlets.github_server import Fault
from workbench.errors import OutletError, VerificationFailed
from workbench.registry.file import load

if TYPE_CHECKING:
    from pathlib import Path

    from tests.outlets.github_server import WritableGitHub
    from tests.verbs.conftest import Demo

TO = "site,github:v{version}"


@pytest.fixture
def demo(released: Demo) -> Demo:
    """Return the small package, released in the site and nowhere else."""
    return released


def test_a_release_goes_on_where_it_stopped(demo: Demo, hub: WritableGitHub) -> None:
    (wheel,) = demo.wheels()
    dry = invoke("release", "demo", "--to", TO, "--dry-run")
    assert dry.status == 0, dry.stderr
    shown = " ".join(dry.stdout.split())
    for expected in (
        "login for github:v{version} the variable",
        "published there send",
        "would send to github:v{version}",
    ):
        assert expected in shown
    assert not hub.repositories[REPOSITORY].releases

    hub.faults += [Fault("PATCH", "/releases/", "502 before") for _ in range(3)]
    failed = invoke("release", "demo", "--to", TO)
    assert failed.status == 23, failed.stderr
    assert "has all its files and could not be published" in failed.stderr
    assert hub.names(REPOSITORY, "v1.0") == []

    done = invoke("release", "demo", "--to", TO, "--json")
    assert done.status == 0, done.stderr
    (outlet,) = json.loads(done.stdout)["outlets"]
    assert outlet["sent"] == [wheel.name]
    assert hub.names(REPOSITORY, "v1.0") == [
        f"{wheel.name}{end}" for end in ("", ".metadata", ".statement.json")
    ]
    (release,) = hub.repositories[REPOSITORY].releases
    digests = {each["name"]: each["digest"] for each in release["assets"]}
    ((_, registered),) = load(demo.paths.registry).wheels()
    assert digests[wheel.name] == f"sha256:{registered.sha256}"

    again = invoke("release", "demo", "--to", TO)
    assert again.status == 0, again.stderr
    assert "0 wheels sent, 1 there already" in again.stdout
    assert "build" not in again.stderr


def test_a_dry_run_without_a_login_shows_what_it_would_do_and_what_is_missing(
    demo: Demo, hub: WritableGitHub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("GITHUB_TOKEN", "TESTPYPI_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    to = ["--to", "site,github:v1,testpypi"]
    dry = invoke("release", "demo", *to, "--dry-run")
    assert dry.status == OutletError.exit_code
    shown = " ".join(dry.stdout.split())
    for expected in (
        "login for github:v1 missing",
        "published there not asked not asked",
        "would send to testpypi",
    ):
        assert expected in shown
    assert "no token for GitHub: set GITHUB_TOKEN" in dry.stderr
    assert "set TESTPYPI_API_TOKEN" in dry.stderr
    told = invoke("release", "demo", *to, "--dry-run", "--json")
    assert json.loads(told.stdout)["logins"] == {"github:v1": None, "testpypi": None}
    assert json.loads(told.stdout)["preflight"][0]["not_asked"] == ["github:v1", "testpypi"]
    for each in demo.paths.wheels.iterdir():
        each.unlink()
    done = invoke("release", "demo", *to)
    assert (done.status, hub.asked) == (OutletError.exit_code, []), "nothing is fetched or built for it"
    assert not list(demo.paths.wheels.iterdir())


def test_an_index_links_to_the_statement_in_the_sites_store(
    demo: Demo, hub: WritableGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = tmp_path / "fresh"
    for each in ("recipes", "patches", "wheels"):
        shutil.copytree(demo.paths.root / each, fresh / each)
    monkeypatch.setenv("WORKBENCH_SITE", str(fresh))
    (wheel,) = demo.wheels()
    done = invoke("upload", fresh / "wheels" / wheel.name, "--to", "github:v1,index")
    assert done.status == 0, done.stderr
    ((_, row),) = load(fresh / "packages.json").wheels()
    assert row.build is not None
    assert row.build.statement
    stated = (fresh / row.build.statement).read_bytes()
    at_the_release = f"/{REPOSITORY}/releases/download/v1/{wheel.name}.statement.json"
    assert hub.repositories[REPOSITORY].files[at_the_release] == stated
    assert row.build.log is None, "which lies nowhere"
    assert f'{row.build.statement}"' in "".join(
        each.read_text() for each in (fresh / "index").rglob("*.html")
    )
    shown = invoke("evidence.show", wheel.name)
    assert (shown.status, "demo" in shown.stdout) == (0, True), shown.stderr


def test_a_published_wheel_is_fetched_back_to_be_sent_on(demo: Demo, hub: WritableGitHub) -> None:
    (wheel,) = demo.wheels()
    content = wheel.read_bytes()
    for each in list(demo.paths.wheels.iterdir()):
        each.unlink()
    done = invoke("release", "demo", "--to", "github:v{version}")
    assert done.status == 0, done.stderr
    assert hub.repositories[REPOSITORY].files[f"/{REPOSITORY}/releases/download/v1.0/{wheel.name}"] == content
    assert f"{wheel.name}.statement.json" in hub.names(REPOSITORY, "v1.0")
    # killed before what is known of it was written too
    for each in set(demo.paths.wheels.iterdir()) - {wheel}:
        each.unlink()
    assert invoke("release", "demo", "--to", "github:again").status == 0
    assert f"{wheel.name}.statement.json" in hub.names(REPOSITORY, "again")


def test_a_published_wheel_that_does_not_verify_is_not_sent_on(demo: Demo, hub: WritableGitHub) -> None:
    demo.recipe.write_text(demo.recipe.read_text().replace("== 42", "== 43"))
    done = invoke("release", "demo", "--to", "github")
    assert done.status == VerificationFailed.exit_code, done.stderr
    assert not hub.repositories[REPOSITORY].releases


def test_what_every_place_has_is_not_built_again(
    demo: Demo, hub: WritableGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a fresh machine: neither wheels/ nor the registry knows of it, and the release has it."""
    assert invoke("release", "demo", "--to", "github:v1").status == 0
    fresh, dist = tmp_path / "fresh", tmp_path / "elsewhere"
    for each in ("recipes", "patches"):
        shutil.copytree(demo.paths.root / each, fresh / each)
    monkeypatch.setenv("WORKBENCH_SITE", str(fresh))
    done = invoke("release", "demo", "--to", "github:v1", "--dist-dir", dist)
    assert done.status == 0, done.stderr
    assert "skip the build" in done.stdout
    assert (
        f"is not built: github:v1 has {hub.names(REPOSITORY, 'v1')[0]}, whatever it was built of"
        in done.stdout
    )
    rehearsed = invoke("release", "demo", "--to", "github:v1", "--dry-run")
    assert (rehearsed.status, "would" in rehearsed.stdout) == (0, False), "nothing is left to do"
    assert not dist.exists()
    assert hub.names(REPOSITORY, "v1")
    without = invoke("release", "demo", "--to", "github:v1", "--skip-github", "--dry-run")
    assert without.status == 2
    assert "leaves nothing of --to" in without.stderr
