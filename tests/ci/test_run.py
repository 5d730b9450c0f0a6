"""A fresh fork of the example site: its workflows are written, and every job's steps run, in order, on this machine.

GitHub's own parser and evaluator decide what runs; see ``actions.py`` for what stands in for what. A wheel for aarch64
is built by the cross compiler. What cannot be tried here is who attests and who asks for that: unverified.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.ci.actions import Evaluator, Hosted, Run
from tests.installing import with_each
from tests.outlets.github_server import WritableGitHub
from tests.serving import serving
from tests.verbs.conftest import git
from workbench.container.engine import find_engine
from workbench.container.image import ImageRecipe, build_image
from workbench.paths import CHECKOUT, Paths
from workbench.plan.target import this_python
from workbench.process import environment

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "t0ken-of-a-run"  # noqa: S105 - a stand-in's
REPOSITORY = "someone/wheels"

SITE = (
    *("workbench", "containers", "inv", "tasks.py", "noxfile.py", "requirements.lock", ".gitignore"),
    *("recipes/annoy.py", "patches/annoy", "packages.json", "wheels/README.md", "index/README.md"),
)
"""What of this repository the fork has: the workbench, and one real package."""

SETTINGS = f"""\
matrix:
  python: "{this_python()}"
  arch: x86_64,aarch64
ci:
  python: "{this_python()}"
  schedule: "17 3 * * *"
container:
  engine: podman
  runtime_images: {{cpu: {{x86_64: "%s"}}}}
"""

pytestmark = pytest.mark.needs("aarch64-linux-gnu-g++", "qemu-aarch64-static", "podman")


@pytest.fixture(scope="module")
def evaluator() -> Iterator[Evaluator]:
    """Return GitHub's parser and evaluator; ``tests/ci/setup`` fetches it."""
    with Evaluator() as made:
        yield made


@pytest.fixture
def hub() -> Iterator[WritableGitHub]:
    """Return GitHub's API for releases, with an empty repository."""
    with serving(WritableGitHub()) as server:
        server.repository(REPOSITORY)
        server.tokens = {TOKEN}
        yield server


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a Git checkout of the example site, with the workflows that `ci.write` has written there."""
    work = tmp_path_factory.mktemp("site")
    for name in SITE:
        there, here = CHECKOUT / name, work / name
        here.parent.mkdir(exist_ok=True)
        if there.is_dir():
            shutil.copytree(there, here, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(there, here)
    recipe = ImageRecipe(arch="x86_64", kind="runtime")
    runtime = build_image(recipe, find_engine("podman"), cache=Paths.here().cache)
    (work / "workbench.yaml").write_text(SETTINGS % runtime.name)
    (work / ".venv").symlink_to(sys.prefix)
    assert ".github/workflows/wheels.yml" in typed(["./inv", "ci.write"], cwd=work)
    (work / ".venv").unlink()
    git(work, "init", "--quiet", "--initial-branch=main")
    git(work, "add", ".")
    git(work, "commit", "--quiet", "--message", "A site of my own")
    return work


@pytest.fixture
def fork(site: Path, hub: WritableGitHub, tmp_path: Path) -> Hosted:
    """Return the site as a fork at GitHub."""
    origin = tmp_path / "origin.git"
    git(tmp_path, "clone", "--quiet", "--bare", str(site), str(origin))
    variables = {"GITHUB_API_URL": hub.api, "TOKEN": TOKEN, "WORKBENCH_SITE": None, "GITHUB_TOKEN": None}
    return Hosted(origin=origin, place=tmp_path / "hosted", variables=variables)


def typed(words: list[str], *, cwd: Path | None = None, **variables: str) -> str:
    """Run a program, which must succeed, and return what it printed."""
    done = subprocess.run(
        words, cwd=cwd, env=environment(variables), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def pushed(fork: Hosted, clone: Path, path: str, text: str) -> None:
    """Push a change of one file, as somebody does."""
    git(clone.parent, "clone", "--quiet", str(fork.origin), str(clone))
    (clone / path).parent.mkdir(exist_ok=True)
    (clone / path).write_text(text)
    git(clone, "add", path)
    git(clone, "commit", "--quiet", "--message", f"Change {path}")
    git(clone, "push", "--quiet", "origin", "main")


@contextmanager
def pages(folder: Path) -> Iterator[str]:
    """Serve a folder below a project's name, as Pages does; yield the URL of its index."""
    root = folder.parent / "served"
    shutil.copytree(folder, root / "wheels")
    handler = type("Quiet", (SimpleHTTPRequestHandler,), {"log_message": lambda *_: None})
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(root)))) as server:
        yield f"http://127.0.0.1:{server.server_port}/wheels/index/simple/"


