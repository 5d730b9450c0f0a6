from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.forked import Ran, invoke
from tests.integration.s3.conftest import describe, store_of
from tests.publish.sites import agreement, at, candidate, registry_of
from workbench.errors import StoreError
from workbench.publish.transaction import publish
from workbench.settings import read_settings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.s3.ceph import Server
    from workbench.paths import Paths
    from workbench.store.s3 import S3Store

ONE = "demo-1.0-py3-none-any.whl"


def answer(ran: Ran) -> Any:
    assert ran.status == 0, ran.stderr
    return json.loads(ran.stdout)


def test_the_stores_verbs_as_they_are_typed(bucket_paths: Paths, store: S3Store, tmp_path: Path) -> None:
    settings = store.settings
    assert settings.endpoint is not None
    flags = ["--bucket", settings.bucket, "--prefix", settings.prefix, "--endpoint", settings.endpoint]
    flags += ["--public-url", f"{read_settings(bucket_paths).public_url}/"]
    publish(at(bucket_paths, store), [candidate(tmp_path, "demo", "1.0")])
    publish(at(bucket_paths, store), [candidate(tmp_path, "demo", "2.0")])
    (bucket_paths.root / "workbench.yaml").unlink()

    assert [g["generation"] for g in answer(invoke("store.history", "--json", *flags))] == [2, 1]
    assert answer(invoke("yank", ONE, "--reason", "broken", "--json", *flags))["done"] == [f"yank {ONE}"]
    assert answer(invoke("store.prune", "--keep", "1", "--json", *flags))["dry_run"]
    assert registry_of(store).generation == 3
    assert answer(invoke("store.rollback", "2", "--json", *flags))["done"] == [f"restore {ONE}"]
    assert answer(invoke("remove", ONE, "--after", "0", "--json", *flags))["generation"] == 8
    assert answer(invoke("store.clean", "--json", *flags))["done"] == []
    assert answer(invoke("store.reconcile", "--json", *flags))["problems"] == []
    assert agreement(store) == []

    private = invoke("doctor", "--json", *flags)
    assert private.status == StoreError.exit_code
    assert "bucket policy" in private.stderr
    states = {
        setting["name"]: setting["state"]
        for setting in answer(invoke("store.setup", "--apply", "--json", *flags))
    }
    assert states["bucket policy"] == "applied"
    assert {finding["verdict"] for finding in answer(invoke("doctor", "--deep", "--json", *flags))} == {
        "good"
    }
    taken = invoke("store.rollback", "1", *flags)
    assert taken.status != 0
    assert ONE in taken.stderr


@pytest.mark.needs("rclone")
def test_a_single_writer_uses_a_store_that_ignores_conditions_and_holds_no_folders_keys(
    careless: str, paths: Paths, tmp_path: Path
) -> None:
    describe(paths, bucket="wheels", endpoint=careless, single_writer=True)
    store = store_of(paths)
    published = publish(
        at(paths, store),
        [candidate(tmp_path, "demo", "1.0"), candidate(tmp_path, "demo", "2.0")],
    )
    assert published.drawn is not None
    assert published.drawn.written > 0
    publish(at(paths, store), [candidate(tmp_path, "other", "1.0")])
    assert agreement(store) == []
    again = publish(at(paths, store_of(paths)), [candidate(tmp_path, "other", "1.0")])
    assert again.plan.is_done
    assert again.drawn is not None
    assert again.drawn.written == 0

    yanked = invoke("yank", ONE)
    assert yanked.status == 0
    assert "at …/index.html alone" in yanked.stderr
    for words in (
        ("unyank", ONE),
        ("store.rollback", "1"),
        ("store.rollback", "2"),
        ("remove", ONE, "--after", "0"),
        ("store.prune", "--keep", "1", "--apply"),
        ("store.clean", "--apply"),
        ("store.reconcile",),
        ("store.history",),
    ):
        ran = invoke(*words)
        assert ran.status == 0, ran.stderr
    assert agreement(store) == []
    assert [wheel.filename for _, wheel in registry_of(store).wheels()] == [
        "demo-2.0-py3-none-any.whl",
        "other-1.0-py3-none-any.whl",
    ]
    shown = invoke("store.setup")
    assert shown.status == StoreError.exit_code
    assert "bucket policy: refused: another answer: this store has no such setting" in shown.stdout


def test_setup_makes_the_bucket_where_there_is_none(server: Server, paths: Paths) -> None:
    flags = ["--bucket", f"made-{uuid.uuid4().hex}", "--endpoint", server.url]
    missing = invoke("store.setup", *flags)
    assert missing.status == StoreError.exit_code
    assert "store.setup --create --apply' makes it" in missing.stderr
    made = invoke("store.setup", "--create", "--apply", *flags)
    assert "is made" in made.stderr
    again = invoke("store.setup", "--create", *flags)
    assert again.status == 0, again.stderr
    assert "is there already" in again.stderr
    assert "bucket policy: there" in again.stdout
    assert not paths.registry.exists()
