from __future__ import annotations

import hashlib
import json
import os
import signal
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import requests

from tests.forked import FORKSERVER
from tests.integration.s3.conftest import describe, store_of
from tests.integration.s3.workers import count_up, create_one, create_until_part
from workbench.errors import FilenameTaken, StoreError
from workbench.paths import Paths
from workbench.settings import S3Settings, read_settings
from workbench.store import client, multipart
from workbench.store.bucket import setup
from workbench.store.s3 import S3Store

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.paths import Paths

KEY = "files/demo/demo-1.0+cu130-py3-none-any.whl"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def test_what_was_created_is_read_again_as_it_was(store: S3Store, tmp_path: Path) -> None:
    wheel = tmp_path / "demo.whl"
    wheel.write_bytes(b"wheel" * 1_000_000)
    moved: list[int] = []
    assert store.read(KEY) is None
    assert store.create(KEY, wheel, sha256=sha256(wheel.read_bytes()), moved=moved.append)
    stored = store.read(KEY)
    assert stored is not None
    assert stored.content == wheel.read_bytes()
    assert sum(moved) == 5_000_000
    assert store.check(KEY, sha256=sha256(wheel.read_bytes()), size=5_000_000) is None
    assert [(entry.key, entry.size) for entry in store.entries("files/")] == [(KEY, 5_000_000)]


def test_the_same_bytes_again_are_there_already_and_others_refused(store: S3Store) -> None:
    assert store.create(KEY, b"wheel", sha256=sha256(b"wheel"))
    assert not store.create(KEY, b"wheel", sha256=sha256(b"wheel"))
    with pytest.raises(FilenameTaken, match="--version-suffix"):
        store.create(KEY, b"other", sha256=sha256(b"other"))
    assert store.check(KEY, sha256=sha256(b"wheel"), size=5) is None


def test_a_file_that_another_program_put_there_is_hashed(store: S3Store) -> None:
    store.client.put_object(Bucket=store.settings.bucket, Key=f"some/where/{KEY}", Body=b"wheel")
    assert not store.create(KEY, b"wheel", sha256=sha256(b"wheel"))
    with pytest.raises(FilenameTaken):
        store.create(KEY, b"other", sha256=sha256(b"other"))


def test_check_tells_what_is_wrong(store: S3Store) -> None:
    store.create(KEY, b"wheel", sha256=sha256(b"wheel"))
    assert store.check("files/none", sha256=sha256(b""), size=0) == "is not there"
    assert store.check(KEY, sha256=sha256(b"wheel"), size=9) == "is 5 bytes long, not 9"
    store.client.put_object(
        Bucket=store.settings.bucket,
        Key=f"some/where/{KEY}",
        Body=b"other",
        Metadata={"sha256": sha256(b"wheel")},
    )
    problem = store.check(KEY, sha256=sha256(b"wheel"), size=5)
    assert problem is not None
    assert sha256(b"other") in problem


def test_a_key_is_replaced_only_in_the_version_that_was_read(store: S3Store) -> None:
    assert store.replace("packages.json", b"1", expected=None)
    first = store.read("packages.json")
    assert first is not None
    assert not store.replace("packages.json", b"2", expected=None)
    assert store.replace("packages.json", b"2", expected=first.version)
    assert not store.replace("packages.json", b"3", expected=first.version)
    assert not store.replace("not-there", b"3", expected=first.version)
    store.delete("packages.json")
    store.delete("packages.json")
    assert store.read("packages.json") is None