def test_a_fork_builds_publishes_goes_on_after_a_failure_and_ends_with_an_index(
    fork: Hosted, hub: WritableGitHub, evaluator: Evaluator, tmp_path: Path
) -> None:
    lost = Run(fork, "wheels.yml", evaluator, inputs={"package": "annoy"})
    lost.broken = lambda job, cell: job == "build" and cell["arch"] == "aarch64"
    lost.meanwhile = lambda step: (
        pushed(fork, tmp_path / "other", "docs/note.md", "Hello\n")
        if step == "push what was committed"
        else None
    )
    ended = dict.fromkeys(("matrix", "build", "verify", "publish", "pages"), "success")
    assert lost.walk().results == ended | {"build": "failure"}, lost.said()
    assert lost.outputs["matrix"]["count"] == "2"
    assert "x86_64.whl in localhost/" in lost.said()  # it was tried in the runtime image
    assert TOKEN not in lost.said()

    # "Re-run failed jobs"
    lost.broken, lost.meanwhile = lambda _job, _cell: False, lambda _step: None
    lost.log.clear()
    assert lost.walk().results == ended, lost.said()
    assert lost.said().count("==== build ") == 1
    # and what is published is not built again
    done = Run(fork, "wheels.yml", evaluator, event_name="schedule").walk()
    assert done.results == dict.fromkeys(ended, "skipped") | {"matrix": "success"}, done.said()

    # a version that is published stays as it is: nothing is built for it
    before = git(fork.origin, "rev-parse", "HEAD")
    recipe = (CHECKOUT / "recipes" / "annoy.py").read_text()
    other = recipe.replace("    smoke_test=", '    environment={"CFLAGS": "-O1"},\n    smoke_test=')
    pushed(fork, tmp_path / "changed", "recipes/annoy.py", other)
    changed = Run(fork, "wheels.yml", evaluator, event_name="push", event={"before": before}).walk()
    assert changed.results == ended | {"build": "failure", "pages": "skipped"}, changed.said()
    assert changed.said().count("::error::annoy 1.17.3") == 2
    assert "---- build" not in changed.said()

    (release,) = hub.repositories[REPOSITORY].releases
    assert release["tag_name"] == "annoy-v1.17.3"
    wheels = {each["name"]: each for each in release["assets"] if each["name"].endswith(".whl")}
    assert sorted(name.rpartition("_34_")[2] for name in wheels) == ["aarch64.whl", "x86_64.whl"]
    for name, asset in wheels.items():
        assert f"{name}#sha256={asset['digest'].removeprefix('sha256:')}" in release["body"]
    assert set(fork.attested) == set(wheels)
    history = git(fork.origin, "log", "--format=%s", "main").splitlines()
    published = [f"publish {name}" for name in wheels]
    assert sorted(history) == sorted(
        [*published, "Change docs/note.md", "Change recipes/annoy.py", "A site of my own"]
    )

    registry = json.loads((fork.pages / "packages.json").read_text())
    for wheel in registry["packages"]["annoy"]["wheels"]:
        build = wheel["build"]
        proofs = [build["statement"], build["sbom"], *(each["url"] for each in build["patches"])]
        assert [each for each in proofs if not (fork.pages / each).is_file()] == []

    with pages(fork.pages) as index:
        for folder in with_each(index, "annoy", tmp_path / "installed", "--no-deps"):
            use = "import annoy; print(annoy.AnnoyIndex(3, 'angular').f)"
            assert typed([sys.executable, "-c", use], PYTHONPATH=str(folder)) == "3\n"


def test_a_pull_request_builds_what_it_changes_and_can_publish_nothing(
    fork: Hosted, hub: WritableGitHub, evaluator: Evaluator, tmp_path: Path
) -> None:
    def checked(path: str, text: str, clone: str) -> Run:
        base = git(fork.origin, "rev-parse", "HEAD")
        pushed(fork, tmp_path / clone, path, text)
        event = {"pull_request": {"base": {"sha": base}}}
        run = Run(fork, "check.yml", evaluator, event_name="pull_request", event=event)
        run.only = lambda cell: cell["arch"] == "x86_64"
        return run.walk()

    ended = dict.fromkeys(("workflows", "matrix", "build", "verify"), "success")
    beside = checked("docs/note.md", "Hello\n", "beside")
    assert beside.results == ended | {"build": "skipped", "verify": "skipped"}, beside.said()
    assert beside.outputs["matrix"]["count"] == "0"
    text = (CHECKOUT / "recipes" / "annoy.py").read_text()
    recipe = checked("recipes/annoy.py", f"{text}# changed\n", "recipe")
    assert recipe.results == ended, recipe.said()
    assert recipe.outputs["matrix"]["count"] == "2"
    assert hub.repositories[REPOSITORY].releases == []

    stale = checked(".github/workflows/outdated.yml", "name: by hand\n", "by-hand")
    assert stale.results["workflows"] == "failure", stale.said()


GH = """\
#!/bin/sh
echo "$@" >>"{log}"
"""


def test_what_is_behind_upstream_is_told_in_an_issue(
    fork: Hosted, evaluator: Evaluator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, program = tmp_path / "gh.log", tmp_path / "bin" / "gh"
    program.parent.mkdir()
    program.write_text(GH.format(log=log))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    run = Run(fork, "outdated.yml", evaluator, event_name="schedule").walk()
    assert run.results == {"outdated": "success"}, run.said()
    assert "annoy" in run.summary
    asked = log.read_text()
    assert asked.startswith("issue list --state open")
    assert ("issue create" in asked) == ("\n0 of " not in run.summary)
