"""Each attack of the table in docs/security.md, tried on a copy of a signed index: the command named there finds it."""

from __future__ import annotations

import base64
import json
import re
import shutil
import zipfile
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.evidence.conftest import Signed, flip
from tests.forked import invoke
from workbench.evidence import notes
from workbench.evidence.keys import KEYS
from workbench.evidence.reproduction import Reproduction, write_verdict
from workbench.evidence.root import ROOT, SignedRoot, write_root
from workbench.evidence.signer import read_signer
from workbench.evidence.statements import signed_anew
from workbench.files import sha256_of
from workbench.paths import CHECKOUT
from workbench.publish.verdicts import publish_verdict
from workbench.settings import read_settings
from workbench.store.opening import open_site

PROOF_FAILED = 22
NOT_VERIFIED = 11

Attack = Callable[[Signed], None]
ATTACKS: dict[str, tuple[Attack, str]] = {}
"""What is done to what is published, and what `check-index` says of it."""


def attack(name: str, said: str) -> Callable[[Attack], Attack]:
    def kept(act: Attack) -> Attack:
        ATTACKS[name] = (act, said)
        return act

    return kept


def replaced(site: Signed, key: str, before: str, after: str) -> None:
    path = site.paths.root / key
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after, 1))


@attack("one bit of the wheel", "the wheel was changed")
def _(site: Signed) -> None:
    flip(site.published(), 5000)


@attack("one bit of the statement", "it was changed")
def _(site: Signed) -> None:
    flip(site.published(".statement.*.json"), 200)


@attack("one bit of the statement's signature", "it was changed")
def _(site: Signed) -> None:
    flip(site.published(".statement.*.json"), -20)


@attack("one bit of the published bill of materials", "it was changed")
def _(site: Signed) -> None:
    flip(site.published(".sbom.*.json"), 100)


@attack("one bit of a patch", "it was changed")
def _(site: Signed) -> None:
    flip(site.published(".patch"), 20)


@attack("a statement taken away", "it is missing")
def _(site: Signed) -> None:
    site.published(".statement.*.json").unlink()


@attack("one bit of the registry", "not the registry that the signed root names")
def _(site: Signed) -> None:
    flip(site.paths.registry, 30)


@attack("another sha256 in registry and page", "not the registry that the signed root names")
def _(site: Signed) -> None:
    sha256 = json.loads(site.paths.registry.read_text())["packages"]["demo"]["wheels"][0]["sha256"]
    replaced(site, "packages.json", sha256, "0" * 64)
    replaced(site, "index/simple/demo/index.html", sha256, "0" * 64)


@attack("another sha256 on the page", "another sha256 than in the signed registry")
def _(site: Signed) -> None:
    page = site.index / "demo" / "index.html"
    page.write_text(re.sub(r"#sha256=\w{64}", f"#sha256={'0' * 64}", page.read_text()))


@attack("a file that a page hides", "is missing: the page is older, or somebody hides it")
def _(site: Signed) -> None:
    page = site.index / "demo" / "index.html"
    page.write_text(re.sub(r"<a .*</a>", "", page.read_text()))


@attack("a file that is put on a page", "is not in the signed registry")
def _(site: Signed) -> None:
    page = site.index / "demo" / "index.html"
    more = f'<a href="demo-9.0-py3-none-any.whl#sha256={"0" * 64}">demo-9.0-py3-none-any.whl</a></body>'
    page.write_text(page.read_text().replace("</body>", more))


@attack("one bit of the root", "does not fit")
def _(site: Signed) -> None:
    replaced(site, ROOT, '"version":1}}', '"version":3}}')


@attack("one bit of the root's signature", "does not fit")
def _(site: Signed) -> None:
    text = (site.paths.root / ROOT).read_text()
    sig = json.loads(text)["signatures"][0]["sig"]
    replaced(site, ROOT, sig, f"{'0' if sig[0] != '0' else '1'}{sig[1:]}")


@attack("a root taken away", "has no signed root")
def _(site: Signed) -> None:
    (site.paths.root / ROOT).unlink()


@attack("a root signed by another key", "not among those that you trust")
def _(site: Signed) -> None:
    _root_by(site, "other", NEW)


@attack("an expired root", "it expired on")
def _(site: Signed) -> None:
    _root_by(site, "site", datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1))