def test_files_are_served_as_what_they_are(store: S3Store, bucket_paths: Paths) -> None:
    setup(store, apply=True)
    store.create(KEY, b"wheel", sha256=sha256(b"wheel"))
    store.create(f"{KEY}.metadata", b"Name: demo", sha256=sha256(b"Name: demo"))
    store.create(f"{KEY}.provenance", b"{}", sha256=sha256(b"{}"))
    store.replace(
        "index/simple-json/", b"{}", expected=None, content_type="application/vnd.pypi.simple.v1+json"
    )
    seen = {}
    wheel = KEY.replace("+", "%2B")
    for path in (wheel, f"{wheel}.metadata", f"{wheel}.provenance", "index/simple-json/"):
        answer = requests.get(f"{read_settings(bucket_paths).public_url}/{path}", timeout=10)
        assert answer.status_code == 200
        seen[path.rpartition(".")[2]] = (answer.headers["Content-Type"], answer.headers["Cache-Control"])
    assert seen == {
        "whl": ("application/octet-stream", "public, max-age=31536000, immutable"),
        "metadata": ("text/plain; charset=utf-8", "public, max-age=31536000, immutable"),
        "provenance": ("application/vnd.pypi.integrity.v1+json", "public, max-age=31536000, immutable"),
        "index/simple-json/": ("application/vnd.pypi.simple.v1+json", "no-cache"),
    }


