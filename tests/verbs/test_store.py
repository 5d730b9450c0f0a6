"""The store's verbs as they are typed, in a site that is a Git checkout and its own store."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.forked import invoke
from tests.publish.sites import ONE, TWO, at, candidate, filenames, overwrite, registry_of
from workbench.errors import UsageError
from workbench.paths import Paths
from workbench.process import run
from workbench.publish.transaction import publish
from workbench.store.folder import FolderStore

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.paths import Paths


@pytest.fixture
def store(paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FolderStore:
    """Return the store of a site in which two versions are published, and its registry is committed."""
    for name in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{name}_NAME", "A Tester")
        monkeypatch.setenv(f"GIT_{name}_EMAIL", "tester@example.com")
    run(["git", "init", "--quiet", paths.root])
    store = FolderStore(paths.root)
    for version in ("1.0", "2.0"):
        publish(at(paths, store), [candidate(tmp_path, "demo", version)])
    run(["git", "-C", paths.root, "add", "packages.json"])
    run(["git", "-C", paths.root, "commit", "--quiet", "--message", "published"])
    return store


def last_commit(paths: Paths) -> str:
    return run(["git", "-C", paths.root, "show", "--no-patch", "--format=%B", "HEAD"]).output.strip()


def test_reconcile_says_what_it_would_do_then_does_and_commits_it(paths: Paths, store: FolderStore) -> None:
    overwrite(store, registry_of(store).without_wheel("demo", TWO))
    dry = invoke("store.reconcile", "--dry-run", "--json")
    assert dry.status == 0
    assert json.loads(dry.stdout)["done"][0] == f"register {TWO}"
    assert json.loads(dry.stdout)["dry_run"] is True
    assert filenames(store) == [ONE]
    assert f"would register {TWO}" in invoke("store.reconcile", "--dry-run").stdout
    wet = invoke("store.reconcile", "--deep", "--commit")
    assert wet.status == 0
    assert f"register {TWO}" in wet.stdout
    # the checkout had it committed before it was lost
    assert last_commit(paths) == "reconcile"
    assert filenames(store) == [ONE, TWO]


def test_prune_commits_what_it_removed(paths: Paths, store: FolderStore) -> None:
    assert invoke("store.prune", "--keep", "1", "--commit").status == 0
    assert last_commit(paths) == "published"
    assert invoke("store.prune", "--keep", "1", "--after", "0", "--apply", "--commit").status == 0
    assert last_commit(paths) == f"delete {ONE}"
    assert filenames(store) == [TWO]


@pytest.mark.usefixtures("store")
def test_a_limit_of_nothing_is_refused() -> None:
    for limit in ("0", "-3"):
        ran = invoke("store.history", "--limit", limit)
        assert ran.status == UsageError.exit_code
        assert f"--limit {limit}" in ran.stderr


def test_the_history_of_a_lost_registry_says_so(store: FolderStore) -> None:
    store.delete("packages.json")
    ran = invoke("store.history")
    assert "reconcile" in ran.stderr
    assert "(current)" not in ran.stdout


@pytest.mark.usefixtures("paths")
def test_where_there_is_nothing_to_show_that_is_said() -> None:
    assert invoke("store.history").stdout == "nothing was published here yet\n"
    assert invoke("evidence.keys").stdout.startswith("no keys are listed yet: ")


@pytest.mark.usefixtures("store")
def test_the_index_is_drawn_with_an_answer_for_programs(paths: Paths) -> None:
    (paths.root / "index/simple/demo/index.html").write_text("<html>")
    (paths.root / "index/.drawn.json").unlink()
    (paths.root / "index/simple/gone").mkdir()
    (paths.root / "index/simple/gone/index.html").write_text("<html>")
    told = json.loads(invoke("index", "--dry-run", "--json").stdout)
    assert told == {"written": ["simple/demo/index.html"], "removed": ["simple/gone/index.html"]}
    assert invoke("index", "--dry-run").stdout.splitlines() == [
        "would draw simple/demo/index.html",
        "would remove simple/gone/index.html",
    ]
    drawn = json.loads(invoke("index", "--json").stdout)
    assert invoke("index", "--dry-run").stdout == "nothing to do\n"
    assert drawn["written"] == 1
    assert drawn["removed"] == 1


def test_the_index_of_a_store_in_another_folder_is_drawn_there(paths: Paths, tmp_path: Path) -> None:
    (paths.root / "workbench.yaml").write_text("store:\n  folder: public\n")
    public = FolderStore(paths.root / "public")
    publish(at(paths, public), [candidate(tmp_path)])
    page = paths.root / "public/index/simple/demo/index.html"
    drawn = page.read_text()
    page.unlink()
    (paths.root / "public/index/.drawn.json").unlink()
    assert invoke("index").status == 0
    assert page.read_text() == drawn
    assert not paths.index.exists()