@attack("one bit of the list of keys", "does not fit")
def _(site: Signed) -> None:
    text = json.loads((site.paths.root / KEYS).read_text())
    text["payload"] = (
        text["payload"][:40] + ("A" if text["payload"][40] != "A" else "B") + text["payload"][41:]
    )
    (site.paths.root / KEYS).write_text(json.dumps(text))


@attack("the list of keys taken away", "this is missing")
def _(site: Signed) -> None:
    (site.paths.root / KEYS).unlink()


@attack("an older list of keys", "names version 2 of the list of keys, and this is version 1")
def _(site: Signed) -> None:
    before = (site.paths.root / KEYS).read_bytes()
    assert invoke("evidence.keys", "--add", f"{_other_key(site)}.pub").status == 0
    assert invoke("evidence.sign-index").status == 0
    (site.paths.root / KEYS).write_bytes(before)


@attack("a revoked key", "is revoked: the laptop was stolen")
def _(site: Signed) -> None:
    other = _other_key(site)
    add = ["evidence.keys", "--add", f"{other}.pub"]
    assert invoke(*add).status == 0
    listed = json.loads(invoke("evidence.keys", "--json").stdout)
    keyid = listed["keys"][0]["id"]
    assert invoke("evidence.keys", "--revoke", keyid, "--reason", "the laptop was stolen").status == 0
    (site.paths.root / "workbench.yaml").write_text(f"signing: {{key: {other}}}\n")
    assert invoke("evidence.sign-index").status == 0


@attack("an older registry behind a new root", "not the registry that the signed root names")
def _(site: Signed) -> None:
    before = site.paths.registry.read_bytes()
    yanked = invoke("yank", site.wheel.name, "--reason", "broken")
    assert yanked.status == 0, yanked.stderr
    site.paths.registry.write_bytes(before)
    shutil.rmtree(site.paths.root / "history")


@attack("one bit of the verdict", "it was changed")
def _(site: Signed) -> None:
    _judged(site, *site.verdict())
    flip(site.published(".verdict.*.json"), 200)


@attack("a verdict taken away", "it is missing")
def _(site: Signed) -> None:
    _judged(site, *site.verdict())
    site.published(".verdict.*.json").unlink()


@attack("a verdict of another wheel", "it is another wheel's, or the wheel was changed")
def _(site: Signed) -> None:
    _judged(site, site.verdict()[0], site.verdict(sha256="1" * 64)[1])


@attack("a verdict on another statement", "it was built again from another statement")
def _(site: Signed) -> None:
    _judged(site, site.verdict()[0], site.verdict(statement="1" * 64)[1])


@attack("a verdict that nobody signed", "it is not signed")
def _(site: Signed) -> None:
    found, _ = site.verdict()
    _judged(site, found, write_verdict(found))


@attack("a verdict that another key signed", "not among those that you trust")
def _(site: Signed) -> None:
    _other_key(site)
    _judged(site, *site.verdict(key="other"))


@attack(
    "a bad verdict in place of a good one",
    "the registry and this verdict disagree on what the second build gave",
)
def _(site: Signed) -> None:
    found, content = site.verdict()
    _judged(site, replace(found, rebuilt="1" * 64), content)


def _judged(site: Signed, found: Reproduction, content: bytes) -> None:
    """Publish a verdict, as somebody who has the site's key."""
    publish_verdict(open_site(site.paths, read_settings(site.paths)), found, content)


NEW = datetime(2099, 1, 1, tzinfo=UTC)


def _other_key(site: Signed) -> str:
    path = site.keys / "other.key"
    assert invoke("evidence.new-key", "--to", path, "--no-passphrase").status == 0
    return str(path)


def _root_by(site: Signed, key: str, expires: datetime) -> None:
    if key == "other":
        _other_key(site)
    root = json.loads((site.paths.root / ROOT).read_text())["signed"]
    snapshot = root["meta"]["snapshot.json"]
    made = SignedRoot(
        generation=snapshot["version"],
        size=snapshot["length"],
        sha256=snapshot["hashes"]["sha256"],
        keys_version=root["keys"]["version"],
        expires=expires,
    )
    (site.paths.root / ROOT).write_bytes(write_root(made, read_signer(site.keys / f"{key}.key")))


def test_what_nobody_touched_is_proved(signed: Signed) -> None:
    done = signed.proved()
    assert done.status == 0, done.stderr
    for told in ("answer.patch", "gitCommit", "setuptools", "generation", "invoke build demo"):
        assert told in done.stdout


