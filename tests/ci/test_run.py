"""A fresh fork of the example site: its workflows are written, and every job's steps run, in order, on this machine.

GitHub's own parser and evaluator decide what runs; see ``actions.py`` for what stands in for what. A wheel for aarch64
is built by the cross compiler. What cannot be tried here is who attests and who asks for that: unverified.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.ci.actions import Evaluator, Hosted, Run
from tests.consume.github_server import serving
from tests.outlets.github_server import WritableGitHub
from tests.verbs.conftest import git
from workbench.container.engine import find_engine
from workbench.container.image import ImageRecipe, build_image
from workbench.index.serve import served
from workbench.paths import CHECKOUT, Paths
from workbench.plan.target import this_python
from workbench.process import environment

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "t0ken-of-a-run"  # noqa: S105 - a stand-in's
REPOSITORY = "someone/wheels"

X86_64 = f"annoy-1.17.3-cp{this_python().replace('.', '')}-cp{this_python().replace('.', '')}-manylinux_2_34_x86_64.whl"

SETTINGS = f"""\
matrix:
  python: "{this_python()}"
  arch: x86_64,aarch64
ci:
  python: "{this_python()}"
  schedule: "17 3 * * *"
"""

pytestmark = [
    pytest.mark.needs("aarch64-linux-gnu-g++", "qemu-aarch64-static", "podman"),
    pytest.mark.skipif(not Evaluator.is_here(), reason="tests/ci/setup fetches GitHub's parser"),
]


@pytest.fixture(scope="module")
def evaluator() -> Iterator[Evaluator]:
    with Evaluator() as made:
        yield made


@pytest.fixture(scope="module")
def hub() -> Iterator[WritableGitHub]:
    """Return GitHub's API for releases, with an empty repository."""
    with serving(WritableGitHub()) as server:
        server.repository(REPOSITORY)
        server.tokens = {TOKEN}
        yield server


