"""``matrix`` and ``build``: the targets that some axes span, and a wheel for each; and what is done with any wheels."""

from __future__ import annotations

import os
from collections.abc import Sequence
from json import dumps as to_json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from workbench import console
from workbench.errors import UsageError, WorkbenchError
from workbench.events import note
from workbench.paths import Paths
from workbench.plan.axes import Axes
from workbench.text import file_size
from workbench.verb import Verb
from workbench.verbs.flags import (
    Builder,
    CacheDir,
    DryRun,
    Json,
    MaxJobs,
    Package,
    SignedBy,
    Static,
    StoreFlags,
    VersionSuffix,
    WheelFiles,
    here,
    keys_named,
    prove_all,
)

if TYPE_CHECKING:
    from workbench.make.produce import Failure, Product
    from workbench.make.request import Planned, Request
    from workbench.pipeline.standing import Standing
    from workbench.registry.model import Registry
    from workbench.settings import Settings
    from workbench.store.protocol import Store


@Verb
def matrix(
    *names: Annotated[str, "the packages (default: all that have a recipe)"],
    axes: Axes,
    builder: Builder = "auto",
    all_: Annotated[bool, "in JSON: also what is published"] = False,
    changed_since: Annotated[
        str, "only packages whose recipe, patches or required recipes changed after this commit"
    ] = "",
    at_most: Annotated[
        int, "in JSON: the most jobs, as many as GitHub takes; where there are more targets, some share one"
    ] = 256,
    github_output: Annotated[
        bool, "add matrix=... and count=... to the file that $GITHUB_OUTPUT names"
    ] = False,
    why: Annotated[bool, "say in which inputs each differs from what is published, built or cached"] = False,
    store: StoreFlags,
    json: Json = False,
) -> None:
    """Show the targets: published, to build and by whom, left out. As JSON: the jobs of a CI matrix."""
    from workbench.ci.changed import changed_packages
    from workbench.make.request import Request
    from workbench.pipeline.standing import standings, what_is_published
    from workbench.recipe.load import names as all_names

    paths, settings, opened = store.opened()
    output = _github_output() if github_output else None
    packages = names or all_names(paths.recipes)
    if changed_since:
        packages = changed_packages(packages, changed_since, paths)
    requests = [Request(name=name, axes=axes, builder=builder) for name in packages]
    if why:
        _answer_why(requests, paths, settings, opened, json=json)
        return
    registry = what_is_published(opened)
    cells = standings(requests, paths, settings, registry)
    if json or output:
        wanted = [cell for cell in cells if all_ or cell.state != "published"]
        told = _jobs(wanted, registry, paths, at_most)
        if output:
            _append(output, told)
    if json:
        if senseless := [cell.package for cell in cells if not cell.cell]:
            note(f"left out: {', '.join(senseless)}: without --json, each is told with its reason")
        console.answer_json(told)
    elif len(requests) > 1:
        rows = [(cell.package, cell.cell, cell.state, cell.what) for cell in cells]
        console.answer_table(("package", "target", "state", ""), rows)
    else:
        console.answer_table(("target", "state", ""), [(cell.cell, cell.state, cell.what) for cell in cells])


def _answer_why(
    requests: Sequence[Request], paths: Paths, settings: Settings, store: Store, *, json: bool
) -> None:
    """Print in which inputs the cells of requests differ from the wheels that there are."""
    from workbench.fleet.stored_wheels import wheel_cache
    from workbench.make.request import possible
    from workbench.pipeline.why import reasons
    from workbench.publish.amend import current

    registry, cache = current(store), wheel_cache(paths, settings)
    found = {
        request.name: reasons(possible(request, paths, settings), paths, registry, store, cache)
        for request in requests
    }
    if json:
        console.answer_json(found)
        return
    for name, whys in found.items():
        for each in whys:
            console.answer(f"{name} {each.cell}: {each.place}: {each.wheel}")
            for line in (*map(str, each.changed), each.unknown):
                if line:
                    console.answer(f"  {line}")
            if not each.changed and not each.unknown:
                console.answer("  the same inputs")
            if each.beyond_key:
                console.answer(f"  not in its build key: {', '.join(each.beyond_key)}")
        if not whys:
            console.answer(f"{name}: no wheel of it is published, in {paths.wheels} or in a cache")