def test_processes_that_replace_at_once_lose_no_update(store: S3Store) -> None:
    workers = [FORKSERVER.Process(target=count_up, args=(store.settings, 15)) for _ in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    stored = store.read("counter")
    assert stored is not None
    assert stored.content == b"45"


def test_of_processes_that_create_the_same_key_one_wins(store: S3Store) -> None:
    contents = [bytes([65 + number]) * 300_000 for number in range(4)]
    barrier = FORKSERVER.Barrier(4)
    workers = [
        FORKSERVER.Process(target=create_one, args=(store.settings, KEY, content, barrier))
        for content in contents
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(worker.exitcode or 0 for worker in workers) == [0, 3, 3, 3]


@pytest.fixture
def large(tmp_path: Path) -> tuple[Path, str]:
    """Return a file that goes up in parts, and its hash."""
    path = tmp_path / "large.whl"
    path.write_bytes(os.urandom(1 << 20) * 70)
    return path, sha256(path.read_bytes())


def test_a_large_file_goes_up_in_parts_and_arrives_whole(store: S3Store, large: tuple[Path, str]) -> None:
    path, digest = large
    assert store.create(KEY, path, sha256=digest)
    assert store.check(KEY, sha256=digest, size=70 << 20) is None
    assert not store.create(KEY, path, sha256=digest)
    assert list(store.leftovers()) == []


def parts_sent(store: S3Store) -> list[int]:
    """Let a store's client note the numbers of the parts that it sends."""
    sent: list[int] = []
    store.client.meta.events.register(
        "provide-client-params.s3.UploadPart", lambda params, **_: sent.append(params["PartNumber"])
    )
    return sent


def begin_upload(store: S3Store, path: Path, digest: str) -> None:
    """Upload a file from a process that is killed at the third part."""
    killed = FORKSERVER.Process(target=create_until_part, args=(store.settings, KEY, path, digest, 3))
    killed.start()
    killed.join()
    assert killed.exitcode == -signal.SIGKILL


def test_parts_that_arrived_before_a_kill_are_not_sent_again(
    store: S3Store, bucket_paths: Paths, large: tuple[Path, str]
) -> None:
    path, digest = large
    begin_upload(store, path, digest)
    assert [left.what for left in store.leftovers()] == ["unfinished upload", "note of an upload"]
    again = store_of(bucket_paths)
    sent = parts_sent(again)
    assert again.create(KEY, path, sha256=digest)
    assert len(multipart.parts_of(70 << 20)) == 5
    assert sorted(sent) == [3, 4, 5]
    assert again.check(KEY, sha256=digest, size=70 << 20) is None
    assert list(again.leftovers()) == []


def test_an_upload_that_the_store_has_given_up_is_begun_anew(
    store: S3Store, bucket_paths: Paths, large: tuple[Path, str]
) -> None:
    path, digest = large
    begin_upload(store, path, digest)
    (upload,) = [left for left in store.leftovers() if left.what == "unfinished upload"]
    store.discard(upload)  # as the bucket's lifecycle rule does after a week; the note of it stays
    again = store_of(bucket_paths)
    assert again.create(KEY, path, sha256=digest)
    assert again.check(KEY, sha256=digest, size=70 << 20) is None
    assert list(again.leftovers()) == []


def test_parts_of_another_file_are_not_mixed_in(
    store: S3Store, bucket_paths: Paths, large: tuple[Path, str], tmp_path: Path
) -> None:
    path, digest = large
    begin_upload(store, path, digest)
    other = tmp_path / "other.whl"
    other.write_bytes(os.urandom(1 << 20) * 70)
    again = store_of(bucket_paths)
    sent = parts_sent(again)
    assert again.create(KEY, other, sha256=sha256(other.read_bytes()))
    assert sorted(sent) == [1, 2, 3, 4, 5]
    assert again.check(KEY, sha256=sha256(other.read_bytes()), size=70 << 20) is None
    left = list(again.leftovers())
    assert [each.what for each in left] == ["unfinished upload", "note of an upload"]
    for each in left:
        again.discard(each)
    assert list(again.leftovers()) == []


def test_an_upload_is_gone_on_with_only_for_the_file_that_it_was_begun_for(
    store: S3Store, bucket_paths: Paths, large: tuple[Path, str], tmp_path: Path
) -> None:
    path, digest = large
    begin_upload(store, path, digest)
    # the same name and the same first parts, as a wheel has that was built again
    rebuilt = tmp_path / "rebuilt.whl"
    rebuilt.write_bytes(path.read_bytes()[:-1] + b"!")
    again = store_of(bucket_paths)
    assert again.create(KEY, rebuilt, sha256=sha256(rebuilt.read_bytes()))
    assert again.check(KEY, sha256=sha256(rebuilt.read_bytes()), size=70 << 20) is None
    assert not again.create(KEY, rebuilt, sha256=sha256(rebuilt.read_bytes()))
    with pytest.raises(FilenameTaken):
        again.create(KEY, path, sha256=digest)


def test_an_object_is_read_before_it_is_said_to_be_another(store: S3Store) -> None:
    store.client.put_object(
        Bucket=store.settings.bucket,
        Key=f"some/where/{KEY}",
        Body=b"wheel",
        Metadata={"sha256": sha256(b"what was begun")},
    )
    assert not store.create(KEY, b"wheel", sha256=sha256(b"wheel"))
    assert store.check(KEY, sha256=sha256(b"wheel"), size=5) is None


def test_a_bucket_that_is_not_there_is_no_empty_store(store: S3Store) -> None:
    missing = S3Store(S3Settings(bucket="no-such-bucket-here", endpoint=store.settings.endpoint))
    with pytest.raises(StoreError, match="NoSuchBucket: there is no such bucket"):
        missing.read("packages.json")
    with pytest.raises(StoreError, match="no such bucket"):
        list(missing.entries(""))


def test_wrong_secrets_are_told_without_showing_them(
    bucket_paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-and-secret-all-the-same")
    with pytest.raises(StoreError, match="SignatureDoesNotMatch") as caught:
        store_of(bucket_paths).read("packages.json")
    assert "wrong-and-secret" not in str(caught.value)
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(StoreError, match="no credentials: set AWS_ACCESS_KEY_ID"):
        store_of(bucket_paths).read("packages.json")


def test_an_endpoint_that_is_a_web_page_is_told_as_such(
    web_page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "TRIES", 1)
    store = S3Store(S3Settings(bucket="bucket", endpoint=web_page))
    for ask in (lambda: store.read("packages.json"), lambda: list(store.entries("")), lambda: setup(store)):
        with pytest.raises(StoreError, match="endpoint that of the API, and not of a web page"):
            ask()


def test_a_bucket_that_is_not_there_and_wrong_secrets_are_told_by_the_set_up(
    store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StoreError, match="404 NoSuchBucket: there is no such bucket"):
        setup(S3Store(replace(store.settings, bucket="no-such-bucket-here")))
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(StoreError, match="403 SignatureDoesNotMatch: the secret key is not that"):
        setup(S3Store(store.settings))


def test_what_a_store_was_found_to_be_like_is_remembered_for_a_day(store: S3Store, tmp_path: Path) -> None:
    def requests_of(memory: Path) -> int:
        asked: list[str] = []
        again = S3Store(store.settings, memory=memory)
        again.client.meta.events.register("before-send.s3", lambda request, **_: asked.append(request.url))
        again.prepare()
        assert again.folder_keys
        return len(asked)

    assert requests_of(tmp_path / "memory") > 5
    assert requests_of(tmp_path / "memory") == 0
    (kept,) = (tmp_path / "memory").iterdir()
    yesterday = kept.stat().st_mtime - 25 * 3600
    os.utime(kept, (yesterday, yesterday))
    assert requests_of(tmp_path / "memory") > 5
    kept.write_text("damaged")
    assert requests_of(tmp_path / "memory") > 5


def test_a_store_that_honours_conditions_passes_the_probe_and_keeps_nothing_of_it(store: S3Store) -> None:
    store.prepare()
    assert list(store.entries("")) == []
    assert list(store.leftovers()) == []


@pytest.mark.needs("rclone")
def test_a_store_that_ignores_conditions_is_refused_without_the_users_word(careless: str) -> None:
    settings = S3Settings(bucket="wheels", endpoint=careless)
    with pytest.raises(StoreError, match=r"does not honour.*If-None-Match.*--single-writer"):
        S3Store(settings).prepare()
    alone = S3Store(replace(settings, single_writer=True))
    alone.prepare()
    assert alone.create(KEY, b"wheel", sha256=sha256(b"wheel"))
    assert not alone.create(KEY, b"wheel", sha256=sha256(b"wheel"))
    with pytest.raises(FilenameTaken):
        alone.create(KEY, b"other", sha256=sha256(b"other"))
    assert alone.replace("packages.json", b"1", expected=None)
    assert not alone.replace("packages.json", b"2", expected=None)


def test_the_buckets_settings_are_shown_then_applied_and_others_stay(store: S3Store) -> None:
    bucket = store.settings.bucket
    theirs = {"ID": "theirs", "Status": "Enabled", "Filter": {"Prefix": "x/"}, "Expiration": {"Days": 3}}
    store.client.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": [theirs]})
    shown = {setting.name: setting.state for setting in setup(store)}
    assert shown["bucket policy"] == shown["CORS"] == shown["lifecycle"] == "missing"
    assert {setting.state for setting in setup(store, apply=True)} <= {"applied", "refused"}
    again = {setting.name: setting.state for setting in setup(store)}
    assert again["bucket policy"] == again["CORS"] == again["lifecycle"] == "there"
    rules = store.client.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert len(rules) == 2
    assert theirs["ID"] in {rule["ID"] for rule in rules}


def test_the_settings_of_one_site_leave_those_of_another_in_the_same_bucket(
    store: S3Store, bucket_paths: Paths
) -> None:
    store.replace("index/simple/", b"<html>", expected=None)
    sites = [store]
    for prefix in ("else", "third", ""):
        describe(
            bucket_paths, bucket=store.settings.bucket, endpoint=str(store.settings.endpoint), prefix=prefix
        )
        sites.append(store_of(bucket_paths))
    for each in sites:
        setup(each, apply=True)
    assert {setting.state for each in sites for setting in setup(each)} == {"there"}
    assert requests.get(
        f"{store.settings.endpoint}/{store.settings.bucket}/some/where/index/simple/", timeout=10
    ).ok


def test_the_policy_of_others_stays_however_it_is_written(store: S3Store) -> None:
    bucket = store.settings.bucket
    theirs = {
        "Version": "2012-10-17",
        "Id": "theirs",
        "Statement": {
            "Sid": "Theirs",
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": f"arn:aws:s3:::{bucket}/else/*",
        },
    }
    store.client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(theirs))
    setup(store, apply=True)
    after = json.loads(store.client.get_bucket_policy(Bucket=bucket)["Policy"])
    assert after["Id"] == "theirs"
    assert after["Statement"][0] == theirs["Statement"]
    # as AWS gives it back: a list of one is that one, and the order is its own
    for statement in after["Statement"]:
        statement |= {key: value[0] for key, value in statement.items() if isinstance(value, list)}
    after["Statement"].reverse()
    store.client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(after))
    assert {setting.name: setting.state for setting in setup(store)}["bucket policy"] == "there"
