"""An attestation beside a wheel (PEP 740): it is Sigstore's word on these very bytes, or nothing is published."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.evidence.sigstore import CIRCLECI, GITHUB, GITLAB, Sigstore
from tests.forked import invoke
from workbench.errors import ProofFailed
from workbench.evidence.attestations import attested
from workbench.evidence.notes import attestation_path
from workbench.files import sha256_of
from workbench.pipeline.published_copy import published_copy
from workbench.registry.file import load
from workbench.settings import read_settings
from workbench.store.opening import open_site

if TYPE_CHECKING:
    from tests.evidence.conftest import Signed


@pytest.fixture
def sigstore(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Sigstore:
    """Return a Sigstore that the workbench trusts in this test."""
    return Sigstore().trusted_here(monkeypatch, tmp_path / "user-cache")


@pytest.fixture
def fresh(signed: Signed) -> Signed:
    """Return a site that signs, has an address, and has not published its wheel yet."""
    for each in ("files", "records", "index", "trust"):
        shutil.rmtree(signed.paths.root / each)
    signed.paths.registry.unlink()
    (signed.paths.root / "workbench.yaml").write_text(
        "public_url: https://wheels.example.com\nsigning: {key: ../keys/site.key}\n"
    )
    return signed


def test_it_is_served_as_provenance_and_shown_to_whoever_asks(fresh: Signed, sigstore: Sigstore) -> None:
    beside = sigstore.attest(fresh.wheel)
    done = invoke("upload", fresh.wheel)
    assert done.status == 0, done.stderr
    name = fresh.wheel.name
    ((_, published),) = load(fresh.paths.registry).wheels()
    assert published.provenance == f"https://wheels.example.com/files/demo/{name}.provenance"
    assert f'data-provenance="{published.provenance}"' in (fresh.index / "demo" / "index.html").read_text()
    pages = fresh.paths.root / "index" / "simple-json" / "demo" / "index.json"
    assert json.loads(pages.read_text())["files"][0]["provenance"] == published.provenance
    assert published.provenance in (fresh.paths.root / "index" / "demo" / "index.html").read_text()

    served = json.loads(fresh.published(".provenance").read_bytes())
    publisher = {"kind": "GitHub", "repository": "someone/wheels", "workflow": "wheels.yml"}
    (bundle,) = served["attestation_bundles"]
    assert (served["version"], bundle["publisher"]) == (1, publisher)
    assert bundle["attestations"] == [json.loads(beside.read_text())]

    for each in (fresh.wheel, name):
        assert "by GitHub: someone/wheels, wheels.yml" in invoke("evidence.show", each).stdout
    assert "Sigstore knows who published it: GitHub: someone/wheels, wheels.yml" in fresh.proved().stdout
    of_another = sigstore.attestation(name, "0" * 64)
    served["attestation_bundles"][0]["attestations"] = [of_another]
    fresh.published(".provenance").write_text(json.dumps(served))
    for found in (fresh.proved(), invoke("evidence.show", name)):
        assert (found.status, "does not match distribution digest" in found.stderr) == (22, True)
        assert "move it away" not in found.stderr, "it is the publisher's"


def test_without_an_https_address_it_is_said_that_no_page_links_to_it(
    fresh: Signed, sigstore: Sigstore
) -> None:
    sigstore.attest(fresh.wheel)
    done = invoke("upload", fresh.wheel, "--public-url", "http://127.0.0.1:1")
    assert done.status == 0, done.stderr
    assert "no page links to attestations: public_url is not https" in done.stderr
    assert ".provenance" not in (fresh.index / "demo" / "index.html").read_text()


def test_what_is_published_without_one_stays_so_and_that_is_said(fresh: Signed, sigstore: Sigstore) -> None:
    assert invoke("upload", fresh.wheel).status == 0
    sigstore.attest(fresh.wheel)
    for words in (["--dry-run"], []):
        done = invoke("upload", fresh.wheel, *words)
        said = f"published before it was attested, and stays without that: {fresh.wheel.name}"
        assert (done.status, said in done.stderr) == (0, True), done.stderr
        assert ".provenance" not in done.stdout
    assert not [*(fresh.paths.root / "files").rglob("*.provenance")], "nothing links to it"


Spoil = Callable[[dict[str, Any]], None]

SPOILT: dict[str, tuple[Spoil, str]] = {
    "another version of attestations": (lambda it: it.update(version=2), "version: Input should be 1"),
    "one without a statement": (lambda it: it.pop("envelope"), "envelope: Field required"),
    "another signature": (
        lambda it: it["envelope"].update(signature="MEUCIQDM"),
        "Verification failed: DSSE: invalid signature",
    ),
    "a certificate that is none": (
        lambda it: it["verification_material"].update(certificate="QUJD"),
        "parsing asn1 value",
    ),
    "one that no log has": (
        lambda it: it["verification_material"].update(transparency_entries=[]),
        "verification_material.transparency_entries: List should have at least 1 item",
    ),
    "an entry of the log without its proof": (
        lambda it: it["verification_material"]["transparency_entries"][0].pop("inclusionProof"),
        "invalid transparency log entry",
    ),
    "an entry of another file": (
        lambda it: it["verification_material"]["transparency_entries"][0].update(canonicalizedBody="e30="),
        "invalid log entry",
    ),
}
"""What is changed in an attestation, and what is said of it."""


@pytest.mark.parametrize("what", SPOILT)
def test_what_was_changed_is_refused(tmp_path: Path, sigstore: Sigstore, what: str) -> None:
    wheel = tmp_path / "demo-1.0-py3-none-any.whl"
    wheel.write_bytes(b"a wheel")
    spoil, said = SPOILT[what]
    it = sigstore.attestation(wheel.name, sha256_of(wheel))
    spoil(it)
    attestation_path(wheel).write_text(json.dumps(it))
    with pytest.raises(ProofFailed) as caught:
        attested(wheel, sha256_of(wheel))
    assert said in str(caught.value)
    assert f"{attestation_path(wheel)}: not Sigstore's word on {wheel.name}" in str(caught.value)
    assert "move it away" in str(caught.value)


@pytest.mark.parametrize(
    ("filename", "sha256", "said"),
    [
        ("demo-1.1-py3-none-any.whl", "", "subject does not match distribution name"),
        ("", "0" * 64, "subject does not match distribution digest"),
        ("wheel", "", "invalid subject"),
    ],
)
def test_it_must_be_about_this_wheel(
    tmp_path: Path, sigstore: Sigstore, filename: str, sha256: str, said: str
) -> None:
    wheel = tmp_path / "demo-1.0-py3-none-any.whl"
    wheel.write_bytes(b"a wheel")
    it = sigstore.attestation(filename or wheel.name, sha256 or sha256_of(wheel))
    attestation_path(wheel).write_text(json.dumps(it))
    with pytest.raises(ProofFailed, match=said):
        attested(wheel, sha256_of(wheel))


def test_it_comes_back_with_a_published_wheel_that_is_sent_on(fresh: Signed, sigstore: Sigstore) -> None:
    sigstore.attest(fresh.wheel)
    before = attested(fresh.wheel, sha256_of(fresh.wheel))
    assert before is not None
    done = invoke("upload", fresh.wheel)
    assert done.status == 0, done.stderr
    ((_, published),) = load(fresh.paths.registry).wheels()
    place = fresh.paths.wheels / published.filename
    store = open_site(fresh.paths, read_settings(fresh.paths)).store
    # fetched, and killed before what is known of it was written too
    for left in (place, attestation_path(place)):
        left.unlink()
        assert published_copy(published, fresh.paths, store) == place
        assert attested(place, published.sha256) == before
    attestation_path(place).unlink()
    fresh.published(".provenance").write_text("{}")
    with pytest.raises(ProofFailed, match=r"\.provenance: it is not the provenance of one attestation"):
        published_copy(published, fresh.paths, store)


@pytest.mark.usefixtures("sigstore")
def test_keys_that_were_half_written_are_not_the_attestations_fault(tmp_path: Path) -> None:
    wheel = tmp_path / "demo-1.0-py3-none-any.whl"
    attestation_path(wheel).write_text("{}")
    (keys,) = (tmp_path / "user-cache").rglob("trusted_root.json")
    keys.write_bytes(keys.read_bytes()[:100])
    with pytest.raises(ProofFailed, match="Sigstore's keys on this machine cannot be read") as caught:
        attested(wheel, "0" * 64)
    assert "Make it again" not in str(caught.value)


def test_a_cache_that_cannot_be_written_to_is_told_with_what_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel, cache = tmp_path / "demo-1.0-py3-none-any.whl", tmp_path / "user-cache"
    attestation_path(wheel).write_text("{}")
    cache.touch()  # no folder can be made below a file, by root neither
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    with pytest.raises(ProofFailed, match=f"in your cache: {cache}/.*: Not a directory.* Set XDG_CACHE_HOME"):
        attested(wheel, "0" * 64)


@pytest.mark.parametrize("content", ["", "[]", "{", '"a"', "null", "[" * 100_000, "\0"])
def test_junk_is_one_message(tmp_path: Path, content: str) -> None:
    wheel = tmp_path / "demo-1.0-py3-none-any.whl"
    attestation_path(wheel).write_text(content)
    with pytest.raises(ProofFailed) as caught:
        attested(wheel, "0" * 64)
    assert "\n" not in str(caught.value)


def test_only_sigstores_own_certificates_count(tmp_path: Path, sigstore: Sigstore) -> None:
    wheel = tmp_path / "demo-1.0-py3-none-any.whl"
    wheel.write_bytes(b"a wheel")
    Sigstore().attest(wheel)
    with pytest.raises(ProofFailed, match="failed to build timestamp certificate chain"):
        attested(wheel, sha256_of(wheel))
    sigstore.attest(wheel)
    assert attested(wheel, sha256_of(wheel)) is not None


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        (GITHUB, "GitHub: someone/wheels, wheels.yml"),
        (GITLAB, "GitLab: some/group/wheels, .gitlab-ci.yml"),
        (CIRCLECI, "CircleCI: c9035eb6, fefb451c"),
    ],
)
def test_each_ci_is_named(tmp_path: Path, sigstore: Sigstore, claims: dict[int, str], said: str) -> None:
    wheel = tmp_path / "demo-1.0-py3-none-any.whl"
    wheel.write_bytes(b"a wheel")
    sigstore.attest(wheel, claims)
    found = attested(wheel, sha256_of(wheel))
    assert found is not None
    assert found.publisher == said


@pytest.mark.parametrize(
    ("claims", "said"),
    [
        ({8: "https://github.com/login/oauth"}, "its identity is of https://github.com/login/oauth"),
        ({}, "its identity is of nobody"),
        (
            GITHUB | {18: "https://github.com/someone/wheels/.github/x.yml@main"},
            "does not name what GitHub ran",
        ),
        (GITHUB | {12: "https://github.com/another/wheels"}, "SourceRepositoryURI"),
    ],
)
def test_who_is_no_ci_is_refused(
    tmp_path: Path, sigstore: Sigstore, claims: dict[int, str], said: str
) -> None:
    wheel = tmp_path / "demo-1.0-py3-none-any.whl"
    wheel.write_bytes(b"a wheel")
    sigstore.attest(wheel, claims)
    with pytest.raises(ProofFailed) as caught:
        attested(wheel, sha256_of(wheel))
    assert said in str(caught.value)


def test_another_description_takes_away_what_was_said_of_a_wheel_of_others(
    fresh: Signed, sigstore: Sigstore
) -> None:
    fresh.wheel.with_name(f"{fresh.wheel.name}.build.json").unlink()
    beside = sigstore.attest(fresh.wheel)
    readme = fresh.paths.root / "README.md"
    readme.write_text("# Demo\n")
    assert invoke("update-readme", fresh.wheel, "--file", readme).status == 0
    assert not beside.exists(), "it speaks of the bytes before"


def test_nothing_is_published_with_one_of_other_bytes(fresh: Signed, sigstore: Sigstore) -> None:
    sigstore.attest(fresh.wheel)
    readme = fresh.paths.root / "README.md"
    readme.write_text("# Demo\n")
    before = attestation_path(fresh.wheel).read_text()
    assert invoke("update-readme", fresh.wheel, "--file", readme).status == 0
    assert not attestation_path(fresh.wheel).exists(), "it speaks of the bytes before"
    attestation_path(fresh.wheel).write_text(before)
    for words in ([], ["--dry-run"], ["--to", "pypi"]):
        refused = invoke("upload", fresh.wheel, *words, env={"PYPI_API_TOKEN": "pypi-token"})
        assert (refused.status, "not Sigstore's word on" in refused.stderr) == (22, True), refused.stderr
    assert not fresh.paths.registry.exists()
