from __future__ import annotations

import base64
import errno
import json
import shutil
import stat
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from securesystemslib.dsse import Envelope as TheirEnvelope
from securesystemslib.signer import SSlibKey
from tuf.api.metadata import Metadata, Timestamp

from tests.forked import invoke
from workbench.errors import ProofFailed, UsageError
from workbench.evidence.dsse import pae, read_envelope
from workbench.evidence.keys import KEYS, Keyring, read_keyring, read_list, verify
from workbench.evidence.root import NEVER, SignedRoot, read_root, write_root
from workbench.evidence.signer import ASK, VARIABLE, make_key, read_signer, sealed, sign_list
from workbench.settings import read_settings

if TYPE_CHECKING:
    from tests.evidence.conftest import Signed
    from workbench.evidence.signer import Signer

WORDS = "seven words"


@pytest.fixture
def signer(tmp_path: Path) -> Signer:
    make_key(tmp_path / "one.key")
    return read_signer(tmp_path / "one.key")


@pytest.fixture
def other(tmp_path: Path) -> Signer:
    make_key(tmp_path / "two.key")
    return read_signer(tmp_path / "two.key")


def theirs(signer: Signer) -> SSlibKey:
    return SSlibKey(signer.key.id, "ed25519", "ed25519", {"public": signer.key.raw.hex()})


def test_what_is_signed_is_as_the_standard_has_it() -> None:
    """The example of DSSE's protocol."""
    assert pae("http://example.com/HelloWorld", b"hello world") == (
        b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    )


def test_others_verify_our_envelopes_and_roots(signer: Signer, other: Signer) -> None:
    document = json.loads(sealed(b"{}", "application/vnd.in-toto+json", [signer]).write())
    TheirEnvelope.from_dict(json.loads(json.dumps(document))).verify([theirs(signer)], 1)
    with pytest.raises(Exception, match=r"(?i)accepted signatures|verif"):
        TheirEnvelope.from_dict(document).verify([theirs(other)], 1)
    root = write_root(SignedRoot(generation=7, size=1, sha256="0" * 64, keys_version=1), signer)
    metadata = Metadata[Timestamp].from_bytes(root)
    theirs(signer).verify_signature(metadata.signatures[signer.key.id], metadata.signed_bytes)
    assert (metadata.signed.version, metadata.signed.is_expired()) == (7, False)


def test_a_key_is_for_its_owner_alone_and_is_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "site.key"
    key = make_key(path, passphrase=WORDS)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_keyring(path.with_name("site.key.pub")).keys == (key,)
    with pytest.raises(UsageError, match="never written over"):
        make_key(path)
    path.chmod(0o640)
    with pytest.raises(UsageError, match="others can read this key"):
        read_signer(path)


def test_what_a_message_says_to_type_can_be_pasted(tmp_path: Path) -> None:
    path = tmp_path / "my keys" / "site.key"
    with pytest.raises(UsageError, match=f"new-key --to '{path}'' makes one"):
        read_signer(path)
    make_key(path)
    path.chmod(0o644)
    with pytest.raises(UsageError, match=f"chmod 600 '{path}'' if nobody has"):
        read_signer(path)