@pytest.mark.parametrize("name", ATTACKS)
def test_it_is_found_by_who_has_the_address_and_the_key(signed: Signed, name: str) -> None:
    act, said = ATTACKS[name]
    act(signed)
    done = signed.proved()
    assert (done.status, said in done.stderr) == (PROOF_FAILED, True), done.stderr


def test_the_table_of_attacks_is_this_one() -> None:
    page = (CHECKOUT / "docs" / "security.md").read_text()
    table = page[page.index("| attack |") :]
    rows = re.findall(r"^\| (.+?) \| `(check-index|verify)` \|", table, re.MULTILINE)
    assert {name for name, command in rows if command == "check-index"} == set(ATTACKS)
    assert {name for name, command in rows if command == "verify"} == set(LOCAL)


LOCAL: dict[str, tuple[Attack, int, str]] = {}
"""What is done to a wheel on its way from the machine that built it, and what `verify` says of it."""


def local(name: str, status: int, said: str) -> Callable[[Attack], Attack]:
    def kept(act: Attack) -> Attack:
        LOCAL[name] = (act, status, said)
        return act

    return kept


@local("one bit of a wheel that was not published yet", NOT_VERIFIED, "demo")
def _(site: Signed) -> None:
    flip(site.wheel, 5000)


@local("one bit of the bill of materials in a wheel", NOT_VERIFIED, "wheel-workbench.cdx.json")
def _(site: Signed) -> None:
    at = site.wheel.read_bytes().index(b"sboms/wheel-workbench.cdx.json")
    flip(site.wheel, at + 120)


@local("one bit of the statement beside a wheel", PROOF_FAILED, "")
def _(site: Signed) -> None:
    flip(site.wheel.with_name(f"{site.wheel.name}.statement.json"), 200)


@local("a wheel without a statement", PROOF_FAILED, "no signed statement lies beside it")
def _(site: Signed) -> None:
    site.wheel.with_name(f"{site.wheel.name}.statement.json").unlink()


@local("a statement that nobody signed", PROOF_FAILED, "it is not signed")
def _(site: Signed) -> None:
    told = invoke("evidence.show", site.wheel, "--json").stdout
    site.wheel.with_name(f"{site.wheel.name}.statement.json").write_text(told)


@local("a statement that another key signed", PROOF_FAILED, "not among those that you trust")
def _(site: Signed) -> None:
    other = _other_key(site)
    assert invoke("evidence.keys", "--add", f"{other}.pub").status == 0
    (site.paths.root / "workbench.yaml").write_text(f"signing: {{key: {other}}}\n")
    assert invoke("evidence.sign", site.wheel).status == 0


def _beside(site: Signed, content: bytes) -> None:
    site.wheel.with_name(f"{site.wheel.name}.verdict.json").write_bytes(content)


@local("a verdict beside a wheel that was changed to a good one", PROOF_FAILED, "does not fit")
def _(site: Signed) -> None:
    found, _ = site.verdict()
    signer = read_signer(site.keys / "site.key")
    envelope = json.loads(write_verdict(replace(found, rebuilt="1" * 64), [signer]))
    envelope["payload"] = base64.b64encode(write_verdict(found)).decode()
    _beside(site, json.dumps(envelope).encode())


@local(
    "a verdict of another wheel beside one", PROOF_FAILED, "it is another wheel's, or the wheel was changed"
)
def _(site: Signed) -> None:
    _beside(site, site.verdict(sha256="1" * 64)[1])


@local(
    "a verdict on another statement beside a wheel", PROOF_FAILED, "it was built again from another statement"
)
def _(site: Signed) -> None:
    _beside(site, site.verdict(statement="1" * 64)[1])


@local("a verdict beside a wheel that nobody signed", PROOF_FAILED, "it is not signed")
def _(site: Signed) -> None:
    _beside(site, write_verdict(site.verdict()[0]))


