from __future__ import annotations

import hashlib
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tests.forked import FORKSERVER
from tests.integration.s3.conftest import PREFIX, describe, store_of
from tests.integration.s3.faults import Action, Fault, Proxy
from tests.integration.s3.workers import publish_many
from tests.publish.sites import agreement, at, candidate, dead_links, overwrite, registry_of
from workbench.care.doctor import doctor
from workbench.care.reconcile import reconcile
from workbench.environment import Environment
from workbench.errors import StoreError, WorkbenchError
from workbench.paths import Paths
from workbench.process import run
from workbench.publish.drawing import draw_pages
from workbench.publish.history import rollback
from workbench.publish.transaction import publish
from workbench.publish.withdraw import remove, yank
from workbench.settings import read_settings
from workbench.store import client
from workbench.store.bucket import setup
from workbench.store.opening import open_site
from workbench.store.s3 import S3Store

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.care.diagnosis import Diagnosis
    from workbench.paths import Paths


def test_a_published_wheel_is_in_bucket_registry_and_pages_and_its_copy(
    bucket_paths: Paths, store: S3Store, tmp_path: Path
) -> None:
    published = publish(at(bucket_paths, store), [candidate(tmp_path, "demo", "1.0+cu130")])
    assert published.generation == 1
    assert published.urls == (
        f"{read_settings(bucket_paths).public_url}/files/demo/demo-1.0%2Bcu130-py3-none-any.whl",
    )
    assert agreement(store) == []
    stored = store.read("packages.json")
    assert stored is not None
    assert bucket_paths.registry.read_bytes() == stored.content


def test_publishing_again_asks_little_and_changes_nothing(
    bucket_paths: Paths, store: S3Store, tmp_path: Path
) -> None:
    wheels = [candidate(tmp_path, "demo", f"1.{n}") for n in range(5)]
    publish(at(bucket_paths, store), wheels)
    again = store_of(bucket_paths)
    requests: list[str] = []
    again.client.meta.events.register("before-send.s3", lambda request, **_: requests.append(request.method))
    assert publish(at(bucket_paths, again), wheels).plan.is_done
    # the registry, the files and records of one project; the pages, and the registry they are drawn from
    assert set(requests) == {"GET"}
    assert len(requests) <= 7


@pytest.mark.parametrize("version", ["1.0+cu130"])
def test_pip_and_uv_install_from_the_public_url(
    bucket_paths: Paths, store: S3Store, tmp_path: Path, version: str
) -> None:
    setup(store, apply=True)
    publish(at(bucket_paths, store), [candidate(tmp_path, "demo", version)])
    index = f"{read_settings(bucket_paths).public_url}/index/simple/"
    assert requests.get(f"{index}no-such-project/", timeout=10).status_code == 404
    environment = Environment.create(tmp_path / "uv", python=sys.executable)
    run(
        [
            "uv",
            "pip",
            "install",
            "--python",
            environment.python,
            "--no-cache",
            "--default-index",
            index,
            "demo",
        ]
    )
    assert "42" in environment.run_code("import demo; print(demo.answer)", cwd=tmp_path).output
    environment = Environment.create(tmp_path / "pip", python=sys.executable)
    pip: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "--python",
        environment.python,
        "install",
        "--no-cache-dir",
    ]
    run([*pip, "--index-url", index, f"demo=={version}"])
    assert "42" in environment.run_code("import demo; print(demo.answer)", cwd=tmp_path).output


def test_doctor_finds_a_published_store_in_order_and_each_thing_that_is_not(
    bucket_paths: Paths, store: S3Store, tmp_path: Path
) -> None:
    publish(at(bucket_paths, store), [candidate(tmp_path, "demo", "1.0+cu130")])
    private = {finding.check: finding for finding in doctor(at(bucket_paths, store), installers=False)}
    assert private["public URL"].verdict == "bad"
    assert private["published URLs"].verdict == "untried"
    assert "store.setup" in private["bucket policy"].remedy
    setup(store, apply=True)
    findings = tuple(doctor(at(bucket_paths, store), deep=True))
    assert [finding for finding in findings if finding.verdict == "bad"] == []
    assert {"credentials and bucket", "clock", "conditional writes", "CORS", "pip", "uv"} <= {
        f.check for f in findings
    }
    store.delete("files/demo/demo-1.0+cu130-py3-none-any.whl")
    store.delete("index/simple/demo/")
    broken = {f.check: f for f in doctor(at(bucket_paths, store)) if f.verdict == "bad"}
    assert set(broken) == {"files", "pages", "published URLs", "pip", "uv"}
    assert all(finding.remedy for finding in broken.values())