def test_a_passphrase_comes_from_the_variable_or_a_person(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    path = tmp_path / "site.key"
    key = make_key(path, passphrase=WORDS)
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(UsageError, match=f"set {VARIABLE}"):
        read_signer(path)
    monkeypatch.setenv(VARIABLE, "six words")
    with pytest.raises(UsageError, match="the passphrase is wrong"):
        read_signer(path)
    monkeypatch.delenv(VARIABLE)
    token = ASK.set(lambda _: "")  # who presses Enter
    with pytest.raises(UsageError, match="the passphrase is wrong"):
        read_signer(path)
    ASK.reset(token)
    token = ASK.set(lambda _: WORDS)
    try:
        assert read_signer(path).key == key
        assert "seven" not in repr(read_signer(path))
    finally:
        ASK.reset(token)


def test_no_passphrase_is_shown_or_kept(tmp_path: Path) -> None:
    done = invoke("evidence.new-key", "--to", tmp_path / "a.key", env={VARIABLE: WORDS})
    assert done.status == 0, done.stderr
    assert "seven" not in done.stdout + done.stderr
    assert b"ENCRYPTED" in (tmp_path / "a.key").read_bytes()
    nobody = invoke("evidence.new-key", "--to", tmp_path / "b.key")
    assert (nobody.status, (tmp_path / "b.key").exists()) == (2, False)


def test_a_private_key_is_not_taken_for_a_public_one(tmp_path: Path, signer: Signer) -> None:
    del signer
    with pytest.raises(UsageError, match=r"name the public one beside it, one\.key\.pub"):
        read_keyring(tmp_path / "one.key")


def test_each_reason_is_told_apart(signer: Signer, other: Signer) -> None:
    envelope = sealed(b"{}", "text/plain", [signer])

    def said(keys: Keyring, signatures: object = envelope.signatures) -> str:
        with pytest.raises(ProofFailed) as error:
            verify(envelope.signed, signatures, keys, where="it")  # type: ignore[arg-type] # what was read
        return str(error.value)

    trusting = Keyring(keys=(signer.key,))
    assert verify(envelope.signed, envelope.signatures, trusting, where="it") == signer.key
    assert "nobody signed it" in said(trusting, ())
    assert "not among those that you trust" in said(Keyring(keys=(other.key,)))
    assert "is revoked: lost" in said(Keyring(keys=(replace(signer.key, revoked="lost"),)))
    changed = replace(envelope.signatures[0], value=bytes(64))
    assert "does not fit" in said(trusting, (changed,))
    # one good signature is enough
    assert verify(envelope.signed, (changed, *envelope.signatures), trusting, where="it") == signer.key


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff",
        b"[",
        b"[" * 100_000,
        b'{"payloadType": 1}',
        b'{"payloadType": "x", "payload": "!", "signatures": []}',
        b'{"payloadType": "x", "payload": "", "signatures": [{"keyid": 1}]}',
        b'{"payloadType": "x", "payload": "", "signatures": 3}',
        b"1" * 5000,
    ],
)
def test_junk_is_one_message(text: bytes, signer: Signer) -> None:
    keys = Keyring(keys=(signer.key,))
    for read in (
        lambda: read_list(text, where="it", signed_by=keys),
        lambda: read_root(text, keys, now=datetime.now(UTC), where="it"),
    ):
        with pytest.raises(ProofFailed, match=r"^it: "):
            read()
    try:
        assert read_envelope(text, where="it") is None
    except ProofFailed as error:
        assert str(error).startswith("it: ")  # noqa: PT017 - either will do


def test_a_list_counts_if_a_trusted_key_signed_it_also_one_that_it_revokes(
    signer: Signer, other: Signer
) -> None:
    first = Keyring(keys=(signer.key,), version=1)
    second = first.with_key(other.key).with_key(replace(signer.key, revoked="lost"))
    both = sign_list(second, [other, signer])
    assert read_list(both, where="it", signed_by=first) == second
    with pytest.raises(ProofFailed, match="not among those that you trust"):
        read_list(sign_list(second, [other]), where="it", signed_by=first)


def test_a_key_that_a_trusted_list_revokes_signs_no_other_list(
    tmp_path: Path, signer: Signer, other: Signer
) -> None:
    """Who stole it, and can write to the store, would put a key of their own on the next list."""
    make_key(tmp_path / "thief.key")
    thief = read_signer(tmp_path / "thief.key")
    trusted = Keyring(keys=(signer.key, other.key), version=2).with_key(replace(signer.key, revoked="stolen"))
    taken_over = sign_list(trusted.with_key(thief.key), [signer])
    with pytest.raises(ProofFailed, match="is revoked: stolen"):
        read_list(taken_over, where="it", signed_by=trusted)
    # a site may have signed the list itself with nothing else: whoever has that list trusts it already
    assert read_list(sign_list(trusted, [signer]), where="it", signed_by=trusted) == trusted


