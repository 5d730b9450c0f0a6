"""``index``, ``serve`` and ``check-index``: the pages drawn again, served for a try-out, and anybody's checked."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from shlex import quote
from typing import Annotated

from workbench import console
from workbench.errors import IndexCheckFailed, UsageError
from workbench.events import note, step
from workbench.paths import PROGRAM
from workbench.text import counted
from workbench.url import without_login
from workbench.verb import Verb
from workbench.verbs.flags import DryRun, Json, SignedBy, here


@Verb
def index(
    *,
    from_: Annotated[str, "a folder of wheels: its pages are drawn into its index/, without a registry"] = "",
    base_url: Annotated[str, "with --from, where that folder is going to be served"] = "",
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Draw index/ again from packages.json, or for any folder of wheels."""
    if bool(from_) != bool(base_url):
        raise UsageError(
            "--from FOLDER and --base-url URL go together: the pages link to files below that URL"
        )
    if from_:
        _index_folder(Path(from_), base_url, dry_run=dry_run, json=json)
        return
    from workbench.index.tree import outdated, write
    from workbench.store.layout import INDEX, REGISTRY

    paths, settings = here()
    # the store, if that is a folder, or the checkout's copies of a bucket's registry and pages
    folder = paths.root / (settings.store.folder or ".")
    registry, pages = folder / REGISTRY, folder / INDEX
    if dry_run:
        found = outdated(registry, pages, settings)
        if json:
            console.answer_json(asdict(found))
            return
        told = [*(f"draw {path}" for path in found.written), *(f"remove {path}" for path in found.removed)]
        for line in told:
            console.answer(f"would {line}")
        if not told:
            console.answer("nothing to do")
        return
    with step("draw index/") as at:
        drawn = write(registry, pages, settings)
        at.outcome = f"{drawn.written} written, {drawn.unchanged} unchanged, {drawn.removed} removed"
    if json:
        console.answer_json(asdict(drawn))


def _index_folder(folder: Path, base_url: str, *, dry_run: bool, json: bool) -> None:
    """Draw the pages of a folder of wheels, and say where pip and uv find them."""
    from workbench.publish.folder_index import draw_folder
    from workbench.store.layout import SIMPLE

    drawn = draw_folder(folder, base_url, *here(), dry_run=dry_run)
    simple = f"{base_url.rstrip('/')}/{SIMPLE}"
    if json:
        console.answer_json({"simple": simple, "dry_run": dry_run, **asdict(drawn)})
        return
    console.answer(f"{'would draw' if dry_run else 'drew'} {folder / 'index'}: for pip and uv: {simple}")


def _prove(where: str, signed_by: str, named: str, *, json: bool) -> None:
    """Prove an index that somebody trusted has signed: its root, its pages; or of one wheel everything."""
    from workbench.care.proven import check_pages, open_index
    from workbench.care.proven_wheel import prove_wheel
    from workbench.errors import ProofFailed
    from workbench.evidence.keys import read_keyring
    from workbench.evidence.provenance import used_rows
    from workbench.evidence.root import NEVER
    from workbench.simple.fetch import Fetcher
    from workbench.store.layout import file_key, url

    fetcher = Fetcher(8)
    index = open_index(where, read_keyring(Path(signed_by)), fetcher=fetcher)
    wheels = index.wheels(named) if named else []
    projects = sorted({project for project, _ in wheels}) or sorted(index.registry.packages)
    if astray := check_pages(index, projects, fetcher):
        raise ProofFailed("\n".join(astray))
    proven = [prove_wheel(index, project, wheel, fetcher) for project, wheel in wheels]
    if json:
        console.answer_json({"store": index.base, "root": index.root, "wheels": proven})
        return
    for (project, _), each in zip(wheels, proven, strict=True):
        facts = [("proved", step) for step in each.steps]
        # of the store, by which the index is found, also where the wheel lies elsewhere
        named_so = url(index.base, file_key(project, each.filename))
        again = f"{PROGRAM} evidence.reproduce {quote(named_so)} --signed-by {quote(signed_by)}"
        console.answer_summary(each.filename, [*facts, *each.stated.build.facts, ("build it again", again)])
        console.answer("")
        console.answer_table(*used_rows(each.stated.build))
    root = index.root
    expires = "never" if root.expires == NEVER else f"{root.expires:%Y-%m-%d %H:%M} UTC"
    facts = [("generation", str(root.generation)), ("expires", expires), ("projects", str(len(projects)))]
    console.answer_summary(f"{index.base} is signed", facts)


@Verb
def serve(*, port: Annotated[int, "the port on loopback (0: any free one)"] = 8000) -> None:
    """Serve the index on loopback, for a try-out, until Ctrl-C."""
    from workbench.environment import package_index
    from workbench.index.serve import Server
    from workbench.store.opening import open_site

    paths, settings = here()
    folder = open_site(paths, settings).store.folder
    if folder is None:
        raise UsageError(f"the store is not a folder: its index is at {settings.public_url}/index/")
    elsewhere = without_login(given := package_index())
    try:
        server = Server(folder, port=port, elsewhere=elsewhere)
    except (OSError, OverflowError) as error:
        why = error.strerror if isinstance(error, OSError) else "ports go up to 65535"
        raise UsageError(f"--port {port}: {why}; --port 0 takes a free one") from error
    with server:
        url = f"{server.url}index/"
        console.answer(
            f"for people:  {url}\nfor pip, uv:  {url}simple/\n"
            "What is not published here comes from the package index. Ctrl-C ends it."
        )
        if elsewhere != given:
            note(f"Your login to {elsewhere} is not passed on: installers need it in their own ~/.netrc.")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            note("")


@Verb
def check_index(
    where: Annotated[
        str, "the URL or the folder of any simple index, ours or another's, or of a project's page in one"
    ],
    *,
    hashes: Annotated[bool, "fetch every file and compare its hash"] = False,
    signed_by: SignedBy = "",
    wheel: Annotated[str, "with --signed-by, prove only this: a filename, or a package"] = "",
    json: Json = False,
) -> None:
    """Check an index: what pip and uv accept, and who signed it."""
    if signed_by:
        _prove(where, signed_by, wheel, json=json)
        return
    if wheel:
        raise UsageError("--wheel: name the key that must have signed it as well: --signed-by FILE.pub")
    from workbench.simple.check import check_index as check

    report = check(where, hashes=hashes)
    if json:
        console.answer_json(asdict(report))
    else:
        for finding in report.findings:
            console.answer(f"{finding.severity}: {finding.where}: {finding.what}")
        counts = {"projects": report.projects, "files": report.files, "errors": report.errors}
        counts["warnings"] = len(report.findings) - report.errors
        console.answer_summary(report.where, [(what, str(count)) for what, count in counts.items()])
    if report.errors:
        errors = counted(report.errors, "error")
        raise IndexCheckFailed(f"{report.where}: {errors}; the findings stand above")