def ill(paths: Paths, store: S3Store, *, deep: bool = False) -> dict[str, str]:
    """Return what doctor finds wrong, or worth a word, by check."""
    return {
        f.check: f.what for f in doctor(at(paths, store), deep=deep, installers=False) if f.verdict != "good"
    }


def test_doctor_looks_at_what_installers_fetch_and_what_nothing_stands_behind(
    bucket_paths: Paths, store: S3Store, tmp_path: Path
) -> None:
    setup(store, apply=True)
    publish(
        at(bucket_paths, store),
        [candidate(tmp_path, "demo", "1.0"), candidate(tmp_path, "other", "1.0")],
    )
    assert ill(bucket_paths, store) == {}
    here = {"Bucket": store.settings.bucket}

    def put(key: str, **more: str) -> None:
        stored = store.read(key)
        body = stored.content if stored else b"<html>"
        store.client.put_object(**here, Key=f"{PREFIX}/{key}", Body=body, **more)

    # the page of a folder's own key, with other bytes; another of a wrong type; and one of no project
    store.client.put_object(
        **here, Key=f"{PREFIX}/index/simple/demo/", Body=b"<html>", ContentType="text/html"
    )
    put("index/simple-json/demo/", ContentType="binary/octet-stream", CacheControl="no-cache")
    put("index/simple/ghost/", ContentType="text/html")
    found = ill(bucket_paths, store)
    assert set(found) == {"pages"}
    assert {part.partition(" ")[0] for part in found["pages"].split("; ")} == {
        "index/simple/demo/",
        "index/simple-json/demo/",
        "index/simple/ghost/",
    }
    assert reconcile(at(bucket_paths, store)).done == ("draw 2 pages, remove 1",)
    assert ill(bucket_paths, store) == {}
    answer = requests.get(f"{read_settings(bucket_paths).public_url}/index/simple-json/demo/", timeout=10)
    assert answer.headers["Content-Type"] == "application/vnd.pypi.simple.v1+json"


def test_doctor_tells_of_records_and_files_that_the_registry_does_not_name(
    bucket_paths: Paths, store: S3Store, tmp_path: Path
) -> None:
    setup(store, apply=True)
    wheels = [candidate(tmp_path, "demo", "1.0"), candidate(tmp_path, "demo", "2.0")]
    publish(at(bucket_paths, store), wheels)
    overwrite(store, registry_of(store).without_wheel("demo", wheels[1].path.name))
    draw_pages(at(bucket_paths, store))
    store.create("files/demo/demo-3.0-py3-none-any.whl", b"x", sha256=hashlib.sha256(b"x").hexdigest())
    found = ill(bucket_paths, store)
    assert found == {
        "records": "demo-2.0-py3-none-any.whl is recorded and not registered",
        "leftovers": "files/demo/demo-3.0-py3-none-any.whl is of no published wheel",
    }
    reconcile(at(bucket_paths, store))
    assert set(ill(bucket_paths, store)) == {"leftovers"}


@pytest.mark.parametrize("beside", ["", ".metadata"])
def test_doctor_finds_damaged_bytes_where_it_reads_them_and_its_remedy_works(
    bucket_paths: Paths, store: S3Store, tmp_path: Path, beside: str
) -> None:
    setup(store, apply=True)
    wheel = candidate(tmp_path, "demo", "1.0")
    publish(at(bucket_paths, store), [wheel])
    key = f"{wheel.wheel.url}{beside}"
    content = store.read(key)
    assert content is not None
    damaged = {"Bucket": store.settings.bucket, "Key": f"{PREFIX}/{key}", "Body": bytes(len(content.content))}
    store.client.put_object(
        **damaged, CacheControl="public, max-age=31536000, immutable", Metadata={"sha256": "0" * 64}
    )
    assert key in ill(bucket_paths, store, deep=True)["files"]
    (bucket_paths.wheels).mkdir()
    (bucket_paths.wheels / wheel.path.name).write_bytes(wheel.path.read_bytes())
    assert reconcile(at(bucket_paths, store), deep=True).problems == ()
    assert ill(bucket_paths, store, deep=True) == {}


