"""Doctor in a folder store; ``tests/integration/s3`` has what a bucket adds."""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING

import pytest

from tests.publish.sites import ONE, TWO, Eventful, at, begin_deletion, overwrite, registry_of
from workbench.builders import isolation
from workbench.care.doctor import doctor
from workbench.files import temporary
from workbench.paths import Paths
from workbench.publish.withdraw import remove
from workbench.store.folder import FolderStore

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.care.diagnosis import Diagnosis


def found(paths: Paths, store: Eventful, *, deep: bool = False) -> dict[str, Diagnosis]:
    """Return what is wrong, by check; there is no public URL, which is said, as is what this machine cannot do."""
    findings = {f.check: f for f in doctor(at(paths, store), deep=deep) if f.verdict != "good"}
    findings.pop("memory", None)
    assert findings.pop("public URL").verdict == "untried"
    return findings


def test_a_store_in_order_is_that(paths: Paths, store: Eventful) -> None:
    remove(at(paths, store), [ONE])
    assert found(paths, store, deep=True) == {}


def test_one_wheel_is_not_wheels(paths: Paths, store: Eventful) -> None:
    remove(at(paths, store), [ONE])
    said = {f.check: f.what for f in doctor(at(paths, store))}
    assert said["files"] == "1 wheel there, with the right sizes"


def test_a_site_in_which_nothing_was_published_yet_is_in_order(tmp_path: Path) -> None:
    said = doctor(at(Paths(tmp_path), FolderStore(tmp_path)))
    assert [f.check for f in said if f.verdict == "bad"] == []


def test_a_lost_registry_is_told_with_what_it_would_be_made_anew_from(paths: Paths, store: Eventful) -> None:
    store.delete("packages.json")
    told = found(paths, store)["registry"]
    assert "packages.json is gone" in told.what
    assert (
        told.remedy
        == "invoke store.reconcile makes it anew from the newest generation in the history that can be read"
    )


def test_a_registry_of_a_newer_program_is_no_case_for_reconcile(paths: Paths, store: Eventful) -> None:
    text = (paths.root / "packages.json").read_text()
    (paths.root / "packages.json").write_text(text.replace('"schema": 2', '"schema": 3'))
    *_, told = doctor(at(paths, store))
    assert (told.check, told.verdict) == ("registry", "bad")
    assert "reconcile" not in told.remedy


def test_a_machine_that_cannot_isolate_builds_is_told_what_to_do(
    paths: Paths, store: Eventful, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(isolation, "_BWRAP", "a-bwrap-that-is-not-there")
    isolation.why_not.cache_clear()
    told, *_ = doctor(at(paths, store))
    isolation.why_not.cache_clear()
    assert (told.check, told.verdict, told.remedy) == ("isolation", "untried", "'apt install bubblewrap'")


def test_a_machine_that_allows_no_user_namespaces_is_told_what_allows_them(
    paths: Paths, store: Eventful, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on Ubuntu, whose AppArmor wants a profile."""
    refused, restricted = tmp_path / "bwrap", tmp_path / "restricted"
    refused.write_text("#!/bin/sh\necho 'bwrap: setting up uid map: Permission denied' >&2\nexit 1\n")
    refused.chmod(0o755)
    restricted.write_text("1\n")
    monkeypatch.setattr(isolation, "_BWRAP", str(refused))
    monkeypatch.setattr(isolation, "_RESTRICTED", restricted)
    isolation.why_not.cache_clear()
    told, *_ = doctor(at(paths, store))
    isolation.why_not.cache_clear()
    assert told.what.endswith("bubblewrap cannot start here (setting up uid map, Permission denied)")
    assert told.remedy.startswith(
        "Ubuntu lets a program make user namespaces by an AppArmor profile: install"
    )


def test_a_machine_that_cannot_limit_builds_is_told_why(
    paths: Paths, store: Eventful, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workbench.care.doctor.no_group", lambda: "no systemd-run: log in by ssh")
    _, told, *_ = doctor(at(paths, store))
    assert (told.check, told.verdict, told.remedy) == ("memory", "untried", "log in by ssh")


def test_what_killed_commands_have_left_among_temporary_files_is_named(
    paths: Paths, store: Eventful, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with temporary() as used:
        left = tmp_path / f"{used.name}-left"
        left.mkdir()
        said = {f.check: f for f in doctor(at(paths, store))}["temporary files"]
    assert (said.verdict, said.what.partition(" ")[0]) == ("good", str(left))


@pytest.mark.parametrize("page", ["index/simple/demo/index.html", "index/simple/ghost/index.html"])
def test_pages_that_are_not_as_drawn_are_named(paths: Paths, store: Eventful, page: str) -> None:
    (paths.root / page).parent.mkdir(exist_ok=True)
    (paths.root / page).write_text("<html>")
    told = found(paths, store)
    assert set(told) == {"pages"}
    assert told["pages"].what == f"{page} is not as it is drawn"


def test_a_deletion_that_was_cut_short_is_told(paths: Paths, store: Eventful) -> None:
    remove(at(paths, store), [ONE])
    begin_deletion(store, ONE)
    assert found(paths, store)["records"].what == f"{ONE} is being deleted"


def test_many_problems_are_told_as_some_and_a_number(paths: Paths, store: Eventful) -> None:
    registry = registry_of(store)
    overwrite(store, registry.without_wheel("demo", ONE).without_wheel("demo", TWO))
    for number in range(9):
        record = paths.root / f"records/demo/demo-1.{number}-py3-none-any.whl.json"
        record.write_bytes((paths.root / f"records/demo/{ONE}.json").read_bytes())
    assert found(paths, store)["records"].what.endswith("; and 5 more")
