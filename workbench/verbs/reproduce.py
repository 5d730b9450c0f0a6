"""``evidence.reproduce``: a wheel built again from its statement, and the verdict on it."""

from __future__ import annotations

import re
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from workbench import console
from workbench.errors import NotReproduced, UsageError
from workbench.files import temporary
from workbench.paths import PROGRAM
from workbench.verb import Verb
from workbench.verbs.flags import ChangeFlags, Json, MaxJobs, SignedBy, changing, keys_named, ready_to_sign

if TYPE_CHECKING:
    from workbench.evidence.keys import Keyring
    from workbench.evidence.reproduction import FirstBuild
    from workbench.make.again import BuiltAgain, Rebuild
    from workbench.store.opening import Site

SHOWN = 20
"""How many differences are shown; JSON has all."""


@Verb
def reproduce(
    wheel: Annotated[
        str, "a wheel's path, its filename as it is published here, or its URL in another index"
    ],
    *,
    signed_by: SignedBy = "",
    any_tools: Annotated[bool, "build with what is here, though it was built with something else"] = False,
    max_jobs: MaxJobs = 0,
    publish: Annotated[bool, "publish the verdict beside the wheel"] = False,
    change: ChangeFlags,
    json: Json = False,
) -> None:
    """Build a wheel again from its statement, and compare the bytes."""
    from workbench.evidence.reproduction import write_verdict
    from workbench.files import write_whole
    from workbench.make.again import build_again, rebuild_of
    from workbench.publish.amend import current
    from workbench.publish.verdicts import expect_published, publish_verdict

    keys = keys_named(signed_by)
    with changing(change) as site:
        signer = ready_to_sign(site.paths, site.settings)
        with temporary() as folder:
            first = _first_build(wheel, site, keys, folder)
            build = first.build
            if publish:
                expect_published(
                    site.store, current(site.store), build.filename, build.sha256, first.statement
                )
            rebuild = rebuild_of(first, site.paths, site.settings, any_tools=any_tools)
            if change.dry_run:
                _answer_plan(rebuild, publish=publish, json=json)
                return
            done = build_again(rebuild, site.paths, jobs=max_jobs or None)
        verdict = _verdict_place(wheel, site, build.filename)
        content = write_verdict(done.found, [signer] if signer else [])
        write_whole(verdict, content)
        telling = done.found.identical or not done.found.other_tools
        published = publish_verdict(site, done.found, content) if publish and telling else None
        _answer(done, verdict, published, json=json)
        if not done.found.identical:
            unpublished = (
                "" if published or not publish else ". It is not published: other tools make other bytes"
            )
            raise NotReproduced(
                f"{build.filename}: built again, it has other bytes; the findings stand above, and the wheel that was "
                f"built is {done.kept}{unpublished}"
            )


def _first_build(named: str, site: Site, keys: Keyring | None, folder: Path) -> FirstBuild:
    """Return the wheel that a word means: a file, a URL, or what is published here."""
    if re.match(r"(https?|file):", named):
        from workbench.care.proven import open_index
        from workbench.care.proven_wheel import proven_first_build
        from workbench.simple.fetch import Fetcher
        from workbench.store.layout import wheel_at

        if keys is None:
            raise UsageError(f"{named}: name the key that must have signed it as well: --signed-by FILE.pub")
        found = wheel_at(named.partition("#")[0])
        if found is None:
            raise UsageError(
                f"{named}: not the URL of a wheel in an index of the workbench (…/files/<project>/<filename>); for one "
                f"that lies elsewhere, '{PROGRAM} check-index INDEX --signed-by FILE.pub --wheel FILENAME' prints it"
            )
        base, key = found
        fetcher = Fetcher(8)
        index = open_index(f"{base}/index/simple/", keys, fetcher=fetcher)
        ((_, wheel),) = index.wheels(key.filename)
        return proven_first_build(index, wheel, fetcher, folder / wheel.filename)
    if Path(named).is_file():
        from workbench.make.again import first_build_of

        return first_build_of(Path(named), keys=keys)
    from workbench.publish.verdicts import published_first_build

    return published_first_build(site, named, folder, keys=keys)


def _verdict_place(named: str, site: Site, filename: str) -> Path:
    """Return where the verdict is kept: beside a wheel's file, or among the site's working files."""
    from workbench.evidence.notes import verdict_path

    if Path(named).is_file():
        return verdict_path(Path(named))
    folder = site.paths.state / "verdicts"
    folder.mkdir(parents=True, exist_ok=True)
    return verdict_path(folder / filename)


def _answer_plan(rebuild: Rebuild, *, publish: bool, json: bool) -> None:
    from workbench.builders.reached import online

    plan, made = rebuild.plan, rebuild.first.build.made
    told = {
        "wheel": rebuild.first.build.filename,
        "build": f"{plan.title} ({plan.builder})",
        "source": " ".join(f"{each.uri} {' '.join(each.digest.values())}" for each in made.of_role("source")),
        "patches": ", ".join(each.name for each in plan.patches) or "none",
        "requirements": ", ".join(f"{each.name} {each.version}" for each in plan.pins or ()) or "none",
        "before all": "; ".join(plan.before_all) or "none",
        "before build": "; ".join(plan.before_build) or "none",
        "environment": shlex.join(f"{name}={value}" for name, value in plan.environment.items()) or "none",
        "network": online(plan) or "none",
        "create args": shlex.join(plan.create_args) or "none",
        "other tools": "; ".join(rebuild.other_tools) or "none",
        "verdict": "would be published beside the wheel" if publish else "would not be published",
    }
    if json:
        console.answer_json({name.replace(" ", "_"): value for name, value in told.items()})
        return
    console.answer_summary("would build again", [*told.items()])


def _answer(done: BuiltAgain, verdict: Path, published: str | None, *, json: bool) -> None:
    found = done.found
    if json:
        told = asdict(found) | {"identical": found.identical, "kept": done.kept, "diffoscope": done.report}
        console.answer_json(told | {"verdict": str(verdict), "published": published})
        return
    facts = [
        ("verdict", found.outcome),
        ("sha256", found.sha256),
        *([] if found.identical else [("built again", found.rebuilt)]),
        ("isolation", found.isolation),
        *(("other tools", each) for each in found.other_tools),
        ("verdict file", str(verdict)),
        *([("published", published)] if published else []),
    ]
    console.answer_summary(found.filename, facts)
    if found.differences:
        console.answer("")
        rows = [(each.place, each.cause) for each in found.differences[:SHOWN]]
        console.answer_table(("differs", "likely cause"), rows)
        if (more := len(found.differences) - SHOWN) > 0:
            console.answer(f"and {more} more: --json has all")
    if done.report:
        console.answer(f"\n{done.report}")
