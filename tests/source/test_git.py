"""Git sources, from repositories that git itself serves."""

from __future__ import annotations

import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from workbench.errors import SourceError
from workbench.process import run
from workbench.recipe.model import Git
from workbench.source.git import LFS, Found, fetch_git, keep_described, resolve

if TYPE_CHECKING:
    from pathlib import Path

    from .conftest import GitServer, Repository

pytestmark = pytest.mark.needs("git")


@pytest.fixture
def repository(git_server: GitServer) -> Repository:
    return git_server.repository("project")


def head(tree: Path) -> str:
    return run(["git", "-C", tree, "rev-parse", "HEAD"]).output.strip()


def fetched(repository: Repository, tmp_path: Path, into: str = "tree", **keys: Any) -> Path:
    fetch_git(
        Git(**{"url": repository.url, "branch": "main", **keys}), tmp_path / into, cache=tmp_path / "cache"
    )
    return tmp_path / into


# --- resolve


def test_resolve_the_default_branch(repository: Repository) -> None:
    repository.git("checkout", "-q", "-b", "develop")
    tip = repository.commit("x", "1")
    run(["git", "--git-dir", repository.bare, "symbolic-ref", "HEAD", "refs/heads/develop"])
    assert resolve(repository.url) == Found(commit=tip, branch="develop")


def test_resolve_a_branch(repository: Repository) -> None:
    main = repository.git("rev-parse", "HEAD")
    repository.git("checkout", "-q", "-b", "fix/things")
    tip = repository.commit("x", "1")
    assert resolve(repository.url, branch="fix/things") == Found(commit=tip, branch="fix/things")
    assert resolve(repository.url, branch="main") == Found(commit=main, branch="main")


def test_resolve_tags_to_the_commit_that_they_name(repository: Repository) -> None:
    commit = repository.git("rev-parse", "HEAD")
    repository.git("tag", "light")
    repository.git("tag", "-a", "v1.0", "-m", "one")
    repository.push()
    assert repository.git("rev-parse", "v1.0") != commit
    assert resolve(repository.url, tag="light") == Found(commit=commit, tag="light")
    assert resolve(repository.url, tag="v1.0") == Found(commit=commit, tag="v1.0")


def test_a_missing_branch_or_tag_names_what_there_is(repository: Repository) -> None:
    repository.git("branch", "release-1.0")
    repository.git("tag", "v1.0")
    repository.push()
    for asked, why in (
        ({"branch": "release-1"}, "no branch 'release-1' (did you mean 'release-1.0'?)"),
        ({"branch": "zzz"}, "no branch 'zzz'; it has main, release-1.0"),
        ({"branch": "v1.0"}, "there is a tag of that name: --tag v1.0"),
        ({"tag": "main"}, "there is a branch of that name: --branch main"),
        ({"tag": "v1.1"}, "no tag 'v1.1' (did you mean 'v1.0'?)"),
    ):
        with pytest.raises(SourceError) as raised:
            resolve(repository.url, **asked)
        assert why in str(raised.value)


def test_an_empty_repository(git_server: GitServer) -> None:
    run(["git", "init", "-q", "--bare", git_server.root / "empty.git"])
    with pytest.raises(SourceError, match="the repository is empty: push a commit to it first"):
        resolve(git_server.url("empty"))


def test_a_url_that_does_not_answer(git_server: GitServer, tmp_path: Path, refusing: int) -> None:
    for url in (git_server.url("none"), f"git://127.0.0.1:{refusing}/x.git", str(tmp_path / "none")):
        with pytest.raises(SourceError) as raised:
            resolve(url)
        assert str(raised.value).startswith(f"{url}: no Git repository answers there: ")


def test_gits_whole_reason_is_told_and_its_advice_is_not(refusing: int) -> None:
    with pytest.raises(SourceError) as raised:
        resolve(f"git://127.0.0.1:{refusing}/x.git")
    first, _ = str(raised.value).splitlines()
    assert "unable to connect" in first
    assert first.endswith("Connection refused"), "it stands on git's second line"
    with pytest.raises(SourceError) as raised:
        resolve("/nowhere/at/all")
    first, _ = str(raised.value).splitlines()
    assert first.endswith("'/nowhere/at/all' does not appear to be a git repository")


def test_a_password_in_a_url_is_not_shown(refusing: int) -> None:
    url = f"http://ada:s3cret@127.0.0.1:{refusing}/x.git"
    with pytest.raises(SourceError) as raised:
        resolve(url)
    assert "s3cret" not in str(raised.value)
    assert "http://***@127.0.0.1" in str(raised.value)


# --- fetch


