"""``evidence.*``: how wheels were made, and the keys that sign what is said of it."""

from __future__ import annotations

import json as jsons
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from workbench import console
from workbench.errors import UsageError
from workbench.paths import PROGRAM
from workbench.verb import Verb
from workbench.verbs.flags import CommitFlags, Json, StoreFlags, changing, here, ready_to_sign

if TYPE_CHECKING:
    from workbench.evidence.signer import Signer
    from workbench.evidence.statements import WheelStatement
    from workbench.paths import Paths
    from workbench.settings import Settings


@Verb
def show(
    wheel: Annotated[str, "a wheel's path, or its filename as it is published"],
    *,
    store: StoreFlags,
    json: Json = False,
) -> None:
    """Show how a wheel was made: source, patches, toolchain, requirements."""
    from workbench.evidence.dsse import read_envelope, read_json
    from workbench.evidence.statements import check_statement

    content, filename, sha256, where, attested = _statement_of(wheel, store)
    stated = check_statement(content, filename=filename, sha256=sha256, keys=None, where=where)
    if json:
        envelope = read_envelope(content, where=where)
        console.answer_json(read_json(envelope.payload if envelope else content, where=where))
        return
    _answer(stated, attested)


def _answer(stated: WheelStatement, attested: str) -> None:
    """Print what a statement says, for people, and who attested to the wheel."""
    from workbench.evidence.keys import short
    from workbench.evidence.provenance import used_rows

    signed = ", ".join(map(short, stated.keyids)) or "by nobody"
    facts = [("sha256", stated.build.sha256), *stated.build.facts, ("signed", signed)]
    facts += [("attested", f"by {attested}")] if attested else []
    console.answer_summary(stated.build.filename, facts)
    console.answer("")
    console.answer_table(*used_rows(stated.build))


def _statement_of(named: str, store: StoreFlags) -> tuple[bytes, str, str, str, str]:
    """Return a wheel's statement, its filename, its sha256, where the statement is from, and who attested to the wheel.

    Raises ProofFailed where it has no statement, or an attestation that is not sound.
    """
    from workbench.evidence.attestations import attested, publisher_of
    from workbench.evidence.statements import statement_of_file

    path = Path(named)
    if path.is_file():
        content, sha256 = statement_of_file(path)
        said = attested(path, sha256)
        return content, path.name, sha256, str(path), said.publisher if said else ""
    from workbench.publish.amend import current
    from workbench.publish.resigning import published_statement
    from workbench.publish.wheel_files import own_provenance

    opened = store.opened().store
    project, wheel, content, where = published_statement(opened, current(opened), named)
    by = ""
    if (key := own_provenance(project, wheel)) and (stored := opened.read(key)):
        place = f"{opened.place}/{key}"
        by = publisher_of(stored.content, filename=wheel.filename, sha256=wheel.sha256, where=place)
    return content, wheel.filename, wheel.sha256, where, by


def _signer_of(paths: Paths, settings: Settings) -> Signer:
    """Return the private key that a site signs with. Raises UsageError where its settings name none."""
    if (signer := ready_to_sign(paths, settings)) is None:
        from workbench.publish.signing import NO_KEY

        raise UsageError(NO_KEY)
    return signer


@Verb
def sign(
    *wheels: Annotated[str, "wheel files, or the filenames of published ones"],
    change: CommitFlags,
    json: Json = False,
) -> None:
    """Sign the statements of wheels: beside them, or of published ones anew."""
    from workbench.evidence import notes
    from workbench.evidence.statements import signed_anew, statement_of_file
    from workbench.files import write_whole

    if not wheels:
        raise UsageError("name the wheels: wheels/*.whl, or filenames as they are published")
    made: list[Path | str] = []
    files = [Path(each) for each in wheels if Path(each).is_file()]
    with changing(change) as site:
        signer = _signer_of(site.paths, site.settings)
        for each in files:
            beside = notes.statement_path(each)
            stated, sha256 = statement_of_file(each)  # what evidence.show prints
            content = signed_anew(stated, signer, filename=each.name, sha256=sha256, where=str(beside))
            write_whole(beside, content)
            made.append(beside)
        if others := [Path(each).name for each in wheels if Path(each) not in files]:
            from workbench.publish.resigning import sign_published

            made += sign_published(site, others, signer)
    if json:
        console.answer_json({"key": signer.key.id, "statements": list(map(str, made))})
        return
    for path in made:
        console.answer(f"signed {path}")


