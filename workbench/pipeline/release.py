"""``release``: the main job, from a recipe to a wheel that pip and uv install from the index.

Its steps, over values: what is to do (`todo`), wheels that verify, the publish, the reasons for what is missing, the
proofs.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from workbench.builders.workplace import Workplace
from workbench.errors import BuildFailed, FilenameTaken, OutletError, RepairFailed, VerificationFailed
from workbench.events import note
from workbench.evidence.notes import statement_beside, statement_path
from workbench.evidence.statements import expect_signed
from workbench.files import sha256_of
from workbench.make.cells import find_built, serves
from workbench.make.produce import Failure, Product, produce
from workbench.make.request import plans
from workbench.make.verification import verified
from workbench.outlets.places import SITE, has_pages, open_outlets
from workbench.paths import PROGRAM
from workbench.pipeline.making import all_verified, made, not_built
from workbench.pipeline.outlook import look_ahead
from workbench.pipeline.proof import Proof, prove, unproved
from workbench.pipeline.published_copy import published_copy, statement_of_copy
from workbench.pipeline.sending import send
from workbench.pipeline.standing import mixed_with, published
from workbench.publish.amend import current, refuse_a_store_behind
from workbench.publish.drawing import draw_pages
from workbench.publish.gaps import Gap, tell
from workbench.publish.publication import linked_to
from workbench.publish.signing import signer_of, trusted_keys
from workbench.publish.transaction import publish
from workbench.publish.upload import candidate
from workbench.publish.wheel_files import is_ours
from workbench.registry.model import Unavailable
from workbench.store.opening import Site
from workbench.text import minor

if TYPE_CHECKING:
    from workbench.evidence.keys import Keyring
    from workbench.make.request import Planned, Request
    from workbench.make.wheel_cache import WheelCache
    from workbench.outlets.delivery import Delivered
    from workbench.outlets.outlet import Outlet
    from workbench.paths import Paths
    from workbench.pipeline.outlook import Making, Prospect
    from workbench.plan.plan import Plan
    from workbench.plan.target import Target
    from workbench.publish.publication import Elsewhere
    from workbench.registry.model import PublishedWheel, Registry
    from workbench.settings import Settings
    from workbench.store.protocol import Store

_ANEW = "published bytes never change: release it as a new version with --version-suffix .post1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Todo:
    """What a release has to do: the plans that need a wheel, and those whose cells a wheel serves already.

    `unproved` are those of what is published that were never proved here, `places` where it all goes, in this order,
    `outlets` those among them that are not the site's, and `prospects` what is to become of every plan. `logins` says
    where the login for each outlet comes from; `missing` are those for which there is none, each with what to do.
    """

    planned: Planned
    plans: tuple[Plan, ...]
    published: tuple[tuple[Plan, PublishedWheel], ...]
    unproved: tuple[Proof, ...]
    places: tuple[str, ...]
    outlets: Mapping[str, Outlet]
    logins: Mapping[str, str]
    missing: Mapping[str, str]
    prospects: tuple[Prospect, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """What a release came to: what is published now, the plans that failed, and what each outlet has.

    `took` has the seconds that each phase and each place took.
    """

    published: tuple[tuple[Plan, PublishedWheel], ...] = ()
    failures: tuple[Failure, ...] = ()
    delivered: tuple[Delivered, ...] = ()
    took: Mapping[str, float] = field(default_factory=dict)


def todo(
    request: Request,
    paths: Paths,
    settings: Settings,
    store: Store,
    *,
    places: tuple[str, ...],
    skip_build: bool,
    mixed: bool,
) -> Todo:
    """Return what a release would do; with `skip_build` only what lies in ``wheels/`` is released.

    Every outlet is asked for its credentials, and each that has some for what it has. What all places have already is
    not built.

    Raises FilenameTaken where the wheel that serves a cell is, or was, published and built from other inputs: its
    bytes never change, so this build needs a version of its own; and, but for `mixed`, where another wheel of the
    version has other patches or another source. UsageError where `skip_build` finds no wheel. RecipeError, PatchError,
    RegistryError, StoreError, OutletError besides.
    """
    planned = plans(request, paths, settings)
    outlets = open_outlets(places, paths.root)
    logins, missing = dict[str, str](), dict[str, str]()
    for name, outlet in outlets.items():
        try:
            logins[name] = outlet.access
        except OutletError as error:
            missing[name] = str(error)
    registry = current(store)
    refuse_a_store_behind(Site(paths, settings, store), registry)
    done: list[tuple[Plan, PublishedWheel]] = []
    standing: list[tuple[Plan, Making, str]] = []
    for plan in planned.plans:
        served = published(plan, planned, registry)
        if served is None:
            _refuse_what_was_published(plan, planned, registry, paths, mixed=mixed)
            earlier = find_built(plan, paths.wheels, planned.planner_of(plan))
            if skip_build and not earlier:
                raise not_built(plan, planned, paths)
            standing.append((plan, "built" if earlier else "to build", earlier.name if earlier else ""))
        elif served.changed:
            raise FilenameTaken(
                f"{served.wheel.filename} is published, built {served.changed} than {plan.title} would be now; {_ANEW}"
            )
        else:
            standing.append((plan, "published", served.wheel.filename))
            done.append((plan, served.wheel))
    if keys := trusted_keys(paths, settings):
        _expect_signed(standing, done if outlets else (), paths, store, keys)
    prospects = look_ahead(standing, places, outlets, unasked=missing)
    proofs = [_proof(plan, wheel) for plan, wheel in done] if has_pages(places) else []
    return Todo(
        planned=planned,
        plans=tuple(each.plan for each in prospects if each.is_due),
        published=tuple(done),
        unproved=unproved(proofs, paths, settings, store),
        places=places,
        outlets=outlets,
        logins=logins,
        missing=missing,
        prospects=prospects,
    )


def expect_logins(work: Todo) -> None:
    """Raise OutletError where the login for an outlet is missing, for all of them."""
    if work.missing:
        raise OutletError("\n".join(work.missing.values()))


def _expect_signed(
    standing: Sequence[tuple[Plan, Making, str]],
    sent_on: Sequence[tuple[Plan, PublishedWheel]],
    paths: Paths,
    store: Store,
    keys: Keyring,
) -> None:
    """Raise ProofFailed, before anything is built, for a statement that would not be sent: nobody trusted signed it."""
    for _, making, filename in standing:
        path = paths.wheels / filename
        if making == "built" and (beside := statement_beside(path)) is not None:
            expect_signed(beside, keys, where=str(statement_path(path)), wheel=path)
    for _, wheel in sent_on:
        if found := statement_of_copy(wheel, paths, store):
            expect_signed(found.content, keys, where=found.where, wheel=found.wheel)


def _proof(plan: Plan, wheel: PublishedWheel) -> Proof:
    return Proof(package=plan.project, python=plan.target.python, arch=plan.target.arch, wheel=wheel)


def _refuse_what_was_published(
    plan: Plan, planned: Planned, registry: Registry, paths: Paths, *, mixed: bool
) -> None:
    """Raise FilenameTaken for a wheel that was yanked or removed, unless these very bytes lie in ``wheels/``.

    Also, but for `mixed`, where another wheel of the version has other patches or another source.
    """
    for wheel in registry.wheels_of(plan.project):
        if wheel.yanked is not None and serves(plan, wheel.filename, wheel.requires_python):
            raise FilenameTaken(
                f"{wheel.filename} is published and yanked: '{PROGRAM} unyank {wheel.filename}' takes that "
                f"back. {_ANEW}"
            )
    for gone in registry.removed:
        if gone.project != plan.project or not serves(plan, gone.filename, None):
            continue
        earlier = find_built(plan, paths.wheels, planned.planner_of(plan))
        if earlier is None or earlier.name != gone.filename or sha256_of(earlier) != gone.sha256:
            raise FilenameTaken(f"{gone.filename} was published and removed on {gone.removed[:10]}: {_ANEW}")
    if not mixed and (other := mixed_with(plan, planned, registry)):
        raise FilenameTaken(
            f"{other.wheel.filename} is published, built {other.changed} than {plan.title} would be: wheels of one "
            "version would differ in more than their target. Release it as a new version with --version-suffix .post1, "
            "or with --mixed all the same"
        )


def release(
    work: Todo,
    paths: Paths,
    settings: Settings,
    store: Store,
    *,
    skip_build: bool = False,
    strict: bool = False,
    cache: WheelCache | None = None,
) -> Released:
    """Build, repair, verify, publish and prove what is to be done, and prove what was published and never proved.

    The places are served in their order: the site's wheels are published and proved, an outlet gets those that it has
    not, those among them that are published here already. A failure stops the later ones.

    A wheel that was made earlier from the same inputs is taken as it is, from ``wheels/`` or the `cache`; with
    `skip_build` there must be one in ``wheels/``. One that
    does not verify stays, for the recipe's questions may be what is wrong; only a damaged file is built again, once.
    A target that fails stops no other: where that is the package's fault and not this machine's, its page says so, as
    of what the recipe does not support.

    Raises OutletError before anything is built where a login is missing, InstallFailed, VerificationFailed for a
    published wheel that is to be sent on and does not verify, what publishing raises, and what building raises that is
    not one target's.
    """

    def obtain(plan: Plan, others: Sequence[Plan]) -> Product | Failure:
        return made(plan, others, work.planned, paths, settings, cache=cache, skip_build=skip_build)

    expect_logins(work)
    began = time.monotonic()
    products, failures = produce(work.plans, obtain)
    built = time.monotonic()
    products, unsound = all_verified(products, work.planned, paths, settings, skip_build=skip_build)
    took = {"build": built - began, "verify": time.monotonic() - built}
    failures = (*failures, *unsound)
    site, signer = Site(paths, settings, store), signer_of(paths, settings)
    keys = trusted_keys(paths, settings)
    placed: list[tuple[Plan, PublishedWheel]] = []

    def in_the_site(elsewhere: Mapping[str, Elsewhere]) -> None:
        if products:
            candidates = [
                candidate(each.report, paths, signer=signer, keys=keys) for each in products if each.report
            ]
            published_now = publish(site, linked_to(candidates, elsewhere)).plan.wheels
            wheels = {each.wheel.filename: each.wheel for each in published_now}
            placed.extend((plan, wheels[each.wheel.name]) for each in products for plan in each.plans)
        elif work.unproved:
            draw_pages(site)  # who published them may have been killed before that
        if gaps := (*_left_out(work.planned), *_failed(failures, paths)):
            tell(site, work.planned.planners[-1].recipe.name, gaps)
        prove((*(_proof(*each) for each in placed), *work.unproved), paths, settings, store)

    reports = [each.report for each in products if each.report]
    if work.places != (SITE,):
        earlier = {wheel.filename: wheel for _, wheel in work.published}
        copies = [published_copy(wheel, paths, store) for wheel in earlier.values() if _sent_on(wheel, paths)]
        reports += verified(copies, paths, recipes=False) if copies else ()
    sent = send(reports, work.places, work.outlets, site=in_the_site, signer=signer, keys=keys, strict=strict)
    took |= sent.took
    return Released(published=tuple(placed), failures=failures, delivered=sent.delivered, took=took)


def _sent_on(wheel: PublishedWheel, paths: Paths) -> bool:
    """Say whether a published wheel is sent to outlets: one that the index links to lies at one, and stays there."""
    here = is_ours(wheel) or (paths.wheels / wheel.filename).exists()
    if not here:
        note(f"· {wheel.filename} is published, and lies at {wheel.url}")
    return here


def _left_out(planned: Planned) -> Iterator[Gap]:
    """Yield what the page says of targets left out: it has no cell for a variant; this machine's lacks are not told."""
    newest = planned.planners[-1].recipe  # the page has one cell for a target, whatever the version
    for out in planned.left_out:
        if out.recipe is newest and out.target.variant is None and out.error is None:
            yield Gap(why=_unavailable(out.target, out.reason), name=str(out.target))


def _failed(failures: Sequence[Failure], paths: Paths) -> Iterator[Gap]:
    """Yield what the page says of builds that failed: the log of the compilers, or what a check found."""
    for failure in failures:
        place = Workplace.of(failure.plans[0], paths)
        match failure.error:
            case BuildFailed():
                reason, log = "does not build", place.said
            case RepairFailed() as error:
                # where its tree lies is for this machine's people
                reason, log = "cannot be made portable", str(error).removesuffix(f"\n{place.kept}").encode()
            case VerificationFailed():
                reason, log = "did not pass its checks", failure.found.encode()
            case _:
                continue
        for plan in failure.plans:
            if plan.target.variant is None:
                why = _unavailable(plan.target, f"{plan.version} {reason}")
                yield Gap(why=why, name=plan.slug, log=log)


def _unavailable(target: Target, reason: str) -> Unavailable:
    axes = {"python": target.python, "arch": target.arch, "compute": target.compute}
    return Unavailable(reason=reason, torch=minor(target.torch) if target.torch else None, **axes)