def test_the_pinned_commit_is_checked_out_whatever_the_branch_says(
    repository: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pinned = repository.commit("x", "pinned")
    newer = repository.commit("x", "newer")

    tree = fetched(repository, tmp_path, commit=pinned)

    assert head(tree) == pinned
    assert (tree / "x").read_text() == "pinned"
    assert (tree / "README").read_text() == "first"
    told = capsys.readouterr().err
    assert f"branch main of {repository.url} is now at {newer}; the recipe stays at its pin {pinned}" in told


def test_a_commit_that_is_cached_needs_no_network(
    repository: Repository, tmp_path: Path, git_server: GitServer
) -> None:
    pinned = repository.commit("x", "1")
    fetched(repository, tmp_path, commit=pinned)
    repository.bare.rename(git_server.root / "away.git")

    assert head(fetched(repository, tmp_path, "again", commit=pinned)) == pinned


def test_a_tag_is_there_for_git_describe(repository: Repository, tmp_path: Path) -> None:
    repository.git("tag", "-a", "v1.0", "-m", "one")
    repository.git("tag", "other")
    repository.push()
    commit = repository.git("rev-parse", "HEAD")

    tree = fetched(repository, tmp_path, commit=commit, branch=None, tag="v1.0")

    assert run(["git", "-C", tree, "tag"]).output.split() == ["v1.0"]
    assert run(["git", "-C", tree, "describe", "--dirty", "--long"]).output.strip() == f"v1.0-0-g{commit[:7]}"


def test_a_moved_tag_is_told_and_not_followed(
    repository: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    repository.git("tag", "v1.0")
    pinned = repository.commit("x", "1")
    repository.git("tag", "--force", "v1.0")
    repository.commit("x", "2")
    repository.git("tag", "--force", "v1.0")
    repository.push()

    assert head(fetched(repository, tmp_path, commit=pinned, branch=None, tag="v1.0")) == pinned
    assert "tag v1.0 of" in capsys.readouterr().err


def test_the_repository_of_a_hook_that_calls_us_is_left_alone(
    repository: Repository, git_server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pinned = repository.commit("x", "1")
    hooked = git_server.repository("hooked")
    before = hooked.git("rev-parse", "HEAD")
    monkeypatch.setenv("GIT_DIR", str(hooked.work / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(hooked.work / ".git" / "index"))

    tree = fetched(repository, tmp_path, commit=pinned)

    assert (tree / "x").read_text() == "1"
    assert (hooked.git("rev-parse", "HEAD"), hooked.git("status", "--short")) == (before, "")


def test_a_url_that_looks_like_an_option(tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    url = f"--upload-pack=touch {flag};"
    for action in (
        lambda: resolve(url),
        lambda: fetch_git(Git(url=url, commit="0" * 40, tag="x"), tmp_path / "tree", cache=tmp_path),
    ):
        with pytest.raises(SourceError):
            action()
    assert not flag.exists()


def refuse_hashes(repository: Repository) -> None:
    """Make the server hand out only what a ref points to, as old servers do."""
    run(["git", "--git-dir", repository.bare, "config", "protocol.version", "0"])
    run(["git", "--git-dir", repository.bare, "config", "uploadpack.allowAnySHA1InWant", "false"])


def test_a_server_that_refuses_hashes_gives_the_branch(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # git's protocol 2 gives any commit; 0 does not
    monkeypatch.setenv("GIT_CONFIG_COUNT", "1")
    monkeypatch.setenv("GIT_CONFIG_KEY_0", "protocol.version")
    monkeypatch.setenv("GIT_CONFIG_VALUE_0", "0")
    refuse_hashes(repository)
    pinned = repository.commit("x", "pinned")
    repository.commit("x", "newer")

    assert head(fetched(repository, tmp_path, commit=pinned)) == pinned


def test_a_commit_that_is_gone(repository: Repository, tmp_path: Path) -> None:
    gone = repository.commit("x", "gone")
    repository.git("reset", "-q", "--hard", "HEAD~1")
    now = repository.commit("x", "rewritten")
    run(["git", "--git-dir", repository.bare, "gc", "-q", "--prune=now"])

    with pytest.raises(SourceError) as raised:
        fetched(repository, tmp_path, commit=gone)

    assert f"does not have the pinned commit {gone}: branch main is now at {now}" in str(raised.value)
    assert "history was rewritten" in str(raised.value)


def test_a_branch_that_is_gone_and_its_commit_too(repository: Repository, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="branch topic is not there any more"):
        fetched(repository, tmp_path, commit="1" * 40, branch="topic")


def test_submodules_with_relative_urls_and_submodules_of_their_own(
    git_server: GitServer, tmp_path: Path
) -> None:
    inner = git_server.repository("inner")
    library = git_server.repository("library")
    project = git_server.repository("project")
    file_allowed = ("-c", "protocol.file.allow=always")
    for outer, url, path in ((library, "../inner.git", "inner"), (project, "../library.git", "deps/library")):
        outer.git(*file_allowed, "submodule", "add", "-q", url, path)
        outer.commit("has", path)
    pinned = project.git("rev-parse", "HEAD")
    inner.commit("README", "newer than the pin")

    tree = fetched(project, tmp_path, commit=pinned, submodules=True)
    plain = fetched(project, tmp_path, "plain", commit=pinned)

    assert (tree / "deps" / "library" / "README").read_text() == "first"
    assert (tree / "deps" / "library" / "inner" / "README").read_text() == "first"
    assert list((plain / "deps" / "library").iterdir()) == []


def test_a_submodule_that_is_gone(git_server: GitServer, tmp_path: Path) -> None:
    library = git_server.repository("library")
    project = git_server.repository("project")
    project.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", "../library.git", "library")
    pinned = project.commit("has", "library")
    library.bare.rename(git_server.root / "away.git")

    with pytest.raises(SourceError, match=r"cannot fetch the submodules of git://"):
        fetched(project, tmp_path, commit=pinned, submodules=True)


def described(tree: Path) -> tuple[str, ...]:
    """Return what tools that take the version from git ask."""
    questions = (
        "describe --dirty --long",
        "describe --all --exact-match",
        "status --porcelain --ignore-submodules=none",
        "rev-parse HEAD",
        "rev-list --count HEAD",
        "log -1 --format=%H%cI%an%s",
    )
    return tuple(run(["git", "-C", tree, *each.split()]).output for each in questions)


def test_a_patched_tree_answers_as_the_pinned_tag_does(
    repository: Repository, git_server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_ALLOW_PROTOCOL", "git:file")
    part = git_server.repository("part")
    repository.git("submodule", "add", "-q", part.url, "part")
    (repository.work / ".gitignore").write_text("*.ignored\n")
    repository.commit("pkg/x", "1")
    repository.git("tag", "-a", "v1.0", "-m", "one")
    repository.push()
    pin = repository.git("rev-parse", "HEAD")
    tree = fetched(repository, tmp_path, commit=pin, branch=None, tag="v1.0", submodules=True)
    before = described(tree)

    (tree / "README").write_text("changed")
    (tree / "pkg" / "x").unlink()
    (tree / "pkg").rmdir()
    (tree / "pkg").write_text("a file now")
    (tree / "made.ignored").write_text("new")
    (tree / "part" / "README").write_text("changed too")
    keep_described(tree, ["README", "pkg/x", "pkg", "made.ignored", "part/README"])

    assert described(tree) == before
    assert run(["git", "-C", tree, "ls-tree", "-r", "--name-only", "HEAD"]).output.split() == [
        ".gitignore",
        ".gitmodules",
        "README",
        "made.ignored",
        "part",
        "pkg",
    ]
    (tree / "README").write_text("by the build")
    assert "v1.0-0-" in described(tree)[0]
    assert described(tree) != before


@pytest.fixture
def with_lfs(repository: Repository, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    """Give the repository a file in Git LFS; return the commit."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))  # no filters are set up there
    monkeypatch.setenv("GIT_LFS_SKIP_SMUDGE", "1")
    repository.git("remote", "set-url", "origin", repository.bare.as_uri())
    for key, value in LFS.items():
        repository.git("config", key, value)
    (repository.work / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    (repository.work / "w.bin").write_bytes(CONTENT)
    commit = repository.commit("x", "1")
    repository.git("lfs", "push", "--all", "origin")
    return commit


CONTENT = bytes(range(256)) * 12


@pytest.mark.needs("git-lfs")
def test_a_file_in_git_lfs_comes_with_its_content(
    repository: Repository, with_lfs: str, tmp_path: Path, git_server: GitServer
) -> None:
    local = replace(repository, url=repository.bare.as_uri())  # git's daemon speaks no LFS
    assert (fetched(local, tmp_path, commit=with_lfs) / "w.bin").read_bytes() == CONTENT
    repository.bare.rename(git_server.root / "away.git")
    assert (fetched(local, tmp_path, "again", commit=with_lfs) / "w.bin").read_bytes() == CONTENT


@pytest.mark.needs("git-lfs")
def test_a_tree_with_git_lfs_is_clean_where_there_is_none_also_when_it_is_patched(
    repository: Repository, with_lfs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container, into which the tree is copied."""
    tree = fetched(replace(repository, url=repository.bare.as_uri()), tmp_path, commit=with_lfs)
    (tree / "README").write_text("patched\n")
    keep_described(tree, ["README"])
    copy = shutil.copytree(tree, tmp_path / "copy")
    assert run(["git", "-C", copy, "status", "--porcelain"]).output == ""
    (programs := tmp_path / "bin").mkdir()
    (programs / "git").symlink_to(str(shutil.which("git")))
    monkeypatch.setenv("PATH", str(programs))
    (copy / "w.bin").touch()
    assert run(["git", "-C", copy, "status", "--porcelain"]).output == ""
    assert run(["git", "-C", copy, "rev-parse", "HEAD"]).output.strip() == with_lfs


@pytest.mark.needs("git-lfs")
def test_without_git_lfs_its_pointers_are_refused(
    repository: Repository, with_lfs: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "git").symlink_to(str(shutil.which("git")))
    monkeypatch.setenv("PATH", str(programs))
    with pytest.raises(SourceError, match=r"keeps w\.bin in Git LFS, .* install git-lfs"):
        fetched(repository, tmp_path, commit=with_lfs)
