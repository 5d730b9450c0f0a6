"""``repair``, ``verify`` and ``inspect``: what is done with wheel files that somebody has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from workbench import console
from workbench.verb import Verb
from workbench.verbs.flags import DryRun, Json, WheelFiles


@Verb
def repair(*wheels: WheelFiles, dry_run: DryRun = False, json: Json = False) -> None:
    """Make wheels portable with auditwheel, into wheels/."""
    from workbench.make.repairing import repair_wheels
    from workbench.paths import Paths
    from workbench.settings import read_settings

    paths = Paths.here()
    repaired = repair_wheels([Path(wheel) for wheel in wheels], paths, read_settings(paths), dry_run=dry_run)
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
    json: Json = False,
) -> None:
    """Check wheels: archive, metadata, tags, GPU code, smoke test."""
    from workbench.make.verification import require_passed, verify_wheels
    from workbench.paths import Paths
    from workbench.plan.target import parse_gpu
    from workbench.verify.report import checks_table, findings_text

    reports = verify_wheels([Path(wheel) for wheel in wheels], Paths.here(), gpu=parse_gpu(gpu))
    if json:
        console.answer_json([each.as_dict() for each in reports])
    else:
        console.answer_table(*checks_table(reports))
        for each in reports:
            if each.findings:
                console.answer(f"\n{findings_text(each)}")
    require_passed(reports)


@Verb
def inspect(*wheels: Annotated[str, "paths or URLs of wheels, anybody's"], json: Json = False) -> None:
    """Show what is in wheels: GPU code, libraries, glibc, torch."""
    from workbench.errors import UsageError, WorkbenchError
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
