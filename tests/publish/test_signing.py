"""The signed root of a store's index, whoever signs at the same time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.publish.sites import Bucket, Eventful, at, candidate, registry_of
from workbench.care.proven import SeenIndex, open_index
from workbench.errors import ProofFailed, StoreError, UsageError
from workbench.evidence.keys import KEYS, read_keyring
from workbench.evidence.root import ROOT
from workbench.evidence.signer import make_key, read_signer, sign_list
from workbench.publish.signing import sign_root, signer_of
from workbench.publish.transaction import publish
from workbench.settings import read_settings
from workbench.simple.fetch import Fetcher

if TYPE_CHECKING:
    from workbench.paths import Paths
    from workbench.store.protocol import Store


@pytest.fixture
def key(paths: Paths, tmp_path: Path) -> Path:
    make_key(tmp_path / "site.key")
    (paths.root / "workbench.yaml").write_text(f"signing: {{key: {tmp_path / 'site.key'}}}\n")
    return tmp_path / "site.key.pub"


def root_of(store: Store) -> dict[str, object]:
    stored = store.read(ROOT)
    assert stored is not None
    signed: dict[str, object] = json.loads(stored.content)["signed"]
    return signed


@pytest.mark.parametrize("kind", [Eventful, Bucket])
def test_each_change_is_signed(
    kind: type[Eventful | Bucket], paths: Paths, tmp_path: Path, key: Path
) -> None:
    store = kind(tmp_path / "store")
    (tmp_path / "store").mkdir()
    for version in ("1.0", "2.0"):
        publish(at(paths, store), [candidate(tmp_path, "demo", version)])
        assert root_of(store)["version"] == registry_of(store).generation
    address = f"{(tmp_path / 'store').as_uri()}/index/simple/"
    index = open_index(address, read_keyring(key), fetcher=Fetcher())
    assert index.registry == registry_of(store)
    assert not sign_root(at(paths, store)), "it is as it should be"


@pytest.mark.usefixtures("key")
def test_a_slow_signer_does_not_take_the_root_back(paths: Paths, tmp_path: Path) -> None:
    store = Eventful(paths.root)
    site = at(paths, store)
    publish(site, [candidate(tmp_path, "demo", "1.0")])
    # just before the second publish writes its root, a third one is through
    store.before(
        "replace", ROOT, lambda: publish(at(paths, Eventful(paths.root)), [candidate(tmp_path, "other")])
    )
    publish(site, [candidate(tmp_path, "demo", "2.0")])
    assert root_of(store)["version"] == registry_of(store).generation == 3


def test_a_registry_that_was_set_back_is_not_signed(
    paths: Paths, tmp_path: Path, key: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    store = Eventful(paths.root)
    for version in ("1.0", "2.0"):
        publish(at(paths, store), [candidate(tmp_path, "demo", version)])
    (paths.root / "packages.json").write_bytes((paths.root / "history" / "00000001.json").read_bytes())
    assert not sign_root(at(paths, store))
    assert "was set back, which is not signed" in capfd.readouterr().err
    address = f"{paths.root.as_uri()}/index/simple/"
    with pytest.raises(ProofFailed, match=r"not the registry that the signed root names \(generation 2\)"):
        open_index(address, read_keyring(key), fetcher=Fetcher())
    publish(at(paths, store), [candidate(tmp_path, "demo", "3.0")])
    assert open_index(address, read_keyring(key), fetcher=Fetcher()).registry == registry_of(store)


def test_who_reads_between_registry_and_root_is_not_stopped(paths: Paths, tmp_path: Path, key: Path) -> None:
    store = Eventful(paths.root)
    publish(at(paths, store), [candidate(tmp_path, "demo", "1.0")])
    seen: list[int] = []

    def read() -> None:
        address = f"{paths.root.as_uri()}/index/simple/"
        seen.append(open_index(address, read_keyring(key), fetcher=Fetcher()).root.generation)

    store.before("replace", ROOT, read)
    publish(at(paths, store), [candidate(tmp_path, "demo", "2.0")])
    assert (seen, registry_of(store).generation) == ([1], 2)


@pytest.mark.usefixtures("key")
def test_what_cannot_sign_is_told_before(paths: Paths, tmp_path: Path) -> None:
    settings = read_settings(paths)
    assert signer_of(paths, settings) is not None
    make_key(tmp_path / "other.key")
    (paths.root / "workbench.yaml").write_text(f"signing: {{key: {tmp_path / 'other.key'}}}\n")
    with pytest.raises(UsageError, match="is not on the list of the site's keys"):
        signer_of(paths, read_settings(paths))
    (paths.root / "workbench.yaml").write_text("signing: {key: trust/site.key}\n")
    with pytest.raises(UsageError, match="lies where everything is published"):
        signer_of(paths, read_settings(paths))
    (paths.root / "workbench.yaml").write_text("signing: {key: nowhere.key}\n")
    with pytest.raises(UsageError, match="no such key"):
        signer_of(paths, read_settings(paths))


@pytest.mark.usefixtures("key")
def test_an_older_list_of_keys_does_not_replace_a_newer(paths: Paths, tmp_path: Path) -> None:
    store = Eventful(tmp_path / "store")
    (tmp_path / "store").mkdir()
    publish(at(paths, store), [candidate(tmp_path, "demo", "1.0")])
    signer, path = read_signer(tmp_path / "site.key"), paths.root / KEYS
    before = path.read_bytes()
    path.write_bytes(sign_list(read_keyring(path).with_key(signer.key), [signer]))
    publish(at(paths, store), [candidate(tmp_path, "demo", "2.0")])
    path.write_bytes(before)
    with pytest.raises(StoreError, match="another checkout changed the site's keys"):
        publish(at(paths, store), [candidate(tmp_path, "demo", "3.0")])


def test_an_index_that_was_seen_newer_is_refused(paths: Paths, tmp_path: Path, key: Path) -> None:
    store = Eventful(paths.root)
    publish(at(paths, store), [candidate(tmp_path, "demo", "1.0")])
    address = f"{paths.root.as_uri()}/index/simple/"
    for seen in (SeenIndex(generation=2), SeenIndex(keys=2)):
        with pytest.raises(ProofFailed, match="2 was seen before"):
            open_index(address, read_keyring(key), fetcher=Fetcher(), seen=seen)
