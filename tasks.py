"""The verbs. Each parses its words, calls one function and prints the answer; read from the top, it is the program.

Everything heavy is imported inside the verb that needs it: ``invoke --list`` stays instant.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from workbench.verb import verb

if TYPE_CHECKING:
    from invoke.context import Context

NAME = "the package, as its recipe names it"
AXES = {
    "python": "3.12, a list 3.10,3.12, or a range 3.10-3.13 (default: the Python that runs the workbench)",
    "compute": "cpu, cu130, rocm6.4 ..., or a list (default: cpu)",
    "torch": "the torch releases to build against: 2.11, or a list",
    "arch": "x86_64, aarch64, or both as a list (default: this machine's)",
    "gpu": "GPU architectures: sm_121 (machine code), compute_120 (PTX), or a list (default: sm_121)",
    "variant": "variants that the recipe offers, or a list (default: the usual build)",
    "glibc": "the oldest glibc that the wheel must run with: 2.28, or a list",
}
BUILDER = "host, cross or container (default: auto, which says what it picks and why)"
SUFFIX = "added to the version, to publish the same version again: .post1, +local"
DRY_RUN = "say what would be done, and do none of it"
COMMIT = "commit packages.json, with a message that names the wheels"
JSON = "answer in JSON on stdout"
PUBLISHED = "filenames as they are published"


# ---------------------------------------------------------------- recipes


@verb(
    help={
        "name": "the project's name",
        "source": "a Git URL, or pypi:NAME==VERSION for an sdist of the package index",
        "upstream": "the URL of the project that the source derives from",
        "branch": "the branch to pin (default: the repository's own default branch)",
        "tag": "the tag to pin",
        "description": "one line that says what it is",
        "dry_run": DRY_RUN,
    },
    uses_store=True,
)
def add_package(
    _: Context,
    name: str,
    source: str = "",
    upstream: str = "",
    branch: str = "",
    tag: str = "",
    description: str = "",
    dry_run: bool = False,
) -> None:
    """Write the recipe of a new package, pinned to a commit or a hash, an empty patch series and its page."""
    from workbench.paths import Paths
    from workbench.settings import read_settings
    from workbench.verbs.add import Request, add, plan_addition, report

    request = Request(
        name=name,
        source=source,
        upstream=upstream or None,
        branch=branch or None,
        tag=tag or None,
        description=description,
    )
    paths = Paths.here()
    settings = read_settings(paths)
    addition = plan_addition(request, paths)
    if not dry_run:
        add(addition, paths, settings)
    report(addition, paths, settings, dry_run=dry_run)


@verb(help={"json": JSON})
def list_(_: Context, json: bool = False) -> None:
    """List the packages: the recipe's version, its patches, and what is published."""
    from workbench.paths import Paths
    from workbench.verbs.show import packages, report

    report(packages(Paths.here()), json=json)


@verb(help={"name": "the package, as list names it", "json": JSON})
def show(_: Context, name: str, json: bool = False) -> None:
    """Show one package: its source and pin, its patches, what is published of it."""
    from workbench.paths import Paths
    from workbench.verbs.show import package, report_package

    report_package(package(Paths.here(), name), json=json)


# ---------------------------------------------------------------- wheels


@verb(help={"name": NAME, **AXES, "builder": BUILDER, "json": JSON}, uses_store=True)
def matrix(
    _: Context,
    name: str,
    python: str = "",
    compute: str = "",
    torch: str = "",
    arch: str = "",
    gpu: str = "",
    variant: str = "",
    glibc: str = "",
    builder: str = "auto",
    json: bool = False,
) -> None:
    """Show the cells that the axes span: what is published, what would be built and by whom, what is left out."""
    from workbench.make.request import Request
    from workbench.paths import Paths
    from workbench.plan.target import Axes
    from workbench.settings import read_settings
    from workbench.verbs.matrix import matrix, report

    paths = Paths.here()
    settings = read_settings(paths)
    axes = Axes(python=python, compute=compute, torch=torch, arch=arch, gpu=gpu, variant=variant, glibc=glibc)
    report(
        matrix(Request(name=name, axes=axes, builder=builder), paths, settings),
        json=json,
    )