def test_what_follows_a_list_has_its_keys_and_revokes_what_it_revokes(signer: Signer, other: Signer) -> None:
    first = Keyring(keys=(signer.key, other.key), version=1)
    revoked = first.with_key(replace(other.key, revoked="lost"))
    twice = first.with_key(replace(signer.key, revoked="lost")).with_key(
        replace(signer.key, revoked="stolen")
    )
    assert revoked.follows(first)
    assert not first.follows(revoked)
    assert not revoked.follows(revoked)
    assert not twice.follows(revoked)  # it is later, and trusts what the other revokes
    assert not Keyring(keys=(signer.key,), version=9).follows(first)


def test_a_list_that_another_checkout_changed_is_not_written_over(signed: Signed, tmp_path: Path) -> None:
    """Its store is elsewhere: two checkouts change the list of keys, and neither knows of the other."""
    store = {"WORKBENCH_STORE_FOLDER": str(tmp_path / "store")}
    here, there = signed.paths.root / KEYS, tmp_path / "store" / KEYS
    shutil.copytree(signed.paths.root / "files", tmp_path / "store" / "files")
    shutil.copytree(signed.paths.root / "trust", tmp_path / "store" / "trust")
    shutil.copy(signed.paths.registry, tmp_path / "store")
    first = here.read_bytes()
    signed.new_key()
    (signed.paths.root / "workbench.yaml").write_text("signing: {key: ../keys/new.key}\n")
    signed.revoke()
    assert invoke("evidence.sign-index", env=store).status == 0
    revoking = there.read_bytes()
    # the other checkout knows nothing of that, and changes its list as often
    here.write_bytes(first)
    (signed.paths.root / "workbench.yaml").write_text("signing: {key: ../keys/site.key}\n")
    for name in ("a", "b", "c"):
        signed.new_key(name)
    stopped = invoke("evidence.sign-index", env=store)
    assert (stopped.status, there.read_bytes()) == (12, revoking), stopped.stderr
    assert "If another checkout changed the site's keys, bring its trust/keys.json here" in stopped.stderr
    # as it is where the two know of the same keys
    (signed.paths.root / "workbench.yaml").write_text("signing: {key: ../keys/new.key}\n")
    assert invoke("evidence.keys", "--add", signed.keys / "new.key.pub").status == 0
    known = invoke("evidence.sign-index", env=store)
    assert (known.status, "another checkout changed" in known.stderr) == (12, True), known.stderr
    # what the message says works
    here.write_bytes(revoking)
    (signed.paths.root / "workbench.yaml").write_text("signing: {key: ../keys/new.key}\n")
    assert invoke("evidence.keys", "--add", signed.keys / "a.key.pub").status == 0
    assert invoke("evidence.sign-index", env=store).status == 0
    # and so it does for a list that nobody of the site made
    there.write_text(there.read_text().replace("A", "B"))
    changed = invoke("evidence.sign-index", env=store)
    assert (changed.status, "if not, somebody changed" in changed.stderr) == (12, True), changed.stderr
    there.unlink()
    assert invoke("evidence.sign-index", env=store).status == 0
    assert there.read_bytes() == here.read_bytes()


def test_a_list_may_be_changed_before_anything_is_published(signed: Signed) -> None:
    (signed.paths.root / KEYS).unlink()
    signed.new_key()
    assert len(read_keyring(signed.paths.root / KEYS).keys) == 2
    assert invoke("evidence.sign-index").status == 0


