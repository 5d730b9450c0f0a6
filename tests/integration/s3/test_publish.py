from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
import requests

from tests.integration.s3.conftest import describe, store_of
from tests.integration.s3.faults import Action, Fault, Proxy
from tests.integration.s3.workers import publish_many, publish_until
from tests.publish.sites import agreement, candidate, dead_links, registry_of
from tests.publish.workers import FORKSERVER
from workbench.environment import Environment
from workbench.errors import StoreError, WorkbenchError
from workbench.process import run
from workbench.publish.changes import remove, yank
from workbench.publish.doctor import doctor
from workbench.publish.history import rollback
from workbench.publish.reconcile import reconcile
from workbench.publish.transaction import publish
from workbench.site import Site
from workbench.store import client
from workbench.store.bucket import setup
from workbench.store.opening import open_store

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.store.s3 import S3Store


def test_a_published_wheel_is_in_bucket_registry_and_pages_and_its_copy(
    bucket_site: Site, store: S3Store, tmp_path: Path
) -> None:
    published = publish(bucket_site, store, [candidate(tmp_path, "demo", "1.0+cu130")])
    assert published.generation == 1
    assert published.urls == (
        f"{bucket_site.settings.public_url}/files/demo/demo-1.0%2Bcu130-py3-none-any.whl",
    )
    assert agreement(store) == []
    stored = store.read("packages.json")
    assert stored is not None
    assert bucket_site.registry.read_bytes() == stored.content


def test_publishing_again_asks_little_and_changes_nothing(
    bucket_site: Site, store: S3Store, tmp_path: Path
) -> None:
    wheels = [candidate(tmp_path, "demo", f"1.{n}") for n in range(5)]
    publish(bucket_site, store, wheels)
    again = store_of(bucket_site)
    requests: list[str] = []
    again.client.meta.events.register("before-send.s3", lambda request, **_: requests.append(request.method))
    assert publish(bucket_site, again, wheels).plan.is_done
    # the registry, the files and records of one project; the pages, and the registry they are drawn from
    assert set(requests) == {"GET"}
    assert len(requests) <= 7


@pytest.mark.parametrize("version", ["1.0+cu130"])
def test_pip_and_uv_install_from_the_public_url(
    bucket_site: Site, store: S3Store, tmp_path: Path, version: str
) -> None:
    setup(store, apply=True)
    publish(bucket_site, store, [candidate(tmp_path, "demo", version)])
    index = f"{bucket_site.settings.public_url}/index/simple/"
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
    bucket_site: Site, store: S3Store, tmp_path: Path
) -> None:
    publish(bucket_site, store, [candidate(tmp_path, "demo", "1.0+cu130")])
    private = {finding.check: finding for finding in doctor(bucket_site, store, installers=False)}
    assert private["public URL"].verdict == private["published URLs"].verdict == "bad"
    assert "store-setup" in private["bucket policy"].remedy
    setup(store, apply=True)
    findings = doctor(bucket_site, store, deep=True)
    assert [finding for finding in findings if finding.verdict == "bad"] == []
    assert {"credentials and bucket", "clock", "conditional writes", "CORS", "pip", "uv"} <= {
        f.check for f in findings
    }
    store.delete("files/demo/demo-1.0+cu130-py3-none-any.whl")
    store.delete("index/simple/demo/index.html")
    broken = {f.check: f for f in doctor(bucket_site, store) if f.verdict == "bad"}
    assert set(broken) == {"files", "pages", "published URLs", "pip", "uv"}
    assert all(finding.remedy for finding in broken.values())


def test_a_rollback_and_a_removal_leave_no_dead_link(
    bucket_site: Site, store: S3Store, tmp_path: Path
) -> None:
    one, two = candidate(tmp_path, "demo", "1.0"), candidate(tmp_path, "other", "2.0")
    publish(bucket_site, store, [one])
    publish(bucket_site, store, [two])
    yank(bucket_site, store, [one.path.name], reason="broken")
    rollback(bucket_site, store, 1)
    assert agreement(store) == []
    assert store.read("index/simple/other/") is None
    remove(bucket_site, store, [one.path.name], after_days=0)
    assert agreement(store) == []
    assert store.read(one.wheel.url) is None


