"""What the README and the publishing guide tell people to type, typed: in a checkout of their own."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.publish.sites import at, candidate
from tests.test_docs import commands
from tests.verbs.conftest import SETUP, C, git
from workbench.index.serve import served
from workbench.paths import CHECKOUT, Paths
from workbench.plan.target import this_python
from workbench.process import environment
from workbench.publish.transaction import publish
from workbench.registry.file import load
from workbench.store.folder import FolderStore

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.paths import Paths


@pytest.fixture
def checkout(paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a site that looks as a checkout does to who works in it."""
    monkeypatch.setenv("WORKBENCH_CACHE", str(tmp_path / "cache"))
    for name in ("tasks.py", "noxfile.py", "workbench"):
        (paths.root / name).symlink_to(CHECKOUT / name)
    return paths.root


def typed(line: str, folder: Path) -> str:
    """Type a line into a shell and return what it printed; it must succeed."""
    done = subprocess.run(
        ["sh", "-c", line],
        cwd=folder,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{line}\n{done.stderr}"
    return done.stdout + done.stderr


def test_a_package_of_your_own_from_a_fork_to_a_published_wheel(
    checkout: Path, paths: Paths, tmp_path: Path
) -> None:
    fork = tmp_path / "fork"
    fork.mkdir()
    (fork / "open3d.c").write_text(C.replace("demo", "open3d"))
    (fork / "setup.py").write_text(SETUP.replace("demo", "open3d"))
    git(fork, "init", "--quiet", "--initial-branch=main")
    git(fork, "add", ".")
    git(fork, "commit", "--quiet", "--message", "one")
    readme = CHECKOUT / "README.md"
    here = {"https://github.com/me/Open3D-aarch64": str(fork), "--python 3.10": f"--python {this_python()}"}
    begin, end = "invoke add-package open3d", "nox -s verify"
    lines = commands(readme)
    lines = lines[next(n for n, line in enumerate(lines) if line.startswith(begin)) : lines.index(end) + 1]
    assert [line.split()[1] for line in lines] == ["add-package", "build", "upload", "-s"]
    assert all(there in "\n".join(lines) for there in here)
    script = "\n".join(lines)
    for there, instead in here.items():
        script = script.replace(there, instead)
    *_, said = (typed(line, checkout) for line in script.splitlines())
    ((name, wheel),) = load(paths.registry).wheels()
    assert (name, wheel.python_version) == ("open3d", this_python())
    assert f"Session verify(open3d-{this_python()}) was successful" in said


def test_what_the_publishing_guide_undoes_and_keeps_up(checkout: Path, paths: Paths, tmp_path: Path) -> None:
    store = FolderStore(paths.root)
    for version in ("1.0", "2.0"):
        publish(at(paths, store), [candidate(tmp_path, "demo", version)])
    beside = ("my-wheels", "store.import")  # a bucket of yours, and the test below
    lines = [
        line
        for line in commands(CHECKOUT / "docs" / "publishing.md")
        if not any(word in line for word in beside)
    ]
    assert {line.split()[1] for line in lines} >= {"store.history", "store.rollback", "yank", "store.prune"}
    said = {line: typed(line.replace("rollback 12", "rollback 1"), checkout) for line in lines}
    assert "take demo-2.0-py3-none-any.whl off the index" in said["invoke store.rollback 12 --dry-run"]
    assert [wheel.filename for _, wheel in load(paths.registry).wheels()] == ["demo-2.0-py3-none-any.whl"]


def test_a_site_with_a_registry_of_the_older_form_is_brought_over(checkout: Path, paths: Paths) -> None:
    paths.registry.write_text(
        '{"packages": {"demo": {"source_repo": "u", "description": "d", "wheels": []}}}'
    )
    (line,) = (line for line in commands(CHECKOUT / "docs" / "publishing.md") if "store.import" in line)
    typed(line, checkout)
    assert list(load(paths.registry).packages) == ["demo"]
    assert (paths.root / "packages.json.older").exists()


def test_what_the_index_guide_draws_and_checks(checkout: Path, paths: Paths, tmp_path: Path) -> None:
    publish(at(paths, FolderStore(paths.root)), [candidate(tmp_path)])
    lines = [line for line in commands(CHECKOUT / "docs" / "index.md") if line != "invoke serve"]
    assert {line.split()[1] for line in lines} == {"index", "check-index"}
    with served(paths.root) as url:
        for line in lines:
            typed(line.replace("https://wheels.example.com/index/simple/", url), checkout)
