"""What doctor says of the signed root of an index, and of the statements that its readers refuse."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tests.forked import invoke
from workbench.care.doctor import doctor
from workbench.care.signed_root import examine_root
from workbench.evidence.keys import KEYS
from workbench.evidence.root import ROOT, SignedRoot, write_root
from workbench.evidence.signer import read_signer
from workbench.settings import read_settings
from workbench.store.opening import open_site

if TYPE_CHECKING:
    from tests.evidence.conftest import Signed
    from workbench.care.diagnosis import Diagnosis


def said(site: Signed) -> tuple[str, str]:
    """Return what doctor finds of the root: the verdict, and what it is."""
    (found,) = examine_root(open_site(site.paths, read_settings(site.paths)))
    return found.verdict, found.what


def signed_until(site: Signed, expires: datetime, *, generation: int = 1) -> None:
    told = json.loads((site.paths.root / ROOT).read_text())["signed"]["meta"]["snapshot.json"]
    root = SignedRoot(
        generation=generation,
        size=told["length"],
        sha256=told["hashes"]["sha256"],
        keys_version=1,
        expires=expires,
    )
    (site.paths.root / ROOT).write_bytes(write_root(root, read_signer(site.keys / "site.key")))


def test_doctor_says_what_is_wrong_with_the_root(signed: Signed) -> None:
    assert said(signed) == ("good", "generation 1")
    now = datetime.now(UTC).replace(microsecond=0)
    signed_until(signed, now + timedelta(days=20))
    assert said(signed)[0] == "good"
    signed_until(signed, now + timedelta(hours=30))
    assert "it expires in 30 hours" in said(signed)[1]
    signed_until(signed, now - timedelta(hours=1))
    assert "it expired on" in said(signed)[1]
    before = signed.paths.registry.read_bytes()
    assert invoke("yank", signed.wheel.name).status == 0
    assert said(signed) == ("good", "generation 2")
    signed.paths.registry.write_bytes(before)  # as git checkout does
    assert "it signs generation 2, and the registry in the store is another" in said(signed)[1]
    assert invoke("unyank", signed.wheel.name).status == 0
    again = invoke("yank", signed.wheel.name, "--reason", "another")
    assert (again.status, json.loads(signed.paths.registry.read_text())["generation"]) == (0, 3)
    assert said(signed) == ("good", "generation 3")
    (signed.paths.root / ROOT).unlink()
    done = invoke("doctor")
    assert (done.status, "is missing, so nobody can check this index" in done.stdout) == (12, True), (
        done.stdout
    )


def test_an_index_that_nobody_signs_has_no_such_check(signed: Signed) -> None:
    for each in (ROOT, KEYS, "workbench.yaml"):
        (signed.paths.root / each).unlink()
    assert not [*examine_root(open_site(signed.paths, read_settings(signed.paths)))]


def test_wheels_that_a_revoked_key_signed_are_named_until_they_are_signed_anew(signed: Signed) -> None:
    new = signed.new_key()
    site = signed.revoke()
    (signed.paths.root / "workbench.yaml").write_text(f"signing: {{key: {new}}}\n")
    assert invoke("evidence.sign-index").status == 0

    def told() -> list[Diagnosis]:
        opened = open_site(signed.paths, read_settings(signed.paths))
        return [each for each in doctor(opened) if each.check == "statements"]

    (found,) = told()
    assert found.what == f"{signed.wheel.name}: the key {site[:16]} that signed it is revoked: stolen"
    assert "evidence.sign' signs it anew" in found.remedy
    assert invoke("evidence.sign", signed.wheel.name).status == 0
    assert told() == []
    # a rollback publishes the old statement again, which is said before and after it is done
    for more in (["--dry-run"], []):
        back = invoke("store.rollback", "1", *more)
        assert (back.status, "is revoked: stolen" in back.stderr) == (0, True), back.stderr
    assert len(told()) == 1
    assert invoke("yank", signed.wheel.name).status == 0
    assert told() == []
