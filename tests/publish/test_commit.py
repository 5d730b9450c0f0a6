from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.publish.sites import NOW, at, candidate
from workbench.care.upkeep import clean
from workbench.errors import InstallFailed, UsageError
from workbench.evidence.facts import BuildFacts
from workbench.process import run
from workbench.publish.commit import commit_registry, committing
from workbench.publish.history import rollback
from workbench.publish.transaction import publish
from workbench.publish.withdraw import remove, yank
from workbench.registry.file import dumps
from workbench.registry.model import Package, Registry, Unavailable
from workbench.store.folder import FolderStore

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.paths import Paths


@pytest.fixture
def checkout(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """Return a site in a Git checkout with a change of somebody's in it, staged."""
    for name in ("GIT_AUTHOR_NAME", "GIT_COMMITTER_NAME"):
        monkeypatch.setenv(name, "A Tester")
    for name in ("GIT_AUTHOR_EMAIL", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(name, "tester@example.com")
    run(["git", "init", "--quiet", paths.root])
    (paths.root / "mine.txt").write_text("not for this commit")
    run(["git", "-C", paths.root, "add", "mine.txt"])
    return paths


def shown(paths: Paths) -> str:
    return run(["git", "-C", paths.root, "show", "--format=%B", "--name-only", "HEAD"]).output


def test_the_commit_names_the_wheel_and_holds_the_registry_alone(checkout: Paths, tmp_path: Path) -> None:
    publish(at(checkout, FolderStore(checkout.root)), [candidate(tmp_path)])
    assert commit_registry(checkout)
    assert shown(checkout).split() == ["publish", "demo-1.0-py3-none-any.whl", "packages.json"]
    assert not commit_registry(checkout)


def test_many_wheels_stand_below_a_short_first_line(checkout: Paths, tmp_path: Path) -> None:
    wheels = [candidate(tmp_path, "demo", f"1.{number}") for number in range(5)]
    publish(at(checkout, FolderStore(checkout.root)), wheels)
    commit_registry(checkout)
    subject, empty, *names = shown(checkout).splitlines()[:7]
    assert subject == "publish 5 wheels"
    assert not empty
    assert names == [wheel.path.name for wheel in wheels]


def test_wheels_that_were_yanked_are_named_as_such(checkout: Paths, tmp_path: Path) -> None:
    store = FolderStore(checkout.root)
    wheels = [candidate(tmp_path, "demo", f"1.{number}") for number in range(5)]
    publish(at(checkout, store), wheels)
    commit_registry(checkout)
    names = [wheel.path.name for wheel in wheels]
    yank(at(checkout, store), names)
    commit_registry(checkout)
    assert shown(checkout).splitlines()[:7] == ["yank 5 wheels", "", *names]


def test_the_commit_names_all_that_changed_since_the_last_one(checkout: Paths, tmp_path: Path) -> None:
    store = FolderStore(checkout.root)
    publish(at(checkout, store), [candidate(tmp_path, "demo", "1.0")])
    commit_registry(checkout)
    publish(
        at(checkout, store),
        [candidate(tmp_path, "demo", "2.0"), candidate(tmp_path, "other")],
    )
    yank(at(checkout, store), ["demo-1.0-py3-none-any.whl"])
    commit_registry(checkout)
    subject, empty, *lines = shown(checkout).splitlines()[:5]
    assert (subject, empty) == ("yank demo-1.0-py3-none-any.whl", "")
    assert lines == [
        "yank demo-1.0-py3-none-any.whl",
        "publish demo-2.0-py3-none-any.whl",
        "publish other-1.0-py3-none-any.whl",
    ]
    rollback(at(checkout, store), 1)
    commit_registry(checkout)
    assert shown(checkout).splitlines()[:3] == [
        "rollback to generation 1",
        "",
        "unyank demo-1.0-py3-none-any.whl",
    ]


def test_a_message_may_name_thousands_of_wheels(checkout: Paths, tmp_path: Path) -> None:
    one = candidate(tmp_path).wheel
    names = [f"demo-1.{number}-{LONG}.whl" for number in range(1600)]
    wheels = tuple(replace(one, filename=name, url=f"files/demo/{name}") for name in names)
    package = Package(source_repo="https://example.com", wheels=wheels)
    checkout.registry.write_text(dumps(Registry(generation=1, packages={"demo": package})))
    assert commit_registry(checkout)
    assert names[-1] in shown(checkout)


def test_a_folder_outside_git_is_told_as_such_before_anything_is_changed(
    paths: Paths, tmp_path: Path
) -> None:
    publish(at(paths, FolderStore(paths.root)), [candidate(tmp_path)])
    before = paths.registry.read_bytes()
    with pytest.raises(UsageError, match="not a Git checkout"), committing(paths, wanted=True):
        paths.registry.write_text("changed")
    assert paths.registry.read_bytes() == before


def test_what_a_failing_verb_has_published_is_committed_and_its_error_stays(
    checkout: Paths, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = FolderStore(checkout.root)

    def publish_and_fail(version: str) -> None:
        with committing(checkout, wanted=True):
            publish(at(checkout, store), [candidate(tmp_path, version=version)])
            raise InstallFailed("the proof")

    with pytest.raises(InstallFailed):
        publish_and_fail("1.0")
    assert shown(checkout).split()[:2] == ["publish", "demo-1.0-py3-none-any.whl"]
    hook = checkout.root / ".git" / "hooks" / "pre-commit"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(InstallFailed):
        publish_and_fail("1.1")
    assert "packages.json is not committed" in capsys.readouterr().err


def test_a_root_that_is_signed_anew_is_committed_and_told_as_such(checkout: Paths, tmp_path: Path) -> None:
    publish(at(checkout, FolderStore(checkout.root)), [candidate(tmp_path)])
    assert commit_registry(checkout)
    (checkout.root / "trust").mkdir()
    assert not commit_registry(checkout), "there is nothing in it yet"
    (checkout.root / ".gitignore").write_text("/trust/\n")
    for name in ("keys.json", "timestamp.json", "second.key", ".keys.json.h4lf"):
        (checkout.root / "trust" / name).write_text("{}")
    assert commit_registry(checkout)
    told = shown(checkout).splitlines()
    assert told[0] == "draw or sign the index of generation 1 anew"
    assert told[-2:] == ["trust/keys.json", "trust/timestamp.json"]
    assert len(told) == len(["its subject", "", "", *told[-2:]]), (
        "nobody's private key, and nothing half-written"
    )


def test_the_log_of_a_failed_build_goes_with_the_pages_of_wheels_that_lie_elsewhere(
    checkout: Paths, tmp_path: Path
) -> None:
    one = candidate(tmp_path).wheel
    logs = {name: f"files/{name}/{name}.{'0' * 12}.log" for name in ("demo", "other", "gone")}
    packages = {
        name: Package(
            source_repo="https://example.com",
            wheels=(replace(one, filename=f"{name}-1.0-py3-none-any.whl", url=url),),
            unavailable=(Unavailable(reason="does not build", log=logs[name]),),
        )
        for name, url in (
            ("demo", "https://example.com/demo-1.0-py3-none-any.whl"),
            ("gone", "https://example.com/gone-1.0-py3-none-any.whl"),
            ("other", "files/other/other-1.0-py3-none-any.whl"),
        )
    }
    checkout.registry.write_text(dumps(Registry(generation=1, packages=packages)))
    for name in ("demo", "other"):
        (checkout.root / logs[name]).parent.mkdir(parents=True)
        (checkout.root / logs[name]).write_text("error")
    assert commit_registry(checkout)
    assert shown(checkout).split()[-2:] == [logs["demo"], "packages.json"]


def test_a_link_that_leads_out_of_the_files_is_not_followed(checkout: Paths, tmp_path: Path) -> None:
    one = candidate(tmp_path).wheel
    (checkout.root / ".env").write_text("GITHUB_TOKEN=secret")
    (checkout.root / "files").mkdir()
    build = BuildFacts(
        source="demo==1.0", pin="a" * 64, statement="files/../.env", sbom="files/demo/../../.env"
    )
    elsewhere = replace(one, url="https://example.com/demo-1.0-py3-none-any.whl", build=build)
    package = Package(source_repo="https://example.com", wheels=(elsewhere,))
    checkout.registry.write_text(dumps(Registry(generation=1, packages={"demo": package})))
    assert commit_registry(checkout)
    assert shown(checkout).split()[-1] == "packages.json"
    assert ".env" not in run(["git", "-C", checkout.root, "ls-files"]).output.split()


LONG = "cp311-cp311-manylinux_2_27_x86_64.manylinux_2_28_x86_64.manylinux_2_34_x86_64"


def test_a_change_of_no_wheel_is_told_however_long_its_name_is(checkout: Paths, tmp_path: Path) -> None:
    store = FolderStore(checkout.root)
    made = candidate(tmp_path, "demo", "1.0", tag=LONG)
    publish(at(checkout, store), [made])
    remove(at(checkout, store), [made.path.name], after_days=1, now=NOW)
    commit_registry(checkout)
    clean(at(checkout, store), apply=True, now=NOW + timedelta(days=2))
    assert commit_registry(checkout)
    assert shown(checkout).splitlines()[0] == f"delete {made.path.name}"


def test_where_nothing_was_ever_published_there_is_nothing_to_commit(checkout: Paths) -> None:
    assert not commit_registry(checkout)