def _jobs(
    cells: Sequence[Standing], registry: Registry, paths: Paths, at_most: int
) -> dict[str, list[dict[str, str]]]:
    """Return cells as what ``strategy.matrix`` takes; what is beyond the most jobs is told, for another run."""
    from workbench.pipeline.jobs import grouped, jobs, recorded_costs

    if at_most < 1:
        raise UsageError(f"--at-most {at_most}: give 1 job or more")
    found = grouped(jobs(cells, costs=recorded_costs(registry, paths.wheels)), at_most)
    if len(found) > at_most:
        note(f"{len(found)} jobs are to be done, and {at_most} are listed: the next run lists the rest")
    return {"include": [job.as_dict() for job in found[:at_most]]}


def _github_output() -> Path:
    """Return the file that takes a step's outputs. Raises UsageError outside of GitHub's Actions."""
    if named := os.environ.get("GITHUB_OUTPUT"):
        return Path(named)
    raise UsageError(
        "--github-output: GITHUB_OUTPUT is not set: it names the file for a step's outputs, and GitHub's Actions set it"
    )


def _append(output: Path, told: dict[str, list[dict[str, str]]]) -> None:
    with output.open("a", encoding="utf-8") as file:
        file.write(f"matrix={to_json(told)}\ncount={len(told['include'])}\n")