def test_a_revoked_key_does_not_come_back(signed: Signed) -> None:
    new = signed.new_key()
    signed.revoke()
    before = (signed.paths.root / KEYS).read_bytes()
    done = invoke("evidence.keys", "--add", signed.public)
    assert (done.status, "is revoked (stolen), and stays so" in done.stderr) == (2, True), done.stderr
    assert (signed.paths.root / KEYS).read_bytes() == before
    # what signed.key is told works: another key, and the old one to tell those who trust it
    stopped = invoke("evidence.sign-index")
    assert (stopped.status, "--also OLD" in stopped.stderr) == (2, True), stopped.stderr
    third = signed.keys / "third.key"
    assert invoke("evidence.new-key", "--to", third, "--no-passphrase").status == 0
    (signed.paths.root / "workbench.yaml").write_text(f"signing: {{key: {third}}}\n")
    alone = invoke("evidence.keys", "--add", f"{third}.pub")
    assert (alone.status, "no key that was trusted before signs this list" in alone.stderr) == (0, True)
    assert invoke("evidence.sign-index").status == 0
    known: list[str | Path] = ["check-index", signed.index, "--signed-by", f"{new}.pub"]
    assert invoke(*known).status == 22
    assert invoke("evidence.keys", "--also", new).status == 0
    assert invoke("evidence.sign-index").status == 0
    assert invoke(*known).status == 0


def test_flags_that_do_nothing_are_refused(signed: Signed) -> None:
    assert invoke("evidence.keys", "--reason", "lost").status == 2
    assert invoke("evidence.keys", "--revoke", "0" * 8).status == 2
    path = signed.keys / "new.key"
    assert invoke("evidence.new-key", "--to", path, "--keyring", "--no-passphrase").status == 2
    assert not path.exists()