def test_doctor_says_what_to_do_about_a_store_that_it_cannot_ask(
    bucket_paths: Paths, store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def told(**settings: Any) -> Diagnosis:
        said = doctor(at(bucket_paths, S3Store(replace(store.settings, **settings))))
        (found,) = (each for each in said if each.verdict == "bad")
        return found

    assert "404 NoSuchBucket" in told(bucket="no-such-bucket-here").what
    assert "store.setup --create --apply' makes it" in told(bucket="no-such-bucket-here").remedy
    monkeypatch.setattr(client, "TRIES", 1)
    dead = told(endpoint="http://127.0.0.1:9")
    assert "cannot be reached" in dead.what
    assert dead.remedy.startswith("is the endpoint right?")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    assert told().remedy == "the secret key is not that of the access key: is it the right profile?"


def test_doctor_compares_regions_where_the_store_tells_its_own(
    bucket_paths: Paths, store: S3Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    aws = S3Store(replace(store.settings, endpoint=None, region="eu-west-1"))
    # Ceph has one region, and stands in for AWS here
    monkeypatch.setenv("AWS_ENDPOINT_URL", str(store.settings.endpoint))
    aws.client.meta.events.register(
        "after-call.s3.HeadBucket", lambda parsed, **_: parsed.update(BucketRegion="eu-central-1")
    )
    found = {f.check: f for f in doctor(at(bucket_paths, aws), installers=False)}["region"]
    assert found.verdict == "bad"
    assert "set store.s3.region to eu-central-1" in found.remedy


def test_a_public_url_that_leads_nowhere_is_what_is_wrong_and_all_that_is_said(
    bucket_paths: Paths, store: S3Store, tmp_path: Path
) -> None:
    setup(store, apply=True)
    publish(
        at(bucket_paths, store),
        [candidate(tmp_path, "demo", f"1.{number}") for number in range(3)],
    )
    describe(
        bucket_paths,
        bucket=store.settings.bucket,
        endpoint=str(store.settings.endpoint),
        public_url="http://127.0.0.1:9/nowhere",
    )
    found = {f.check: f for f in doctor(at(bucket_paths, store)) if f.verdict != "good"}
    # the pages for people say it too
    assert set(found) == {"public URL", "published URLs", "pip and uv", "pages"}
    assert "http://127.0.0.1:9/nowhere/index/simple/: Connection refused" in found["public URL"].what
    assert "public_url must lead to" in found["public URL"].remedy


def test_a_rollback_and_a_removal_leave_no_dead_link(
    bucket_paths: Paths, store: S3Store, tmp_path: Path
) -> None:
    one, two = candidate(tmp_path, "demo", "1.0"), candidate(tmp_path, "other", "2.0")
    publish(at(bucket_paths, store), [one])
    publish(at(bucket_paths, store), [two])
    yank(at(bucket_paths, store), [one.path.name], reason="broken")
    rollback(at(bucket_paths, store), 1)
    assert agreement(store) == []
    assert store.read("index/simple/other/") is None
    remove(at(bucket_paths, store), [one.path.name], after_days=0)
    assert agreement(store) == []
    assert store.read(one.wheel.url) is None


def test_two_publishers_racing_lose_nothing_and_show_no_dead_link(
    bucket_paths: Paths, store: S3Store, tmp_path: Path
) -> None:
    locals_ = ("cu126", "cu130")
    for local in locals_:
        for number in range(50):
            candidate(tmp_path / local, f"package-{number % 10}", f"1.{number // 10}+{local}")
    barrier = FORKSERVER.Barrier(2)
    settings = store.settings
    workers = [
        FORKSERVER.Process(
            target=publish_many, args=(bucket_paths, settings, tmp_path / local, local, barrier)
        )
        for local in locals_
    ]
    for worker in workers:
        worker.start()
    while any(worker.is_alive() for worker in workers):
        assert dead_links(store) == []
    assert [worker.exitcode for worker in workers] == [0, 0]
    registry = registry_of(store)
    assert len(list(registry.wheels())) == 100
    assert {len(package.wheels) for package in registry.packages.values()} == {10}
    assert registry.generation == 20
    assert agreement(store) == []


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try twice: what is tested is what comes after."""
    monkeypatch.setattr(client, "TRIES", 2)


LASTING: list[tuple[Action, str, str, str]] = [
    ("500", "PUT", ".whl", "500 InternalError"),
    ("503", "PUT", ".metadata", "fewer requests"),
    ("507", "PUT", "records/", "the store is full"),
    ("reset", "PUT", "packages.json", "cannot be reached, or stopped answering"),
    ("silence", "PUT", "index/", r"stopped answering \(no answer for 5 s\)"),
    ("403", "GET", "packages.json", "s3:ListBucket"),
    ("503", "GET", "list-type", "fewer requests"),
    ("truncated", "GET", "packages.json", "run the same command again"),
    ("lost", "PUT", "history/", "cannot be reached, or stopped answering"),
]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", LASTING, ids="-".join)
def test_a_fault_that_lasts_is_one_clear_message_and_a_rerun_completes(
    bucket_paths: Paths,
    store: S3Store,
    proxy: Proxy,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    fault: tuple[Action, str, str, str],
) -> None:
    action, method, path, message = fault
    if action == "silence":  # a busy server is silent for a second or two as well
        monkeypatch.setattr(client, "READ_SECONDS", 5)
    new = [candidate(tmp_path, "demo", "1.1"), candidate(tmp_path, "other", "1.0")]
    publish(at(bucket_paths, store), [candidate(tmp_path, "demo", "1.0")])
    paths = through(proxy, bucket_paths)
    proxy.faults.append(Fault(action, method, path))
    with pytest.raises(StoreError, match=message) as caught:
        publish(open_site(paths, read_settings(paths)), new)
    assert "\n" not in str(caught.value)
    assert dead_links(store) == []
    if method == "GET":
        assert registry_of(store).generation == 1
    proxy.faults.clear()
    publish(open_site(paths, read_settings(paths)), new)
    assert agreement(store) == []
    assert len(list(registry_of(store).wheels())) == 3


PASSING: list[tuple[Action, str, str]] = [
    ("500", "PUT", ".whl"),
    ("503", "GET", "packages.json"),
    ("reset", "PUT", "packages.json"),
    ("lost", "PUT", ".whl"),
    ("lost", "PUT", "records/"),
    ("lost", "PUT", "history/"),
    ("lost", "PUT", "packages.json"),
    ("lost", "PUT", "index/simple/demo/"),
]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", PASSING, ids="-".join)
def test_a_fault_that_passes_is_not_noticed(
    bucket_paths: Paths, store: S3Store, proxy: Proxy, tmp_path: Path, fault: tuple[Action, str, str]
) -> None:
    publish(at(bucket_paths, store), [candidate(tmp_path, "demo", "1.0")])
    paths = through(proxy, bucket_paths)
    proxy.faults.append(Fault(*fault, times=1))
    publish(
        open_site(paths, read_settings(paths)),
        [candidate(tmp_path, "demo", "1.1")],
    )
    assert proxy.faults[0].happened == 1
    assert agreement(store) == []
    assert registry_of(store).generation == 2


@pytest.mark.usefixtures("impatient")
def test_a_change_whose_answer_was_lost_is_not_made_a_second_time(
    bucket_paths: Paths, store: S3Store, proxy: Proxy, tmp_path: Path
) -> None:
    wheel = candidate(tmp_path, "demo", "1.0")
    publish(at(bucket_paths, store), [wheel, candidate(tmp_path, "demo", "2.0")])
    paths = through(proxy, bucket_paths)
    proxy.faults.append(Fault("lost", "PUT", "packages.json", times=1))
    # taken for a lost race, the change would be made once more
    assert remove(open_site(paths, read_settings(paths)), [wheel.path.name]).generation == 3
    assert proxy.faults[0].happened == 1
    assert agreement(store) == []


def through(proxy: Proxy, paths: Paths) -> Paths:
    """Return the same site, going through a proxy."""
    settings = read_settings(paths).store.s3
    assert settings is not None
    describe(paths, bucket=settings.bucket, endpoint=proxy.url, public_url=read_settings(paths).public_url)
    return paths


def test_a_store_that_cannot_be_reached_changes_nothing_here(bucket_paths: Paths, tmp_path: Path) -> None:
    describe(bucket_paths, bucket="any", endpoint="http://127.0.0.1:9")
    paths = bucket_paths
    before = sorted(path.name for path in paths.root.iterdir())
    with pytest.raises(WorkbenchError, match="cannot be reached"):
        publish(open_site(paths, read_settings(paths)), [candidate(tmp_path)])
    assert sorted(path.name for path in paths.root.iterdir()) == before
