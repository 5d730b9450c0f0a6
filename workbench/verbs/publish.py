"""``release`` and ``upload``: wheels published; ``yank``, ``unyank`` and ``remove``: what is published, taken back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from workbench import console
from workbench.errors import UsageError
from workbench.files import expect_wheels
from workbench.plan.axes import Axes
from workbench.text import counted, duration
from workbench.verb import Verb
from workbench.verbs.flags import (
    After,
    Builder,
    CacheDir,
    ChangeFlags,
    DistDir,
    Json,
    MaxJobs,
    Package,
    Published,
    SignedBy,
    Static,
    Strict,
    To,
    VersionSuffix,
    WheelFiles,
    answer_change,
    changing,
    keys_named,
    prove_all,
    ready_to_sign,
    with_wheels_in,
)

if TYPE_CHECKING:
    from workbench.evidence.keys import Keyring
    from workbench.evidence.signer import Signer
    from workbench.pipeline.release import Released, Todo
    from workbench.plan.plan import Plan
    from workbench.publish import transaction
    from workbench.publish.publication import Candidate, Elsewhere
    from workbench.registry.model import PublishedWheel
    from workbench.settings import Settings
    from workbench.store.opening import Site
    from workbench.verify.report import Report


@Verb
def upload(
    *wheels: WheelFiles,
    to: To = "",
    strict: Strict = False,
    static: Static = False,
    deep: Annotated[bool, "read every uploaded file back and compare its hash"] = False,
    allow_shrink: Annotated[bool, "go on where wheels would vanish from the index"] = False,
    signed_by: SignedBy = "",
    change: ChangeFlags,
    json: Json = False,
) -> None:
    """Verify wheels and publish them: here, or to GitHub and PyPI."""
    from workbench.make.verification import verified
    from workbench.outlets.places import has_pages, open_outlets, places
    from workbench.pipeline.sending import send

    # what is named wrong is told before what is missing
    words, dry = places(to), change.dry_run
    files, trusted = expect_wheels(wheels), keys_named(signed_by)
    with changing(change) as site:
        outlets = open_outlets(words, site.paths.root)
        for outlet in outlets.values():
            _ = outlet.access  # missed now, and not after the wheels were verified
        registers = has_pages(words)
        reports = verified(files, site.paths, recipes=registers, static=static)
        prove_all(reports, trusted)
        signer = None if dry else ready_to_sign(site.paths, site.settings)
        keys = None
        if site.settings.signing.key is not None:  # else it imports what nobody uses
            from workbench.publish.signing import trusted_keys

            keys = trusted_keys(site.paths, site.settings)
        candidates = _candidates(reports, site, signer, keys) if registers else []
        published: list[transaction.Published] = []

        def here(elsewhere: Mapping[str, Elsewhere]) -> None:
            from workbench.publish.publication import linked_to
            from workbench.publish.transaction import publish

            wanted = linked_to(candidates, elsewhere)
            published.append(publish(site, wanted, dry_run=dry, may_shrink=allow_shrink, deep=deep))

        sent = send(reports, words, outlets, site=here, signer=signer, keys=keys, strict=strict, dry_run=dry)
        if json:
            own = published[0].as_dict() if published else {}
            console.answer_json({**own, "outlets": sent.as_dicts(), "dry_run": dry} if to else own)
            return
        for line in sent.lines():
            console.answer(line)
        for each in published:
            _answer_published(each, site.settings)


def _candidates(
    reports: Sequence[Report], site: Site, signer: Signer | None, keys: Keyring | None
) -> list[Candidate]:
    from workbench.publish.upload import candidate

    return [candidate(report, site.paths, signer=signer, keys=keys) for report in reports]


def _answer_published(published: transaction.Published, settings: Settings) -> None:
    from workbench.verbs.summary import published_facts

    for line in published.lines():
        console.answer(line)
    for planned in published.plan.wheels if published.drawn is not None else ():
        already = " already" if planned.registered else ""
        facts = published_facts(planned.wheel, settings)
        console.answer_summary(f"published{already}: {planned.wheel.filename}", facts)


@Verb
def release(
    name: Package,
    *,
    axes: Axes,
    builder: Builder = "auto",
    skip_build: Annotated[
        bool, "publish the wheels in wheels/ that an earlier build made from the same inputs"
    ] = False,
    max_jobs: MaxJobs = 0,
    version_suffix: VersionSuffix = "",
    mixed: Annotated[
        bool, "publish even if wheels of the same version with another source or other patches are published"
    ] = False,
    to: To = "",
    skip_github: Annotated[bool, "leave github out of --to"] = False,
    strict: Strict = False,
    dist_dir: DistDir = "",
    cache: CacheDir = "",
    change: ChangeFlags,
    json: Json = False,
) -> None:
    """Build, verify, publish, then install by pip and uv: the main job."""
    from workbench.fleet.stored_wheels import wheel_cache
    from workbench.make.produce import failure_of
    from workbench.make.request import Request
    from workbench.outlets.places import places
    from workbench.pipeline import release as releasing
    from workbench.publish.commit import committing

    jobs = max_jobs or None
    request = Request(name=name, axes=axes, builder=builder, version_suffix=version_suffix, max_jobs=jobs)
    chosen = places(to, skip_github=skip_github)
    paths, settings, store = change.opened()
    paths = with_wheels_in(dist_dir, paths)
    kept = wheel_cache(paths, settings, cache)
    work = releasing.todo(request, paths, settings, store, places=chosen, skip_build=skip_build, mixed=mixed)
    released = releasing.Released()
    if not json and (to or change.dry_run):
        _answer_outlook(work)
    if change.dry_run:
        from workbench.make.foresight import rehearse

        rehearse(work.plans, paths, settings)
    else:
        ready_to_sign(paths, settings)
    with committing(paths, wanted=change.commit and not change.dry_run):
        if not change.dry_run:
            released = releasing.release(
                work, paths, settings, store, skip_build=skip_build, strict=strict, cache=kept
            )
    if json:
        _answer_json(work, released, dry_run=change.dry_run)
    else:
        _answer(work, released, settings, dry_run=change.dry_run)
    releasing.expect_logins(work)
    if error := failure_of(released.failures, len(work.plans)):
        raise error


def _answer_json(work: Todo, released: Released, *, dry_run: bool) -> None:
    from workbench.verbs.summary import describe, describe_failures

    console.answer_json(
        {
            "preflight": [each.as_dict() for each in work.prospects],
            "logins": {name: work.logins.get(name) for name in work.outlets},
            "published": [asdict(wheel) for wheel in _once(released.published)],
            "published_already": [asdict(wheel) for wheel in _once(work.published)],
            "to_do": [describe(plan) for plan in work.plans] if dry_run else [],
            "failed": [plan.cell for each in released.failures for plan in each.plans],
            "failures": describe_failures(released.failures),
            "outlets": [each.as_dict() for each in released.delivered],
            "seconds": {name: round(seconds, 3) for name, seconds in released.took.items()},
            "left_out": [{"target": out.cell, "reason": out.reason} for out in work.planned.left_out],
        }
    )


def _answer(work: Todo, released: Released, settings: Settings, *, dry_run: bool) -> None:
    """Print the closing summary: what was published, what was already, what was left out."""
    from workbench.verbs.summary import published_facts

    for out in work.planned.left_out:
        console.answer(f"left out: {out.cell}: {out.reason}")
    for plan, wheel in work.published:
        console.answer(f"{plan.title} is published already: {wheel.filename}")
    for prospect in work.prospects:
        if prospect.needless:
            have = ", ".join(f"{place} has {filename}" for place, filename in prospect.there.items())
            console.answer(
                f"{prospect.plan.title} is not built: {have}, whatever it was built of; for another build of the same "
                "version use --version-suffix"
            )
    for wheel in _once(released.published):
        console.answer_summary(f"published {wheel.filename}", published_facts(wheel, settings))
    for each in released.delivered:
        for line in each.lines():
            console.answer(line)
    if released.took:
        times = ((name, seconds) for name, seconds in released.took.items() if seconds >= _WORTH_A_WORD)
        console.answer(", ".join(f"{name} {duration(seconds)}" for name, seconds in times))
    if dry_run:
        _answer_steps(work)


_WORTH_A_WORD = 0.05
"""Seconds: a phase that took less did nothing."""


def _answer_outlook(work: Todo) -> None:
    """Print what was found before anything starts: builders, logins, and what is to become of each cell."""
    builders = {plan.builder: plan.why for plan in work.plans}
    rows = [
        *((f"builder {name}", why) for name, why in builders.items()),
        *((f"login for {name}", work.logins.get(name, "missing")) for name in work.outlets),
    ]
    if rows:
        console.answer_table(("needed", "found"), rows)
        console.answer("")
    console.answer_table(("target", "wheel", *work.places), [each.row() for each in work.prospects])


def _answer_steps(work: Todo) -> None:
    """Print every step of every phase that a release would take."""
    from workbench.outlets.places import INDEX
    from workbench.pipeline.making import AT_ONCE

    for plan in work.plans:
        patches = f"apply {counted(len(plan.patches), 'patch')}, " if plan.patches else ""
        steps = f"fetch the source, {patches}compile by {plan.builder}, repair"
        console.answer(f"would build {plan.title}: {steps} (key {plan.key})")
    if work.plans:
        console.answer(f"would verify {counted(len(work.plans), 'target')}, up to {AT_ONCE} wheels at once")
    for place in work.places:
        if all(each.there[place] for each in work.prospects):
            continue
        if place in work.outlets:
            outlet = work.outlets[place]
            console.answer(f"would send to {place}, {outlet.place}: {outlet.how}")
        elif work.plans:
            what = (
                "what proves the wheels, registry, index, with links to where the wheels are"
                if place == INDEX
                else "files, registry, index"
            )
            console.answer(f"would publish here: {what}; then install by pip and uv, and run the smoke test")
    for proof in work.unproved:
        console.answer(f"would prove {proof.wheel.filename} on Python {proof.python}: it was not proved here")


def _once(published: tuple[tuple[Plan, PublishedWheel], ...]) -> list[PublishedWheel]:
    """Return the wheels that are published for plans, each once: one may be for several."""
    return list({wheel.filename: wheel for _, wheel in published}.values())


@Verb
def yank(
    *wheels: Published,
    reason: Annotated[str, "shown to all who ask for it"] = "",
    change: ChangeFlags,
    json: Json = False,
) -> None:
    """Yank wheels (PEP 592): installers skip them unless pinned."""
    from workbench.publish import withdraw

    named = _named(wheels)
    with changing(change) as site:
        answer_change(withdraw.yank(site, named, reason=reason, dry_run=change.dry_run), json=json)


@Verb
def unyank(*wheels: Published, change: ChangeFlags, json: Json = False) -> None:
    """Take yanks back."""
    from workbench.publish import withdraw

    named = _named(wheels)
    with changing(change) as site:
        done = withdraw.yank(site, named, reason=None, dry_run=change.dry_run)
        answer_change(done, json=json)


@Verb
def remove(*wheels: Published, after: After = 7, change: ChangeFlags, json: Json = False) -> None:
    """Take wheels off the registry and the index, then the store."""
    from workbench.publish import withdraw

    named = _named(wheels)
    with changing(change) as site:
        done = withdraw.remove(site, named, after_days=after, dry_run=change.dry_run)
        answer_change(done, json=json)


def _named(words: Sequence[str]) -> tuple[str, ...]:
    """Return the filenames that words mean, each once: a path's last part, as ``wheels/*.whl`` gives them."""
    if not words:
        raise UsageError("name the wheels, by their filenames as they are published")
    return tuple(dict.fromkeys(Path(word).name for word in words))