@local("a sound wheel in place of the signed one", PROOF_FAILED, "the wheel was changed after it was made")
def _(site: Signed) -> None:
    with zipfile.ZipFile(site.wheel) as archive:
        members = {each: archive.read(each) for each in archive.infolist()}
    with zipfile.ZipFile(site.wheel, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for each, content in members.items():
            archive.writestr(each, content)


@pytest.mark.parametrize("name", LOCAL)
def test_it_is_found_before_a_wheel_is_published(signed: Signed, name: str) -> None:
    assert invoke("evidence.sign", signed.wheel).status == 0
    act, status, said = LOCAL[name]
    act(signed)
    done = invoke("verify", signed.wheel, "--signed-by", signed.public)
    assert (done.status, said in done.stderr + done.stdout) == (status, True), done.stderr + done.stdout


def test_a_program_that_reads_json_is_told_of_the_signer_too(signed: Signed) -> None:
    assert invoke("evidence.sign", signed.wheel).status == 0
    refused = invoke("verify", signed.wheel, "--signed-by", f"{_other_key(signed)}.pub", "--json")
    assert (refused.status, refused.stdout) == (PROOF_FAILED, ""), refused.stderr
    done = invoke("verify", signed.wheel, "--signed-by", signed.public, "--json")
    assert [each["signer"] for each in json.loads(done.stdout)] == [
        read_signer(signed.keys / "site.key").key.id
    ]


def test_a_site_that_signs_publishes_no_statement_that_its_readers_refuse(signed: Signed) -> None:
    beside, registry = notes.statement_path(signed.wheel), signed.paths.registry.read_bytes()
    plain = invoke("evidence.show", signed.wheel, "--json").stdout.encode()
    told = {"filename": signed.wheel.name, "sha256": sha256_of(signed.wheel), "where": "it"}
    foreign = signed_anew(plain, read_signer(Path(_other_key(signed))), **told)
    github = {
        "GITHUB_TOKEN": "t0ken",
        "GITHUB_REPOSITORY": "someone/wheels",
        "GITHUB_API_URL": "http://127.0.0.1:1",
    }
    for content, said in ((plain, "it is not signed"), (foreign, "not among those that you trust")):
        beside.write_bytes(content)
        for words in (
            ("upload", signed.wheel),
            ("upload", signed.wheel, "--dry-run"),
            ("release", "demo", "--to", "github"),
            ("release", "demo", "--to", "github", "--dry-run"),
        ):
            refused = invoke(*words, env=github)
            assert (refused.status, said in refused.stderr) == (PROOF_FAILED, True), (words, refused.stderr)
            assert f"evidence.sign {signed.wheel}' signs it" in refused.stderr
    assert signed.paths.registry.read_bytes() == registry
    # what it says to do, also of a wheel of which nothing is known but this statement
    signed.wheel.with_name(f"{signed.wheel.name}.build.json").unlink()
    assert invoke("evidence.sign", signed.wheel).status == 0
    assert invoke("verify", signed.wheel, "--signed-by", signed.public).status == 0
    # where nothing lies beside it, that of the store goes along
    beside.unlink()
    signed.published(".statement.*.json").write_bytes(plain)
    refused = invoke("release", "demo", "--to", "github", "--dry-run", env=github)
    assert (refused.status, f"evidence.sign {signed.wheel.name}' signs it" in refused.stderr) == (22, True)


def test_a_release_that_would_be_refused_ends_before_it_builds(signed: Signed) -> None:
    for each in ("files", "records", "index", "trust"):
        shutil.rmtree(signed.paths.root / each)
    signed.paths.registry.unlink()
    plain = invoke("evidence.show", signed.wheel, "--json").stdout.encode()
    notes.statement_path(signed.wheel).write_bytes(plain)
    for words in ((), ("--dry-run",)):
        refused = invoke("release", "demo", *words)
        assert (refused.status, "it is not signed" in refused.stderr) == (PROOF_FAILED, True), refused.stderr
        assert "evidence.sign" in refused.stderr
    assert not signed.paths.registry.exists()
    if (signed.paths.root / KEYS).exists():
        (signed.paths.root / KEYS).unlink()
    # a key that has no list yet counts by its public half
    assert invoke("upload", signed.wheel, "--dry-run").status == PROOF_FAILED
    notes.statement_path(signed.wheel).unlink()
    assert invoke("upload", signed.wheel, "--dry-run").status == 0
    assert not (signed.paths.root / KEYS).exists()


def test_a_signed_wheel_passes_and_an_unsigned_one_is_not_published(signed: Signed) -> None:
    registry = signed.paths.registry.read_bytes()
    refused = invoke("upload", signed.wheel, "--signed-by", signed.public)
    assert (refused.status, signed.paths.registry.read_bytes()) == (PROOF_FAILED, registry), refused.stderr
    assert invoke("evidence.sign", signed.wheel).status == 0
    for verb in ("verify", "upload"):
        done = invoke(verb, signed.wheel, "--signed-by", signed.public)
        assert done.status == 0, done.stderr