@Verb
def sign_index(*, change: CommitFlags, json: Json = False) -> None:
    """Sign the index's root anew, as on a schedule."""
    from workbench.publish.signing import sign_root

    with changing(change) as site:
        _signer_of(site.paths, site.settings)
        signed = sign_root(site)
    if json:
        console.answer_json({"store": site.store.place, "signed": signed})
        return
    console.answer(f"{site.store.place}: {'its root is signed' if signed else 'its root is signed already'}")


@Verb
def new_key(
    *,
    to: Annotated[
        str,
        "the private key's file (default: signing.key in the XDG configuration folder); FILE.pub is the public one",
    ] = "",
    no_passphrase: Annotated[
        bool, "leave the key without a passphrase: for a machine that signs alone"
    ] = False,
    keyring: Annotated[bool, "keep the passphrase in this user's keyring"] = False,
    json: Json = False,
) -> None:
    """Make a key that signs: ed25519, in a file of its owner alone."""
    import os

    from workbench.evidence.signer import VARIABLE, keep_passphrase, make_key

    configured = Path(os.environ.get("XDG_CONFIG_HOME") or "~/.config") / "wheel-workbench"
    if keyring and no_passphrase:
        raise UsageError(
            "--keyring keeps a passphrase, and --no-passphrase makes a key without one: leave one out"
        )
    path = (Path(to) if to else configured / "signing.key").expanduser().absolute()
    passphrase = ""
    if not no_passphrase:
        passphrase = os.environ.get(VARIABLE) or console.ask_secret(f"a passphrase for {path}", twice=True)
        if not passphrase:
            raise UsageError(f"no passphrase was given: set {VARIABLE}, or leave it out with --no-passphrase")
    key = make_key(path, passphrase=passphrase)
    if keyring:
        keep_passphrase(key, passphrase)
    told = {"key": str(path), "public_key": f"{path}.pub", "id": key.id}
    if json:
        console.answer_json(told)
        return
    setting = f"signing: {{key: {_in_yaml(str(path))}}}"
    console.answer_summary(
        f"made {path}", [("public", f"{path}.pub"), ("id", key.id), ("workbench.yaml", setting)]
    )


def _in_yaml(value: str) -> str:
    """Return a string as it stands in a mapping of YAML, in quotes where it would be read as something else."""
    return value if re.fullmatch(r"[\w/.~-]+", value) else jsons.dumps(value, ensure_ascii=False)


@Verb
def keys(
    *,
    add: Annotated[str, "a public key to put on the list: FILE.pub"] = "",
    revoke: Annotated[str, "the id, or its beginning, of a key that is no longer trusted"] = "",
    reason: Annotated[str, "why it is revoked: shown to all who meet it"] = "",
    also: Annotated[str, "one more private key to sign the list with: the one that is replaced"] = "",
    json: Json = False,
) -> None:
    """Show the site's list of keys; put one on it, or revoke one."""
    from workbench.evidence.keys import KEYS, Keyring, read_keyring, short
    from workbench.publish.signing import change_list

    paths, settings = here()
    path = paths.root / KEYS
    if add or revoke or also:
        listed = change_list(paths, settings, add=add, revoke=revoke, reason=reason, also=also)
    elif reason:
        raise UsageError("--reason says why a key is revoked: name it with --revoke")
    else:
        listed = read_keyring(path) if path.exists() else Keyring(keys=())
    rows: list[dict[str, Any]] = jsons.loads(listed.as_json())["keys"]
    if json:
        console.answer_json({"file": str(path), "version": listed.version, "keys": rows})
        return
    states = ["trusted" if row["revoked"] is None else f"revoked: {row['revoked']}" for row in rows]
    told = list(zip((short(row["id"]) for row in rows), states, strict=True))
    if not told:
        console.answer(f"no keys are listed yet: '{PROGRAM} evidence.new-key' makes one (docs/trust.md)")
        return
    console.answer_table(("key", "state"), told)
    if add or revoke or also:
        console.answer(f"\n{path}: version {listed.version}. '{PROGRAM} evidence.sign-index' publishes it.")
