"""A site of the workbench tells of its wheels' libraries what a verdict needs: nothing of the wheels is fetched."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from tests.consume.hosts import SPARK
from tests.index.stores import listed
from tests.wheels import files_of, info_of
from workbench.consume.learning import known_facts
from workbench.consume.logins import Logins
from workbench.consume.offer import OfferedWheel
from workbench.consume.resolving import Places, Resolution, requirement_of, resolve
from workbench.consume.rows import reduce_listing
from workbench.consume.sources import WheelSource
from workbench.registry.model import Package
from workbench.simple.listing import Link, Listing
from workbench.wheel.library_facts import FileCode, LibraryFacts

if TYPE_CHECKING:
    from tests.index.stores import Store
    from workbench.consume.cache import Cache, KeptFile

TAG = "cp312-cp312-manylinux_2_34_aarch64"
FOR_SPARK = LibraryFacts(
    processors=("aarch64",),
    gpu_code=(FileCode(path="demo/_c.so", architectures=("sm_121", "compute_120")),),
    toolkit="13.0",
    compute="cu130",
)


def publish(store: Store, version: str, libraries: LibraryFacts) -> None:
    """Publish the facts of a wheel and its METADATA, but not the wheel."""
    files = files_of(name="demo", version=version, tag=TAG)
    metadata, name = files[f"{info_of(files)}/METADATA"], f"demo-{version}-{TAG}.whl"
    place = store.root / "files" / "demo"
    place.mkdir(parents=True, exist_ok=True)
    (place / f"{name}.metadata").write_bytes(metadata)
    wheel = listed(name, metadata_sha256=hashlib.sha256(metadata).hexdigest(), libraries=libraries)
    if "demo" not in store.registry.packages:
        store.registry = store.registry.with_package("demo", Package(source_repo="pypi:demo"))
    store.registry = store.registry.with_wheel("demo", wheel)


def resolved(store: Store, cache: Cache, root: str = "simple", *, deep: bool = True) -> Resolution:
    with store.served() as url:
        source = WheelSource(name="lab", kind="index", url=f"{url}index/{root}/")
        places = Places(sources=(source,), logins=Logins(()), cache=cache)
        return resolve(requirement_of("demo"), SPARK, places, every=True, deep=deep)


@pytest.mark.parametrize("root", ["simple", "simple-json", "cu130/torch2.11/simple"])
def test_deep_answers_without_the_wheel(store: Store, cache: Cache, root: str) -> None:
    publish(store, "1.0+cu130torch2.11", FOR_SPARK)
    hopper = (FileCode(path="demo/_c.so", architectures=("sm_90a",)),)
    publish(store, "1.1+cu130torch2.11", replace(FOR_SPARK, gpu_code=hopper))
    store.draw()
    found = resolved(store, cache, root)
    assert not found.troubles
    assert found.chosen
    assert found.chosen.offer.filename == f"demo-1.0+cu130torch2.11-{TAG}.whl"
    assert "its sm_121 runs on NVIDIA GB10 (12.1)" in [reason.text for reason in found.chosen.reasons]


def test_a_name_that_says_nothing_of_cuda_is_not_undecided(store: Store, cache: Cache) -> None:
    publish(store, "1.0", replace(FOR_SPARK, compute="cu130"))
    publish(store, "2.0", replace(FOR_SPARK, compute="cu12"))
    store.draw()
    found = resolved(store, cache, deep=False)
    assert found.chosen
    assert found.chosen.offer.filename.startswith("demo-1.0-")


def test_libraries_for_another_processor_than_the_name_says_are_refused(store: Store, cache: Cache) -> None:
    publish(store, "1.0+cu130torch2.11", replace(FOR_SPARK, processors=("x86_64",)))
    store.draw()
    for _ in range(2):
        found = resolved(store, cache, deep=False)
        assert found.chosen is None
        assert [each.what for each in found.troubles] == [
            f"demo-1.0+cu130torch2.11-{TAG}.whl: its libraries are for x86_64, whatever its name says; tell lab"
        ]


def test_what_was_read_of_a_wheel_counts_and_not_what_its_source_tells(cache: Cache) -> None:
    told = replace(FOR_SPARK, processors=("x86_64",))
    name = f"demo-1.0+cu130torch2.11-{TAG}.whl"
    offer = OfferedWheel(
        filename=name,
        url="https://e.com/x",
        source="lab",
        sha256="a" * 64,
        libraries=orjson.dumps(told).decode(),
    )
    assert known_facts([offer], cache) == {}
    other = replace(offer, source="other", libraries=None)
    read = replace(FOR_SPARK, toolkit="13.2")
    cache.learn("a" * 64, {"processors": ["aarch64"], "libraries": asdict(read), "requires": []})
    for each in (offer, other):
        assert known_facts([each], cache)[each.key].libraries == read


def test_one_source_does_not_speak_for_the_wheels_of_another(cache: Cache) -> None:
    text = orjson.dumps(FOR_SPARK).decode()
    mine, theirs = (
        OfferedWheel(
            filename=f"demo-1.0-{TAG}.whl", url="https://e.com", source=name, sha256="a" * 64, libraries=told
        )
        for name, told in (("mine", text), ("theirs", None))
    )
    facts = known_facts([mine, theirs], cache)
    assert mine.key in facts
    assert theirs.key not in facts


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"gpu_code": [{"path": "x"}]},
        {"gpu_code": [{"path": "x", "architectures": ["sm_\x1b[31m"]}]},
        {"toolkit": "13.0; rm"},
        {"compute": "metal"},
        {"surprise": 1},
        {"processors": "aarch64"},
        {"processors": ["x" * 100_000]},
    ],
    ids=["version", "a key", "code", "toolkit", "compute", "surprise", "type", "size"],
)
def test_facts_in_another_form_are_passed_over(change: dict[str, Any]) -> None:
    def kept(told: object) -> KeptFile:
        link = Link(
            name="demo-1.0-py3-none-any.whl",
            href="x",
            url="https://e.com/demo-1.0-py3-none-any.whl",
            fragment="",
            hashes={},
            attributes={"_libraries": told},
        )
        page = Listing(links=(link,), document={"meta": {}, "files": []})
        return reduce_listing(page, "https://e.com/").projects["demo"][0]

    sound = {"version": 1, **orjson.loads(orjson.dumps(FOR_SPARK))}
    assert kept(sound).libraries == orjson.dumps(FOR_SPARK).decode()
    assert kept({**sound, **change}).libraries is None