@pytest.fixture(scope="module")
def fork(tmp_path_factory: pytest.TempPathFactory, hub: WritableGitHub) -> Hosted:
    """Return a fork of the shipped site, of one real package, with the workflows that `ci.write` writes there."""
    place = tmp_path_factory.mktemp("fork")
    work = place / "checkout"
    for name in (
        "workbench",
        "containers",
        "inv",
        "tasks.py",
        "noxfile.py",
        "requirements.lock",
        ".gitignore",
    ):
        there, here = CHECKOUT / name, work / name
        if there.is_dir():
            shutil.copytree(there, here, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            here.parent.mkdir(exist_ok=True)
            shutil.copy(there, here)
    for name in ("recipes/annoy.py", "patches/annoy", "packages.json", "wheels/README.md", "index/README.md"):
        (work / name).parent.mkdir(exist_ok=True)
        copy = shutil.copytree if (CHECKOUT / name).is_dir() else shutil.copy
        copy(CHECKOUT / name, work / name)
    runtime = build_image(
        ImageRecipe(arch="x86_64", kind="runtime"), find_engine("podman"), cache=Paths.here().cache
    )
    images = f"container: {{engine: podman, runtime_images: {{cpu: {{x86_64: '{runtime.name}'}}}}}}\n"
    (work / "workbench.yaml").write_text(SETTINGS + images)
    (work / ".venv").symlink_to(sys.prefix)
    done = subprocess.run(
        ["./inv", "ci.write"], cwd=work, env=environment(), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert ".github/workflows/wheels.yml" in done.stdout
    origin = place / "origin.git"
    git(place, "init", "--quiet", "--bare", "--initial-branch=main", str(origin))
    git(work, "init", "--quiet", "--initial-branch=main")
    git(work, "add", ".", ":!.venv")
    git(work, "commit", "--quiet", "--message", "A site of my own")
    git(work, "push", "--quiet", str(origin), "main")
    variables = {"GITHUB_API_URL": hub.api, "TOKEN": TOKEN, "WORKBENCH_SITE": None, "GITHUB_TOKEN": None}
    return Hosted(origin=origin, place=place, variables=variables)


def installed(index: str, into: Path, *installer: str) -> None:
    """Install annoy from an index into a folder, and use it there."""
    words = [
        *installer,
        "install",
        "--quiet",
        "--no-deps",
        "--target",
        str(into),
        "--index-url",
        index,
        "annoy",
    ]
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    used = [sys.executable, "-c", "import annoy; print(annoy.AnnoyIndex(3, 'angular').f)"]
    assert (
        subprocess.run(
            used, env=environment({"PYTHONPATH": str(into)}), check=True, capture_output=True
        ).stdout
        == b"3\n"
    )


def test_a_fork_builds_publishes_goes_on_after_a_failure_and_ends_with_an_index(
    fork: Hosted, hub: WritableGitHub, evaluator: Evaluator, tmp_path: Path
) -> None:
    lost = Run(fork, "wheels.yml", evaluator, inputs={"package": "annoy"})
    lost.broken = lambda job, cell: job == "build" and cell["arch"] == "aarch64"
    assert lost.walk().results == {
        "matrix": "success",
        "build": "failure",
        "verify": "success",
        "publish": "success",
        "pages": "success",
    }, lost.said()
    assert lost.outputs["matrix"]["count"] == "2"
    assert f"try {X86_64} in localhost/" in lost.said()

    # what is published is not built: only what was lost is, whoever starts it
    again = Run(fork, "wheels.yml", evaluator, event_name="schedule").walk()
    assert set(again.results.values()) == {"success"}, again.said()
    assert again.outputs["matrix"]["count"] == "1"

    done = Run(fork, "wheels.yml", evaluator, event_name="schedule").walk()
    assert done.outputs["matrix"]["count"] == "0"
    assert {name for name, result in done.results.items() if result != "skipped"} == {"matrix"}

    (tag,) = {release["tag_name"] for release in hub.repositories[REPOSITORY].releases}
    wheels = [name for name in hub.names(REPOSITORY, tag) if name.endswith(".whl")]
    assert sorted(
        name.partition("-manylinux_")[2].partition("_")[2].partition("_")[2] for name in wheels
    ) == ["aarch64.whl", "x86_64.whl"]
    assert sorted(fork.attested) == sorted(wheels)
    (release,) = hub.repositories[REPOSITORY].releases
    assert all(
        f"#sha256={asset['digest'].removeprefix('sha256:')}" in release["body"]
        for asset in release["assets"]
        if asset["name"].endswith(".whl")
    )

    site = tmp_path / "site"
    shutil.copytree(fork.pages, site / "wheels")  # a project's pages lie below its name
    with served(site / "wheels") as index:
        installed(index, tmp_path / "by-pip", sys.executable, "-m", "pip")
        installed(index, tmp_path / "by-uv", "uv", "pip")


def test_a_pull_request_builds_what_it_changes_and_can_publish_nothing(
    fork: Hosted, evaluator: Evaluator
) -> None:
    base = git(fork.origin, "rev-parse", "HEAD")
    work = fork.place / "checkout"
    git(work, "pull", "--quiet", str(fork.origin), "main")
    (work / "docs").mkdir(exist_ok=True)
    (work / "docs" / "note.md").write_text("beside every recipe\n")
    git(work, "add", "docs")
    git(work, "commit", "--quiet", "--message", "Nothing to build")
    git(work, "push", "--quiet", str(fork.origin), "main")
    event = {"pull_request": {"base": {"sha": base}}}
    run = Run(fork, "check.yml", evaluator, event_name="pull_request", event=event).walk()
    assert run.results == {
        "workflows": "success",
        "matrix": "success",
        "build": "skipped",
        "verify": "skipped",
    }, run.said()
    assert run.outputs["matrix"]["count"] == "0"
