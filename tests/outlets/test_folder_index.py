"""Pages for a folder of wheels, and pages in a branch: pip and uv install from below a path prefix."""

from __future__ import annotations

import subprocess
import sys
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from tests.forked import invoke
from tests.outlets.conftest import wheel
from tests.publish.sites import at, candidate
from tests.serving import serving
from workbench.process import environment, run
from workbench.publish.commit import commit_registry
from workbench.publish.transaction import publish
from workbench.simple.check import check_index
from workbench.store.folder import FolderStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workbench.paths import Paths


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def below_a_prefix(root: Path) -> Iterator[str]:
    """Serve a folder as GitHub's Pages does a repository's, and yield where ``user/wheels`` in it is found."""
    with serving(ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(root)))) as server:
        yield f"http://127.0.0.1:{server.server_address[1]}/user/wheels"


def installed(simple: str, folder: Path, pin: str) -> None:
    """See that pip and uv install from an index alone."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-cache-dir", "--disable-pip-version-check"]
    uv = ["uv", "pip", "install", "--quiet", "--no-cache"]
    for name, words in (("pip", pip), ("uv", uv)):
        target = folder / name
        done = subprocess.run(
            [*words, "--target", str(target), "--index-url", simple, "--no-deps", pin],
            env=environment({"PIP_CONFIG_FILE": "/dev/null"}),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert (target / "demo" / "__init__.py").is_file()


def test_pip_and_uv_install_from_the_pages_of_a_folder(paths: Paths, tmp_path: Path) -> None:
    folder = tmp_path / "www" / "user" / "wheels"
    made = [wheel(folder, "1.0"), wheel(folder, "2.0+cu130")]
    with below_a_prefix(tmp_path / "www") as base:
        words = ["index", "--from", str(folder), "--base-url", base]
        dry = invoke(*words, "--dry-run")
        assert dry.status == 0, dry.stderr
        assert {each.name for each in folder.iterdir()} == {each.name for each in made}
        done = invoke(*words)
        assert done.status == 0, done.stderr
        assert f"for pip and uv: {base}/index/simple/" in done.stdout
        assert {each.name for each in folder.iterdir()} == {"index", *(each.name for each in made)}
        report = check_index(f"{base}/index/simple/", hashes=True)
        assert (report.files, report.errors) == (2, 0), report.findings
        installed(f"{base}/index/simple/", tmp_path, "demo==2.0+cu130")
    assert not paths.registry.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--from", "."], "go together"),
        (["--from", "nowhere", "--base-url", "https://example.com/"], "no such folder"),
        (["--from", ".", "--base-url", "https://example.com/"], "there are no wheels in it"),
        (["--from", ".", "--base-url", "example.com"], "give the http or https URL"),
        (["--from", ".", "--base-url", "https://example.com/my wheels/"], "percent-encoded (%20"),
    ],
)
def test_what_is_no_folder_of_wheels_is_told(paths: Paths, words: list[str], said: str) -> None:
    done = invoke("index", *words, cwd=paths.root)
    assert done.status == 2
    assert said in done.stderr


def test_committed_pages_are_served_from_the_branch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clone of what was committed is a site below a path prefix, without the wheels, which lie elsewhere."""
    from workbench.paths import Paths

    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "A Tester")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "tester@example.com")
    site = Paths(tmp_path / "checkout")
    site.root.mkdir()
    run(["git", "init", "--quiet", site.root])
    (site.root / ".gitignore").write_text("/index/*\n/files/\n/records/\n/history/\n/.workbench/\n")
    with below_a_prefix(tmp_path / "www") as base:
        (site.root / "workbench.yaml").write_text(f"public_url: {base}\nindex: {{committed: true}}\n")
        publish(at(site, FolderStore(site.root)), [candidate(tmp_path / "made")])
        assert commit_registry(site)
        committed = run(["git", "-C", site.root, "ls-files"]).output.split()
        assert "index/simple/demo/index.html" in committed
        assert not [each for each in committed if each.startswith((".", "files", "records")) or "/." in each]
        pages = tmp_path / "www" / "user" / "wheels"
        run(["git", "clone", "--quiet", site.root, pages])
        (site.root / "files").rename(pages / "files")  # a release has them, or another branch
        installed(f"{base}/index/simple/", tmp_path, "demo==1.0")
    assert not commit_registry(site), "nothing is left to commit"
