"""``store.*``: a store's history, upkeep and setup; ``doctor`` and ``test``: whether it and this checkout are well."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from workbench import console
from workbench.errors import StoreError, UsageError
from workbench.events import note, step
from workbench.files import expect_file
from workbench.paths import CHECKOUT, PROGRAM, SHIPPED
from workbench.process import attached
from workbench.text import counted
from workbench.verb import Verb
from workbench.verbs.flags import After, ChangeFlags, Json, StoreFlags, UpkeepFlags, answer_change, changing


@Verb
def history(*, limit: Annotated[int, "how many to show"] = 20, store: StoreFlags, json: Json = False) -> None:
    """Show the store's generations: each change made one."""
    from workbench.publish import history as past

    found = past.history(store.opened().store, limit=limit)
    if json:
        console.answer_json(found)
        return
    if not found:
        console.answer("nothing was published here yet")
        return
    rows = []
    for each in found:
        number = f"{each.generation} (current)" if each.current else str(each.generation)
        rows.append((number, each.updated or "", str(each.wheels), each.change))
    console.answer_table(("generation", "made", "wheels", "by"), rows)
    if not any(each.current for each in found):
        note(f"the registry itself is gone, or damaged: '{PROGRAM} store.reconcile' makes it anew")


@Verb
def rollback(
    generation: Annotated[str, f"its number, from '{PROGRAM} store.history'"],
    *,
    change: ChangeFlags,
    json: Json = False,
) -> None:
    """Publish again what a generation published; nothing is deleted."""
    from workbench.publish import history as past

    if not generation.isdecimal():
        what = f"store.rollback {generation}: a generation is a number"
        raise UsageError(f"{what}; '{PROGRAM} store.history' lists them")
    with changing(change) as site:
        answer_change(past.rollback(site, int(generation), dry_run=change.dry_run), json=json)


@Verb
def prune(
    *,
    keep: Annotated[int, "how many versions of each package stay for each target"] = 3,
    after: After = 7,
    how: UpkeepFlags,
    json: Json = False,
) -> None:
    """Remove what is superseded, never a target's last wheel."""
    from workbench.care import upkeep

    with changing(how) as site:
        answer_change(upkeep.prune(site, keep=keep, after_days=after, apply=how.apply), json=json)


@Verb
def reconcile(
    *,
    deep: Annotated[bool, "read every published file, and put back what is damaged"] = False,
    change: ChangeFlags,
    json: Json = False,
) -> None:
    """Heal what a crash left: registry, pages and files agree again."""
    from workbench.care import reconcile as healing

    with changing(change) as site, step("compare registry, pages and files"):
        healed = healing.reconcile(site, deep=deep, dry_run=change.dry_run)
    if json:
        console.answer_json(healed)
    else:
        for line in healed.lines():
            console.answer(line)
    if healed.problems:
        raise StoreError(f"{counted(len(healed.problems), 'thing')} could not be mended, as told above")


@Verb
def clean(
    *,
    older: Annotated[
        int, "days: unfinished uploads that are younger stay, for a publisher may be at work"
    ] = 7,
    how: UpkeepFlags,
    json: Json = False,
) -> None:
    """Remove unfinished uploads, and files past their retention."""
    from workbench.care import upkeep

    with changing(how) as site:
        answer_change(upkeep.clean(site, older_days=older, apply=how.apply), json=json)


@Verb
def setup(
    *,
    apply: Annotated[bool, "do it; without this it is only shown"] = False,
    create: Annotated[bool, "make the bucket first, where there is none"] = False,
    store: StoreFlags,
    json: Json = False,
) -> None:
    """Show or apply what a bucket needs: policy, CORS, lifecycle."""
    bucket = store.here()[1].store.s3
    if bucket is None:
        raise UsageError("store.setup is for a bucket; the store is a folder, which needs none")
    from workbench.store import bucket as buckets
    from workbench.store.s3 import S3Store

    there = S3Store(bucket)
    if create:
        made = buckets.create(there)
        note(
            f"the bucket {bucket.bucket} is made" if made else f"the bucket {bucket.bucket} is there already"
        )
    found = buckets.setup(there, apply=apply)
    if json:
        console.answer_json(found)
    else:
        for each in found:
            console.answer(f"{each.name}: {each.state}{f': {each.why}' if each.why else ''}")
            if each.state == "missing":
                console.answer_json(each.document)
    refused = [each.name for each in found if each.state == "refused"]
    if refused:
        raise StoreError(f"the store refuses {', '.join(refused)}")


@Verb
def import_(
    file: Annotated[
        str,
        "a packages.json of the older form; the site's own is replaced, its old content kept beside it",
    ],
    *,
    change: ChangeFlags,
    json: Json = False,
) -> None:
    """Read a registry of the older form into ours."""
    from workbench.publish.adoption import expect_taken, import_registry

    older = expect_file(Path(file))
    with changing(change) as site:
        done = import_registry(older, site, dry_run=change.dry_run)
        if json:
            console.answer_json(done)
            expect_taken(done)
            return
        for remark in done.remarks:
            console.answer(f"{remark.outcome}: {remark.entry}: {remark.why}")
        if done.kept:
            verb = "would keep" if done.dry_run else "kept"
            console.answer(f"{verb} the old content of packages.json in {done.kept}")
        verb = "would take" if done.dry_run else "took"
        what = f"{counted(len(done.packages), 'package')} with {counted(len(done.new), 'new wheel')}"
        already = f"; published here already: {len(done.already)}" if done.already else ""
        console.answer(f"{verb} in {what}{already}")
        expect_taken(done)


@Verb
def doctor(
    *,
    deep: Annotated[bool, "read every published file and compare its hash"] = False,
    store: StoreFlags,
    json: Json = False,
) -> None:
    """Check credentials, bucket, public URL, files, pip and uv."""
    from workbench.care import doctor as examining

    with step("examine the store and what is published"):
        findings = tuple(examining.doctor(store.opened(), deep=deep))
    if json:
        console.answer_json(findings)
    else:
        marks = {"good": "✓", "bad": "✗", "untried": "–"}
        rows = [
            (marks[each.verdict], each.check, each.what + (f"\n→ {each.remedy}" if each.remedy else ""))
            for each in findings
        ]
        console.answer_table(("", "check", "finding"), rows)
    bad = [each.check for each in findings if each.verdict == "bad"]
    if bad:
        raise StoreError(f"not well: {', '.join(bad)}")


@Verb
def test(*sessions: Annotated[str, "nox sessions (default: lint, typing, workflows, tests)"]) -> int:
    """Run the checks: nox."""
    if SHIPPED != CHECKOUT:
        raise UsageError("test needs a checkout of the workbench: its tests are not installed")
    chosen = [word for session in sessions for word in ("--session", session)]
    return attached(["nox", "--noxfile", CHECKOUT / "noxfile.py", *chosen])