@verb(
    help={
        "name": NAME,
        **AXES,
        "builder": BUILDER,
        "source_dir": "build this folder instead of the recipe's source (the wheel gets no build key)",
        "max_jobs": "compilers that may run at once (default: one for each processor)",
        "version_suffix": SUFFIX,
        "dry_run": DRY_RUN,
        "json": JSON,
    }
)
def build(
    _: Context,
    name: str,
    python: str = "",
    compute: str = "",
    torch: str = "",
    arch: str = "",
    gpu: str = "",
    variant: str = "",
    glibc: str = "",
    builder: str = "auto",
    source_dir: str = "",
    max_jobs: int = 0,
    version_suffix: str = "",
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Fetch, patch, build and repair: a wheel for each Python into wheels/."""
    from workbench.make.build import build_all
    from workbench.make.request import Request, plans
    from workbench.paths import Paths
    from workbench.plan.target import Axes
    from workbench.settings import read_settings
    from workbench.verbs.build import report

    request = Request(
        name=name,
        axes=Axes(
            python=python, compute=compute, torch=torch, arch=arch, gpu=gpu, variant=variant, glibc=glibc
        ),
        builder=builder,
        source_dir=Path(source_dir) if source_dir else None,
        suffix=version_suffix,
        jobs=max_jobs or None,
    )
    paths = Paths.here()
    settings = read_settings(paths)
    planned = plans(request, paths, settings)
    made, failures = ((), ()) if dry_run else build_all(planned, paths, settings, jobs=request.jobs)
    report(planned, made, failures, dry_run=dry_run, json=json)


@verb(help={"wheels": "wheel files", "dry_run": DRY_RUN, "json": JSON})
def repair(_: Context, *wheels: str, dry_run: bool = False, json: bool = False) -> None:
    """Make wheels portable with auditwheel, into wheels/, and say what stands against a better platform tag."""
    from workbench.paths import Paths
    from workbench.settings import read_settings
    from workbench.verbs.repair import repair_wheels, report

    paths = Paths.here()
    settings = read_settings(paths)
    repaired = repair_wheels([Path(wheel) for wheel in wheels], paths, settings, dry_run=dry_run)
    report(repaired, dry_run=dry_run, json=json)


@verb(
    help={
        "wheels": "wheel files",
        "gpu": "GPU architectures that must be in them: sm_121, or a list",
        "json": JSON,
    }
)
def verify(_: Context, *wheels: str, gpu: str = "", json: bool = False) -> None:
    """Check wheels: archive, RECORD, metadata, tags, RPATHs, GPU code, modules, twine's rules, the smoke test."""
    from workbench.make.verification import verify_wheels
    from workbench.paths import Paths
    from workbench.plan.target import parse_gpu
    from workbench.verbs.verify import report

    report(verify_wheels([Path(wheel) for wheel in wheels], Paths.here(), gpu=parse_gpu(gpu)), json=json)


@verb(help={"wheels": "paths or URLs of wheels, anybody's", "json": JSON})
def inspect(_: Context, *wheels: str, json: bool = False) -> None:
    """Show what is in wheels: GPU code by architecture, libraries and what they need, glibc, C++ ABI, torch."""
    from workbench.verbs.inspect import inspect_wheels, report

    report(*inspect_wheels(wheels), json=json)


# ---------------------------------------------------------------- what wheels are compiled with


@verb(
    help={
        "compute": "the compute platform: cu130",
        "arch": "the architecture to compile for: x86_64, aarch64 (default: this machine's)",
        "libraries": "CUDA's libraries beside the runtime: cublas, or a list",
        "check": "read every file and compare its hash",
        "json": JSON,
    }
)
def toolchain(
    _: Context, compute: str, arch: str = "", libraries: str = "", check: bool = False, json: bool = False
) -> None:
    """Lay out a CUDA toolkit from NVIDIA's wheels on the package index, pinned by hash, in the shared cache."""
    from workbench.paths import Paths
    from workbench.verbs.toolchain import report, toolchain

    chosen = libraries.split(",") if libraries else []
    report(toolchain(compute, Paths.here(), arch=arch, libraries=chosen, check=check), json=json)


@verb(
    help={
        "action": "build",
        "arch": "the image's architecture: x86_64, aarch64 (default: this machine's)",
        "suite": "the Debian release that it is made of",
        "runtime": "without compilers: to try wheels in",
        "compute": "put a CUDA toolkit into it: cu130 (default: builds mount one)",
        "libraries": "CUDA's libraries beside the runtime: cublas, or a list",
        "mirror": "the URL of a Debian mirror (default: the one that this machine's apt uses)",
        "refresh": "make it anew from today's packages",
        "json": JSON,
    }
)
def image(
    _: Context,
    action: str,
    arch: str = "",
    suite: str = "bookworm",
    runtime: bool = False,
    compute: str = "",
    libraries: str = "",
    mirror: str = "",
    refresh: bool = False,
    json: bool = False,
) -> None:
    """Make a container image to build wheels in (image build), from nothing but Debian's packages."""
    from workbench.paths import Paths
    from workbench.settings import read_settings
    from workbench.verbs.image import Request, make, report

    paths = Paths.here()
    settings = read_settings(paths)
    request = Request(
        arch=arch,
        suite=suite,
        runtime=runtime,
        compute=compute,
        libraries=tuple(libraries.split(",")) if libraries else (),
        mirror=mirror or None,
    )
    report(make(action, request, paths, settings, refresh=refresh), request, json=json)


# ---------------------------------------------------------------- publishing


@verb(
    help={
        "wheels": "wheel files",
        "deep": "read every uploaded file back and compare its hash",
        "allow_shrink": "go on where wheels would vanish from the index",
        "commit": COMMIT,
        "dry_run": DRY_RUN,
        "json": JSON,
    },
    uses_store=True,
)
def upload(
    _: Context,
    *wheels: str,
    deep: bool = False,
    allow_shrink: bool = False,
    commit: bool = False,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Verify wheels and publish them: files, registry, index, in this order."""
    from workbench.paths import Paths
    from workbench.publish.upload import upload_wheels
    from workbench.settings import read_settings
    from workbench.store.opening import open_store
    from workbench.verbs.change import committing
    from workbench.verbs.upload import report

    site = Paths.here()
    settings = read_settings(site)
    with committing(site, wanted=commit and not dry_run):
        paths = [Path(wheel) for wheel in wheels]
        store = open_store(site, settings)
        published = upload_wheels(
            site, settings, store, paths, dry_run=dry_run, may_shrink=allow_shrink, deep=deep
        )
        report(published, settings, json=json)


@verb(
    help={
        "name": NAME,
        **AXES,
        "builder": BUILDER,
        "skip_build": "publish what these very inputs made earlier, and lies in wheels/",
        "max_jobs": "compilers that may run at once (default: one for each processor)",
        "version_suffix": SUFFIX,
        "commit": COMMIT,
        "dry_run": DRY_RUN,
        "json": JSON,
    },
    uses_store=True,
)
def release(
    _: Context,
    name: str,
    python: str = "",
    compute: str = "",
    torch: str = "",
    arch: str = "",
    gpu: str = "",
    variant: str = "",
    glibc: str = "",
    builder: str = "auto",
    skip_build: bool = False,
    max_jobs: int = 0,
    version_suffix: str = "",
    commit: bool = False,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Build, repair, verify, publish, then install from the index by pip and uv: the main job, in one word."""
    from workbench.make.request import Request
    from workbench.paths import Paths
    from workbench.pipeline.release import Released, release, todo
    from workbench.plan.target import Axes
    from workbench.settings import read_settings
    from workbench.store.opening import open_store
    from workbench.verbs.change import committing
    from workbench.verbs.release import report

    request = Request(
        name=name,
        axes=Axes(
            python=python, compute=compute, torch=torch, arch=arch, gpu=gpu, variant=variant, glibc=glibc
        ),
        builder=builder,
        suffix=version_suffix,
        jobs=max_jobs or None,
    )
    paths = Paths.here()
    settings = read_settings(paths)
    store = open_store(paths, settings)
    work = todo(request, paths, settings, store, skip_build=skip_build)
    with committing(paths, wanted=commit and not dry_run):
        released = Released() if dry_run else release(work, paths, settings, store, skip_build=skip_build)
    report(work, released, settings, dry_run=dry_run, json=json)


@verb(
    help={
        "wheels": PUBLISHED,
        "after": "days for which the files stay, for readers of older pages (0: delete them at once)",
        "commit": COMMIT,
        "dry_run": DRY_RUN,
        "json": JSON,
    },
    uses_store=True,
)
def remove(
    _: Context, *wheels: str, after: int = 7, commit: bool = False, dry_run: bool = False, json: bool = False
) -> None:
    """Take wheels out of the registry and the index, then out of the store."""
    from workbench.paths import Paths
    from workbench.settings import read_settings
    from workbench.verbs.change import committing, remove, report

    paths = Paths.here()
    settings = read_settings(paths)
    with committing(paths, wanted=commit and not dry_run):
        report(remove(wheels, paths, settings, after_days=after, dry_run=dry_run), json=json)


@verb(
    help={
        "wheels": PUBLISHED,
        "reason": "shown to all who ask for it",
        "commit": COMMIT,
        "dry_run": DRY_RUN,
        "json": JSON,
    },
    uses_store=True,
)
def yank(
    _: Context,
    *wheels: str,
    reason: str = "",
    commit: bool = False,
    dry_run: bool = False,
    json: bool = False,
) -> None:
    """Yank wheels (PEP 592): installers pass them by unless they are pinned exactly."""
    from workbench.paths import Paths
    from workbench.settings import read_settings
    from workbench.verbs.change import committing, report, yank

    paths = Paths.here()
    settings = read_settings(paths)
    with committing(paths, wanted=commit and not dry_run):
        report(yank(wheels, paths, settings, reason=reason, dry_run=dry_run), json=json)


@verb(help={"wheels": PUBLISHED, "commit": COMMIT, "dry_run": DRY_RUN, "json": JSON}, uses_store=True)
def unyank(_: Context, *wheels: str, commit: bool = False, dry_run: bool = False, json: bool = False) -> None:
    """Take yanks back."""
    from workbench.paths import Paths
    from workbench.settings import read_settings
    from workbench.verbs.change import committing, report, unyank

    paths = Paths.here()
    settings = read_settings(paths)
    with committing(paths, wanted=commit and not dry_run):
        report(unyank(wheels, paths, settings, dry_run=dry_run), json=json)


@verb(
    help={
        "file": "a packages.json of the older form; the site's own is replaced, its old content kept beside it",
        "commit": COMMIT,
        "dry_run": DRY_RUN,
        "json": JSON,
    },
    uses_store=True,
)
def import_registry(
    _: Context, file: str, commit: bool = False, dry_run: bool = False, json: bool = False
) -> None:
    """Read a registry of the older form into ours, and say what was mended or refused."""
    from workbench.paths import Paths
    from workbench.settings import read_settings
    from workbench.verbs.change import committing, expect_wheels, import_registry, report_import

    paths = Paths.here()
    settings = read_settings(paths)
    with committing(paths, wanted=commit and not dry_run):
        done = import_registry(Path(file), paths, settings, dry_run=dry_run)
        report_import(done, json=json)
        expect_wheels(done)


# ---------------------------------------------------------------- the store


@verb(help={"limit": "how many to show", "json": JSON}, uses_store=True)
def history(_: Context, limit: int = 20, json: bool = False) -> None:
    """Show the generations of the store: each publish, yank or removal made one."""
    from workbench.paths import Paths
    from workbench.settings import read_settings
    from workbench.verbs.store import generations, report_generations

    paths = Paths.here()
    settings = read_settings(paths)
    report_generations(generations(paths, settings, limit=limit), json=json)


@verb(
    help={
        "generation": "its number, from 'invoke history'",
        "commit": COMMIT,
        "dry_run": DRY_RUN,
        "json": JSON,
    },
    uses_store=True,
)
def rollback(
    _: Context, generation: str, commit: bool = False, dry_run: bool = False, json: bool = False
) -> None:
    """Publish what a generation published, no more and no less, in one step; no wheel is deleted."""
    from workbench.paths import Paths
    from workbench.settings import read_settings
    from workbench.verbs.change import committing, report
    from workbench.verbs.store import rollback

    paths = Paths.here()
    settings = read_settings(paths)
    with committing(paths, wanted=commit and not dry_run):
        report(rollback(paths, settings, generation, dry_run=dry_run), json=json)


@verb(
    help={
        "keep": "how many versions of each package stay for each target",
        "after": "days for which the files stay, for readers of older pages (0: delete them at once)",
        "apply": "do it; without this it is only said",
        "commit": COMMIT,
        "json": JSON,
    },
    uses_store=True,
)
def prune(
    _: Context, keep: int = 3, after: int = 7, apply: bool = False, commit: bool = False, json: bool = False
) -> None:
    """Remove what newer versions have superseded, never the last wheel for a target."""
    from workbench.paths import Paths
    from workbench.settings import read_settings
    from workbench.verbs.change import committing, report
    from workbench.verbs.store import prune

    paths = Paths.here()
    settings = read_settings(paths)
    with committing(paths, wanted=commit and apply):
        report(prune(paths, settings, keep=keep, after_days=after, apply=apply), json=json)


@verb(
    help={
        "deep": "read every published file, and put back what is damaged",
        "commit": COMMIT,
        "dry_run": DRY_RUN,
        "json": JSON,
    },
    uses_store=True,
)
def reconcile(
    _: Context, deep: bool = False, commit: bool = False, dry_run: bool = False, json: bool = False
) -> None:
    """Heal whatever state a crash has left: registry, pages and files agree again."""
    from workbench.paths import Paths
    from workbench.settings import read_settings
    from workbench.verbs.change import committing
    from workbench.verbs.store import reconcile, report_healed

    paths = Paths.here()
    settings = read_settings(paths)
    with committing(paths, wanted=commit and not dry_run):
        healed = reconcile(paths, settings, deep=deep, dry_run=dry_run)
    report_healed(healed, json=json)


@verb(
    help={
        "older": "days: what is younger may belong to a publisher at work",
        "apply": "do it; without this it is only said",
        "commit": COMMIT,
        "json": JSON,
    },
    uses_store=True,
)
def store_clean(
    _: Context, older: int = 7, apply: bool = False, commit: bool = False, json: bool = False
) -> None:
    """Remove unfinished uploads, files never published, and removed wheels whose time has come."""
    from workbench.paths import Paths
    from workbench.settings import read_settings
    from workbench.verbs.change import committing, report
    from workbench.verbs.store import clean

    paths = Paths.here()
    settings = read_settings(paths)
    with committing(paths, wanted=commit and apply):
        report(clean(paths, settings, older_days=older, apply=apply), json=json)


@verb(help={"apply": "make it so; without this it is only shown", "json": JSON}, uses_store=True)
def store_setup(_: Context, apply: bool = False, json: bool = False) -> None:
    """Show or apply what the bucket needs: policy, CORS, lifecycle, no ACLs."""
    from workbench.paths import Paths
    from workbench.settings import read_settings
    from workbench.verbs.store import report_settings, setup

    report_settings(setup(read_settings(Paths.here()), apply=apply), json=json)


@verb(help={"deep": "read every published file and compare its hash", "json": JSON}, uses_store=True)
def doctor(_: Context, deep: bool = False, json: bool = False) -> None:
    """Check credentials, bucket, public URL, every published file, and what pip and uv make of it."""
    from workbench.paths import Paths
    from workbench.settings import read_settings
    from workbench.verbs.store import examine, report_findings

    paths = Paths.here()
    settings = read_settings(paths)
    report_findings(examine(paths, settings, deep=deep), json=json)


# ---------------------------------------------------------------- the index


@verb(help={"dry_run": DRY_RUN, "json": JSON})
def index(_: Context, dry_run: bool = False, json: bool = False) -> None:
    """Draw index/ again from packages.json."""
    from workbench.paths import Paths
    from workbench.settings import read_settings
    from workbench.verbs.index import redraw, report_drawn, report_outdated, would_redraw

    paths = Paths.here()
    settings = read_settings(paths)
    if dry_run:
        report_outdated(would_redraw(paths, settings), json=json)
    else:
        report_drawn(redraw(paths, settings), json=json)


@verb(help={"port": "the port on loopback (0: any free one)"})
def serve(_: Context, port: int = 8000) -> None:
    """Serve the index on loopback, for a try-out, until Ctrl-C."""
    from workbench.paths import Paths
    from workbench.settings import read_settings
    from workbench.verbs.index import serve

    paths = Paths.here()
    settings = read_settings(paths)
    serve(paths, settings, port=port)


@verb(
    help={
        "where": "the URL or the folder of any simple index, ours or another's, or of a project's page in one",
        "hashes": "fetch every file and compare its hash",
        "json": JSON,
    }
)
def check_index(_: Context, where: str, hashes: bool = False, json: bool = False) -> None:
    """Check a simple index against the standards and against what pip and uv accept."""
    from workbench.verbs.index import examine, report_findings

    report_findings(examine(where, hashes=hashes), json=json)


# ---------------------------------------------------------------- the workbench itself


@verb(help={"sessions": "nox sessions (default: lint, typing, tests)"})
def test(_: Context, *sessions: str) -> None:
    """Run the checks: nox."""
    from invoke.exceptions import Exit

    from workbench.paths import CHECKOUT
    from workbench.process import attached

    chosen = [word for session in sessions for word in ("--session", session)]
    status = attached(["nox", "--noxfile", CHECKOUT / "noxfile.py", *chosen])
    if status:
        raise Exit(code=status)
