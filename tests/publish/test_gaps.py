from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.publish.sites import Eventful, agreement, at, candidate, dead_links, registry_of
from workbench.care.doctor import doctor
from workbench.care.reconcile import reconcile
from workbench.evidence.facts import BuildFacts
from workbench.publish.gaps import Gap, tell
from workbench.publish.transaction import publish
from workbench.registry.model import Unavailable

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.paths import Paths
    from workbench.publish.publication import Candidate

WHY = Unavailable(reason="kernels does not build", python="3.12", arch="x86_64", compute="cpu")
GAP = Gap(why=WHY, name="kernels-1.5-cp312", log=b"error: no such header\n")
PEOPLE = "index/kernels/index.html"


def compiled(folder: Path, version: str, python: str, variant: str | None = None) -> Candidate:
    """Return a candidate for one Python alone, built from a recipe."""
    tag = f"cp{python.replace('.', '')}"
    made = candidate(folder, "kernels", version, tag=f"{tag}-{tag}-linux_x86_64")
    build = BuildFacts(source=f"kernels=={version}", pin="a" * 64, variant=variant)
    return replace(made, wheel=replace(made.wheel, python_version=python, build=build))


@pytest.fixture
def store(paths: Paths, tmp_path: Path) -> Eventful:
    store = Eventful(paths.root)
    publish(at(paths, store), [compiled(tmp_path, "1.0", "3.11")])
    return store


def told(paths: Paths) -> bool:
    return WHY.reason in (paths.root / PEOPLE).read_text()


def interrupt() -> None:
    raise KeyboardInterrupt


def test_a_reason_is_on_the_page_with_its_log_until_a_wheel_is_published(
    paths: Paths, store: Eventful, tmp_path: Path
) -> None:
    assert tell(at(paths, store), "kernels", [GAP])
    assert not tell(at(paths, store), "kernels", [GAP])
    assert told(paths)
    assert dead_links(store) == []
    publish(at(paths, store), [compiled(tmp_path, "1.5+debug", "3.12", variant="debug")])
    assert registry_of(store).packages["kernels"].unavailable  # a variant is not a substitute
    publish(at(paths, store), [compiled(tmp_path, "1.5", "3.12")])
    assert not registry_of(store).packages["kernels"].unavailable
    assert not told(paths)


def test_who_was_killed_before_it_drew_draws_when_it_is_run_again(paths: Paths, store: Eventful) -> None:
    page = (paths.root / PEOPLE).read_bytes()
    tell(at(paths, store), "kernels", [GAP])
    (paths.root / PEOPLE).write_bytes(page)
    (paths.root / "index/.drawn.json").unlink()
    assert not tell(at(paths, store), "kernels", [GAP])
    assert told(paths)


def test_what_reconcile_registers_takes_the_place_of_a_reason(
    paths: Paths, store: Eventful, tmp_path: Path
) -> None:
    tell(at(paths, store), "kernels", [GAP])
    made = compiled(tmp_path, "1.5", "3.12")
    store.before("replace", "packages.json", interrupt)
    with pytest.raises(KeyboardInterrupt):
        publish(at(paths, store), [made])
    assert reconcile(at(paths, store)).problems == ()
    assert registry_of(store).packages["kernels"].unavailable == ()


def test_a_record_does_not_hold_what_others_failed_at(paths: Paths, store: Eventful) -> None:
    tell(at(paths, store), "kernels", [GAP])
    (record,) = store.entries("records/")
    store.delete(record.key)
    reconcile(at(paths, store))
    stored = store.read(record.key)
    assert stored is not None
    assert WHY.reason.encode() not in stored.content


def test_a_link_to_a_log_that_is_gone_is_found_and_dropped(paths: Paths, store: Eventful) -> None:
    tell(at(paths, store), "kernels", [GAP])
    (why,) = registry_of(store).packages["kernels"].unavailable
    assert why.log is not None
    store.delete(why.log)
    (finding,) = (each for each in doctor(at(paths, store)) if each.check == "files")
    assert finding.verdict == "bad"
    assert why.log in finding.what
    assert f"drop the link to {why.log}, which is gone" in reconcile(at(paths, store)).done
    assert dead_links(store) == []
    assert agreement(store) == []
    assert told(paths)
