"""What proves a wheel that lies elsewhere, in the site's store: there while it is linked to, or told of."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.publish.sites import NOW, at, candidate, registry_of
from workbench.care.compare import compare
from workbench.care.public import examine_public
from workbench.care.reconcile import reconcile
from workbench.errors import UsageError
from workbench.evidence.facts import BuildFacts
from workbench.index.serve import served
from workbench.publish.history import rollback
from workbench.publish.publication import Elsewhere, linked_to
from workbench.publish.transaction import publish
from workbench.publish.withdraw import remove
from workbench.store.folder import FolderStore
from workbench.store.layout import provenance_key, statement_key

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from workbench.paths import Paths
    from workbench.publish.publication import Candidate
    from workbench.store.protocol import Content

NAME = "demo-1.0-py3-none-any.whl"
STATEMENT = statement_key("demo", NAME, hashlib.sha256(b"{}").hexdigest())
PROVENANCE = provenance_key("demo", NAME)


@pytest.fixture
def store(paths: Paths) -> FolderStore:
    (paths.root / "workbench.yaml").write_text("public_url: https://wheels.example.com\n")
    return FolderStore(paths.root)


def elsewhere(folder: Path, url: str = "https://example.com/releases") -> Sequence[Candidate]:
    """Return the candidate of a wheel that lies at a release, with a statement and an attestation."""
    made = candidate(folder)
    build = BuildFacts(source="demo==1.0", pin="a" * 64, statement=STATEMENT)
    made = replace(
        made, wheel=replace(made.wheel, build=build), texts={STATEMENT: b"{}"}, provenance=b'{"version": 1}'
    )
    return linked_to([made], {NAME: Elsewhere(url=f"{url}/{NAME}")})


def proofs(store: FolderStore) -> list[str]:
    return [entry.key for entry in store.entries("files/")]


def test_what_is_deleted_before_the_registry_names_it_is_written_again(
    store: FolderStore, tmp_path: Path, paths: Paths, capsys: pytest.CaptureFixture[str]
) -> None:
    """As by the end of a removal: of a wheel of the store's own, the wheel's file tells."""

    class Deleted(FolderStore):
        def create(self, key: str, content: Content, **named: Any) -> bool:
            created = super().create(key, content, **named)
            if key == gone.pop(key, None):
                self.delete(key)
            return created

    for each in (STATEMENT, PROVENANCE):
        gone = {each: each}
        deleted = Deleted(paths.root)
        publish(at(paths, deleted), elsewhere(tmp_path))
        assert not gone
        assert "upload what proves demo-1.0-py3-none-any.whl" in capsys.readouterr().err
        assert proofs(store) == [PROVENANCE, STATEMENT]
        remove(at(paths, store), [NAME], after_days=0)
        assert proofs(store) == []


def test_an_attestation_that_is_gone_is_told_of_and_put_back(
    store: FolderStore, tmp_path: Path, paths: Paths
) -> None:
    publish(at(paths, store), elsewhere(tmp_path))
    assert reconcile(at(paths, store), deep=True).problems == ()
    store.delete(PROVENANCE)
    (fault,) = compare(at(paths, store)).faulty(store, deep=True)
    assert [each.key for each in fault.faults] == [PROVENANCE]
    (told,) = reconcile(at(paths, store)).problems
    assert told == f"{PROVENANCE} is not there: 'invoke upload' of the same wheel puts it back"
    publish(at(paths, store), elsewhere(tmp_path))
    assert reconcile(at(paths, store)).problems == ()


def test_a_removal_tells_that_the_wheel_stays_where_it_lies(
    store: FolderStore, tmp_path: Path, paths: Paths
) -> None:
    publish(at(paths, store), elsewhere(tmp_path))
    dry = remove(at(paths, store), [NAME], now=NOW, dry_run=True)
    assert remove(at(paths, store), [NAME], now=NOW).done == dry.done
    assert dry.done == (
        f"take {NAME} off the index",
        f"delete what proves {NAME} after 2026-11-28; the wheel itself stays at https://example.com/releases/{NAME}",
    )


def test_no_rollback_to_an_attestation_that_was_deleted(
    store: FolderStore, tmp_path: Path, paths: Paths
) -> None:
    publish(at(paths, store), elsewhere(tmp_path))
    remove(at(paths, store), [NAME], after_days=0)
    with pytest.raises(UsageError, match=f"generation 1 had what is not whole.*{PROVENANCE}"):
        rollback(at(paths, store), 1)


def test_a_lost_registry_is_made_anew_without_it_and_it_is_not_noted_as_deleted(
    store: FolderStore, tmp_path: Path, paths: Paths
) -> None:
    publish(at(paths, store), [candidate(tmp_path, "other"), *elsewhere(tmp_path)])
    remove(at(paths, store), ["other-1.0-py3-none-any.whl"])
    for each in ("packages.json", PROVENANCE):
        store.delete(each)
    (told,) = reconcile(at(paths, store)).problems
    assert told == f"{PROVENANCE} is not there, so {NAME} is not registered: publish it again"
    assert NAME not in registry_of(store).removed_filenames
    publish(at(paths, store), elsewhere(tmp_path))
    assert NAME in registry_of(store).filenames


def test_the_worlds_side_of_doctor_asks_for_it(store: FolderStore, tmp_path: Path, paths: Paths) -> None:
    with served(paths.root) as index:
        base = index.removesuffix("/index/simple/")
        publish(at(paths, store), elsewhere(tmp_path, base))

        def told() -> str:
            seen = examine_public(base, registry_of(store), deep=False, installers=False)
            (found,) = (each.what for each in seen if each.check == "published URLs")
            return found

        assert PROVENANCE not in told()
        store.delete(PROVENANCE)
        assert f"{base}/{PROVENANCE}: 404" in told()