def test_two_publishers_racing_lose_nothing_and_show_no_dead_link(
    bucket_site: Site, store: S3Store, tmp_path: Path
) -> None:
    locals_ = ("cu126", "cu130")
    for local in locals_:
        for number in range(50):
            candidate(tmp_path / local, f"package-{number % 10}", f"1.{number // 10}+{local}")
    barrier = FORKSERVER.Barrier(2)
    settings = store.settings
    workers = [
        FORKSERVER.Process(
            target=publish_many, args=(bucket_site, settings, tmp_path / local, local, barrier)
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


@pytest.mark.parametrize("first", range(1, 5))
def test_a_publisher_killed_before_any_effect_leaves_a_bucket_that_publishing_again_completes(
    bucket_site: Site, store: S3Store, tmp_path: Path, first: int
) -> None:
    wheels = [candidate(tmp_path, "demo", version) for version in ("1.0", "1.1+cu130")]
    for effect in range(first, 200, 4):
        describe(
            bucket_site,
            bucket=store.settings.bucket,
            prefix=f"killed/{effect}",
            endpoint=str(store.settings.endpoint),
        )
        site = Site(bucket_site.root)
        site.registry.unlink(missing_ok=True)
        fresh = store_of(site)
        publish(site, fresh, [candidate(tmp_path, "demo", "0.9")])
        killed = FORKSERVER.Process(target=publish_until, args=(site, fresh.settings, tmp_path, effect))
        killed.start()
        killed.join()
        assert dead_links(fresh) == [], f"before effect {effect}"
        if effect % 8 < 4:
            assert reconcile(site, fresh).problems == (), f"before effect {effect}"
            assert agreement(fresh) == [], f"before effect {effect}"
        publish(site, fresh, wheels)
        assert agreement(fresh) == [], f"before effect {effect}"
        assert len(list(registry_of(fresh).wheels())) == 3
        if killed.exitcode == 0:
            assert effect > 30
            return
    pytest.fail("it never came to an end")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Try twice, and wait for a second: what is tested is what comes after."""
    monkeypatch.setattr(client, "TRIES", 2)
    monkeypatch.setattr(client, "READ_SECONDS", 1)


LASTING: list[tuple[Action, str, str, str]] = [
    ("500", "PUT", ".whl", "500 InternalError"),
    ("503", "PUT", ".metadata", "fewer requests"),
    ("507", "PUT", "records/", "the store is full"),
    ("reset", "PUT", "packages.json", "cannot be reached, or stopped answering"),
    ("silence", "PUT", "index/", "cannot be reached, or stopped answering"),
    ("403", "GET", "packages.json", "s3:ListBucket"),
    ("503", "GET", "list-type", "fewer requests"),
    ("truncated", "GET", "packages.json", "run the same command again"),
    ("lost", "PUT", "history/", "cannot be reached, or stopped answering"),
]


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("fault", LASTING, ids="-".join)
def test_a_fault_that_lasts_is_one_clear_message_and_a_rerun_completes(
    bucket_site: Site, store: S3Store, proxy: Proxy, tmp_path: Path, fault: tuple[Action, str, str, str]
) -> None:
    action, method, path, message = fault
    new = [candidate(tmp_path, "demo", "1.1"), candidate(tmp_path, "other", "1.0")]
    publish(bucket_site, store, [candidate(tmp_path, "demo", "1.0")])
    site = through(proxy, bucket_site)
    proxy.faults.append(Fault(action, method, path))
    with pytest.raises(StoreError, match=message) as caught:
        publish(site, open_store(site), new)
    assert "\n" not in str(caught.value)
    assert dead_links(store) == []
    if method == "GET":
        assert registry_of(store).generation == 1
    proxy.faults.clear()
    publish(site, open_store(site), new)
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
    bucket_site: Site, store: S3Store, proxy: Proxy, tmp_path: Path, fault: tuple[Action, str, str]
) -> None:
    publish(bucket_site, store, [candidate(tmp_path, "demo", "1.0")])
    site = through(proxy, bucket_site)
    proxy.faults.append(Fault(*fault, times=1))
    publish(site, open_store(site), [candidate(tmp_path, "demo", "1.1")])
    assert proxy.faults[0].happened == 1
    assert agreement(store) == []
    assert registry_of(store).generation == 2


@pytest.mark.usefixtures("impatient")
def test_a_change_whose_answer_was_lost_is_not_made_a_second_time(
    bucket_site: Site, store: S3Store, proxy: Proxy, tmp_path: Path
) -> None:
    wheel = candidate(tmp_path, "demo", "1.0")
    publish(bucket_site, store, [wheel, candidate(tmp_path, "demo", "2.0")])
    site = through(proxy, bucket_site)
    proxy.faults.append(Fault("lost", "PUT", "packages.json", times=1))
    # taken for a lost race, the change would be made once more
    assert remove(site, open_store(site), [wheel.path.name]).generation == 3
    assert proxy.faults[0].happened == 1
    assert agreement(store) == []


def through(proxy: Proxy, site: Site) -> Site:
    """Return the same site, going through a proxy."""
    settings = site.settings.store.s3
    assert settings is not None
    describe(site, bucket=settings.bucket, endpoint=proxy.url, public_url=site.settings.public_url)
    return Site(site.root)


def test_a_store_that_cannot_be_reached_changes_nothing_here(bucket_site: Site, tmp_path: Path) -> None:
    describe(bucket_site, bucket="any", endpoint="http://127.0.0.1:9")
    site = Site(bucket_site.root)
    before = sorted(path.name for path in site.root.iterdir())
    with pytest.raises(WorkbenchError, match="cannot be reached"):
        publish(site, open_store(site), [candidate(tmp_path)])
    assert sorted(path.name for path in site.root.iterdir()) == before