@Verb
def build(
    name: Package,
    *,
    axes: Axes,
    builder: Builder = "auto",
    source_dir: Annotated[
        str, "build this folder instead of the recipe's source (the wheel gets no build key)"
    ] = "",
    max_jobs: MaxJobs = 0,
    version_suffix: VersionSuffix = "",
    cache: CacheDir = "",
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Fetch, patch, build and repair: wheels into wheels/."""
    from workbench.fleet.stored_wheels import wheel_cache
    from workbench.make.produce import build_all, failure_of
    from workbench.make.request import Request, plans

    request = Request(
        name=name,
        axes=axes,
        builder=builder,
        source_dir=Path(source_dir) if source_dir else None,
        version_suffix=version_suffix,
        max_jobs=max_jobs or None,
    )
    paths, settings = here()
    kept = wheel_cache(paths, settings, cache)
    planned = plans(request, paths, settings)
    if dry_run:
        from workbench.make.foresight import rehearse

        rehearse(planned.plans, paths, settings)
    made, failures = (
        ((), ()) if dry_run else build_all(planned, paths, settings, jobs=request.max_jobs, cache=kept)
    )
    if json:
        _answer_json(planned, made, failures)
    else:
        _answer(planned, made, dry_run=dry_run)
    if error := failure_of(failures, len(planned.plans)):
        raise error


def _answer_json(planned: Planned, made: Sequence[Product], failures: Sequence[Failure]) -> None:
    from workbench.verbs.summary import describe, describe_failures

    console.answer_json(
        {
            "plans": [describe(each) for each in planned.plans],
            "wheels": [product.repaired for product in made if product.repaired],
            "built_already": [str(product.wheel) for product in made if not product.repaired],
            "failed": [plan.cell for each in failures for plan in each.plans],
            "failures": describe_failures(failures),
            "left_out": [{"target": out.cell, "reason": out.reason} for out in planned.left_out],
        }
    )


def _answer(planned: Planned, made: Sequence[Product], *, dry_run: bool) -> None:
    """Print what was built, or in a dry run what would be; and what was left out."""
    from workbench.verbs.summary import describe, source_facts, source_line, tags_of

    for out in planned.left_out:
        console.answer(f"left out: {out.cell}: {out.reason}")
    for product in made:
        repaired = product.repaired
        if repaired is None:
            console.answer(f"{product.wheel} was built earlier from the same inputs")
            continue
        size, tags = file_size(product.wheel.stat().st_size), tags_of(product.wheel.name)
        facts = [("size", size), ("tags", tags), ("policy", repaired.policy)]
        if repaired.grafted:
            facts.append(("grafted", ", ".join(repaired.grafted)))
        if product.plans[1:]:
            facts.append(("for", ", ".join(str(plan.target) for plan in product.plans)))
        console.answer_summary(str(product.wheel), facts)
    for each in planned.plans if dry_run else ():
        told = describe(each) | {
            "source": source_line(source_facts(each.source)),
            "patches": ", ".join(patch.name for patch in each.patches) or "none",
            "needs": ", ".join(need.package for need in each.needs),
            "build_key": each.key or "none: built from a folder",
        }
        facts = [(key.replace("_", " "), value) for key, value in told.items() if value]
        console.answer_summary(f"would build {each.title}", facts)


@Verb
def repair(*wheels: WheelFiles, dry_run: DryRun = False, json: Json = False) -> None:
    """Make wheels portable with auditwheel, into wheels/."""
    from workbench.make.repairing import repair_wheels

    repaired = repair_wheels([Path(wheel) for wheel in wheels], *here(), dry_run=dry_run)
    if json:
        console.answer_json(repaired)
        return
    for each in repaired:
        facts = [
            ("policy", each.policy),
            ("grafted", ", ".join(each.grafted) or "nothing"),
            ("excluded", ", ".join(each.excluded) or "nothing"),
            ("rpaths added", ", ".join(each.rpaths_added) or "none"),
            ("rpaths removed", ", ".join(each.rpaths_removed) or "none"),
            *(("in the way", str(limit)) for limit in each.limits),
        ]
        console.answer_summary(f"{'would write ' if dry_run else ''}{each.path}", facts)


@Verb
def verify(
    *wheels: WheelFiles,
    gpu: Annotated[str, "GPU architectures that must be in them: sm_121, or a list"] = "",
    signed_by: SignedBy = "",
    static: Static = False,
    in_runtime_image: Annotated[
        bool, "try them too in the image of workbench.yaml (container.runtime_images)"
    ] = False,
    json: Json = False,
) -> None:
    """Check wheels: archive, metadata, tags, GPU code, smoke test."""
    from workbench.make.verification import not_passed, verify_wheels
    from workbench.plan.target import parse_gpu
    from workbench.verify.report import checks_table, findings_text

    trusted = keys_named(signed_by)
    reports = verify_wheels(
        [Path(wheel) for wheel in wheels], Paths.here(), gpu=parse_gpu(gpu), static=static
    )
    failed = not_passed(reports)
    signers = {} if failed else prove_all(reports, trusted)
    if json:
        signed = ({"signer": signers[each.path.name]} if signers else {} for each in reports)
        console.answer_json([each.as_dict() | told for each, told in zip(reports, signed, strict=True)])
    else:
        console.answer_table(*checks_table(reports))
        for each in reports:
            if each.findings:
                console.answer(f"\n{findings_text(each)}")
    if failed:
        raise failed
    if in_runtime_image:
        from workbench.make.runtime_image import expect_to_run

        expect_to_run([each.path for each in reports], *here())
    for filename, signer in signers.items() if not json else ():
        console.answer(f"{filename}: its statement is signed by the key {signer}")


@Verb
def inspect(*wheels: Annotated[str, "paths or URLs of wheels, anybody's"], json: Json = False) -> None:
    """Show what is in wheels: GPU code, libraries, glibc, torch."""
    from workbench.wheel import inspect as inspecting

    if not wheels:
        raise UsageError("name wheels: their paths or their URLs")
    found: list[inspecting.Inspection] = []
    troubles: list[WorkbenchError] = []
    for place in wheels:
        try:
            found.append(inspecting.inspect(place))
        except WorkbenchError as error:
            troubles.append(error)
    if json and found:
        console.answer_json([each.as_dict() for each in found])
    for each in found if not json else ():
        console.answer_summary(each.where, inspecting.summary(each))
        if each.libraries:
            console.answer("")
            console.answer_table(*inspecting.library_rows(each))
    if troubles:
        raise type(troubles[0])("\n".join(map(str, troubles)))