def test_a_key_that_could_not_be_written_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So the same command does it once there is room again."""
    path = tmp_path / "site.key"

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("workbench.files.os.fsync", full)
    with pytest.raises(OSError, match="No space left") as error:
        make_key(path)
    assert error.value.filename == f"{path}.pub"
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    make_key(path)


@pytest.mark.parametrize("words", ["pa\udcffss", "x" * 1024])
def test_a_passphrase_that_no_key_can_have_is_refused(tmp_path: Path, words: str) -> None:
    with pytest.raises(UsageError, match="the passphrase"):
        make_key(tmp_path / "site.key", passphrase=words)
    assert list(tmp_path.iterdir()) == []


def test_the_line_for_the_settings_can_be_pasted(signed: Signed) -> None:
    path = signed.keys / "kéy #1, of {ours}: 'x'.key"
    done = invoke("evidence.new-key", "--to", path, "--no-passphrase")
    (line,) = [line for line in done.stdout.splitlines() if "workbench.yaml" in line]
    (signed.paths.root / "workbench.yaml").write_text(line.partition("workbench.yaml")[2].strip() + "\n")
    assert read_settings(signed.paths).signing.key == str(path)


def test_a_root_that_never_expires_does_not(signer: Signer) -> None:
    root = SignedRoot(generation=1, size=2, sha256="0" * 64, keys_version=1)
    keys = Keyring(keys=(signer.key,))
    assert read_root(write_root(root, signer), keys, now=datetime.now(UTC), where="it") == root
    assert root.expires == NEVER


def test_the_key_is_changed_and_who_trusts_the_old_one_follows(signed: Signed) -> None:
    new = signed.keys / "new.key"
    assert invoke("evidence.new-key", "--to", new, "--no-passphrase").status == 0
    refused = invoke("upload", signed.wheel)
    (signed.paths.root / "workbench.yaml").write_text(f"signing: {{key: {new}}}\n")
    refused = invoke("yank", signed.wheel.name)
    assert (refused.status, "is not on the list" in refused.stderr) == (2, True), refused.stderr
    assert (
        json.loads(signed.paths.registry.read_text())["packages"]["demo"]["wheels"][0].get("yanked") is None
    )

    old = signed.keys / "site.key"
    (signed.paths.root / "workbench.yaml").write_text(f"signing: {{key: {old}}}\n")
    assert invoke("evidence.keys", "--add", f"{new}.pub").status == 0
    (signed.paths.root / "workbench.yaml").write_text(f"signing: {{key: {new}}}\n")
    yanked = invoke("yank", signed.wheel.name)
    assert yanked.status == 0, yanked.stderr
    assert signed.proved().status == 0  # with the old key: the list that it signed has the new one
    # what the old key signed counts no more once it is revoked
    keyid = read_keyring(signed.public).keys[0].id
    revoked = invoke("evidence.keys", "--revoke", keyid[:12], "--reason", "left the firm", "--also", old)
    assert revoked.status == 0, revoked.stderr
    assert invoke("evidence.sign-index").status == 0
    done = invoke("check-index", signed.index, "--signed-by", f"{new}.pub", "--wheel", "demo")
    assert (done.status, "is revoked: left the firm" in done.stderr) == (22, True), done.stderr
    # until somebody stands by it anew
    again = invoke("evidence.sign", signed.wheel.name)
    assert again.status == 0, again.stderr
    done = invoke("check-index", signed.index, "--signed-by", f"{new}.pub", "--wheel", "demo")
    assert done.status == 0, done.stderr
    assert "registry, pages and files agree" in invoke("store.reconcile", "--dry-run").stdout
    assert invoke("check-index", signed.index, "--signed-by", signed.paths.root / KEYS).status == 0


def test_a_change_without_the_key_says_that_the_root_is_behind(signed: Signed) -> None:
    (signed.paths.root / "workbench.yaml").unlink()
    done = invoke("yank", signed.wheel.name)
    assert (done.status, "evidence.sign-index" in done.stderr) == (0, True)
    # the registry that the root names is in the history: nobody is stopped by a change that was made just now
    assert "generation 1" in invoke("check-index", signed.index, "--signed-by", signed.public).stderr


def test_a_root_is_signed_anew_on_a_schedule(signed: Signed) -> None:
    (signed.paths.root / "workbench.yaml").write_text("signing: {key: ../keys/site.key, expires: 7}\n")
    assert json.loads(invoke("evidence.sign-index", "--json").stdout)["signed"] is True
    done = invoke("check-index", signed.index, "--signed-by", signed.public, "--json")
    assert json.loads(done.stdout)["root"]["expires"] < "9999"


def test_nothing_that_signs_is_imported_where_nothing_is_signed(tmp_path: Path) -> None:
    code = """
import pkgutil, sys, pathlib, workbench
for each in pkgutil.walk_packages(workbench.__path__, "workbench."):
    if "locks" not in each.name: __import__(each.name)
from tests.publish.sites import at, candidate
from workbench.paths import Paths
from workbench.publish.transaction import publish
from workbench.store.folder import FolderStore
root = pathlib.Path(sys.argv[1])
publish(at(Paths(root), FolderStore(root)), [candidate(root / "wheels")])
signing = {"cryptography", "tuf", "securesystemslib", "cyclonedx", "keyring", "pypi_attestations", "sigstore"}
print(sorted(signing & {name.partition(".")[0] for name in sys.modules}))
"""
    (tmp_path / "site").mkdir()
    here = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "site"], cwd=here, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_a_public_key_is_its_subject_public_key_info(signer: Signer) -> None:
    """What ``openssl pkey -pubin`` reads."""
    body = signer.key.pem().splitlines()[1]
    assert base64.b64decode(body)[-32:] == signer.key.raw
    done = subprocess.run(
        ["openssl", "pkey", "-pubin", "-noout", "-text"],
        input=signer.key.pem(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert "ED25519" in done.stdout, done.stderr


def test_a_file_of_something_else_is_not_called_damaged(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("# Wheels\n")
    with pytest.raises(UsageError, match="neither public keys in PEM nor a site's list of keys"):
        read_keyring(tmp_path / "README.md")
