"""What a build used, gathered from its plan and from the folder that it was made in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from packaging.version import Version

from workbench import __version__
from workbench.builders.container import WHEELHOUSE
from workbench.builders.isolation import why_not
from workbench.builders.reached import online
from workbench.container.wheelhouse import LOCK
from workbench.environment import locked
from workbench.evidence.built_with import built_with
from workbench.evidence.inputs import parameters, recipe_inputs
from workbench.evidence.provenance import Isolation, Provenance, Used
from workbench.files import sha256_of
from workbench.flags import command_line
from workbench.process import run
from workbench.recipe.load import path_of
from workbench.recipe.model import Git, LocalFolder, Sdist
from workbench.source.epoch import source_epoch
from workbench.text import timestamp
from workbench.url import without_login

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from packaging.pylock import Package

    from workbench.builders.workplace import Workplace
    from workbench.paths import Paths
    from workbench.plan.axes import Axes
    from workbench.plan.plan import Pin, Plan
    from workbench.settings import Settings

FROM_URL = "from this URL"
"""Of a build requirement that is not the package index's."""


def gather(place: Workplace, paths: Paths, settings: Settings, *, started: datetime) -> Provenance:
    """Return what is known of a build that has just ended, in its opened workplace; `started` is in UTC.

    Raises OSError, CommandFailed.
    """
    plan = place.plan
    return Provenance(
        command=command_of(plan),
        builder=plan.builder,
        workbench=__version__,
        started=timestamp(started),
        finished=timestamp(datetime.now(UTC)),
        isolation=isolation_of(plan),
        epoch=source_epoch(plan.source, place.tree),
        parameters=parameters(plan),
        inputs=recipe_inputs(plan),
        environment=plan.environment,
        used=(
            _source(plan, place),
            *submodules(plan, place),
            *(
                Used(role="patch", name=each.name, digest={"sha256": each.sha256}, about=each.description)
                for each in plan.patches
            ),
            *_recipe(plan, paths),
            *built_with(plan, paths, settings),
            *_requirements(place),
        ),
        key=plan.key,
        took=place.took,
    )


def command_of(plan: Plan) -> str:
    """Return the line that asks for a plan's wheel: of each axis its own, and its builder."""
    suffix = plan.version.public.removeprefix(str(Version(plan.recipe.version)))
    return command_line(
        "build",
        _Asked(name=plan.recipe.name, axes=plan.axes, builder=plan.builder, version_suffix=suffix),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The words and flags of a line that asks for one plan."""

    name: str
    axes: Axes
    builder: str = ""
    version_suffix: str = ""


def isolation_of(plan: Plan) -> Isolation:
    """Return how isolated a plan's build is on this machine."""
    network, container = online(plan), plan.builder == "container"
    if not container and (why := why_not()):
        return Isolation(how=f"on the machine itself, with its network and its files: {why}")
    if network:
        where = "in a container" if container else "by bubblewrap"
        return Isolation(network=True, how=f"{where}, but with a network: {network}")
    if container:
        apart = ": before_all had one, before the requirements were there" if plan.before_all else ""
        return Isolation(isolated=True, how=f"in a container, without a network{apart}")
    return Isolation(isolated=True, how="by bubblewrap: no network, no files of anybody's")


def _source(plan: Plan, place: Workplace) -> Used:
    match plan.source:
        case Sdist(name=name, sha256=sha256):
            project, version = name or plan.recipe.name, plan.recipe.version
            uri, digest = f"pkg:pypi/{project}@{version}", {"sha256": sha256}
            return Used(role="source", name=project, version=version, uri=uri, digest=digest)
        case Git(url=url, commit=commit, branch=branch, tag=tag):
            asked = ["git", "--no-replace-objects", "-C", str(place.tree), "rev-parse", "HEAD^{tree}"]
            digest = {"gitCommit": commit, "gitTree": run(asked, stdout_only=True).output.strip()}
            ref = tag or branch or ""
            return Used(role="source", name=plan.recipe.name, version=ref, uri=f"git+{url}", digest=digest)
        case LocalFolder(path=path):
            return Used(
                role="source", name=path.name, about="a folder of the machine that built it: not pinned"
            )


def submodules(plan: Plan, place: Workplace) -> Iterator[Used]:
    """Yield the submodules that are checked out in a plan's source, each with its commit. Raises CommandFailed."""
    if not isinstance(plan.source, Git) or not plan.source.submodules:
        return
    in_each = r'printf "%s\0" "$sha1" "$displaypath" "$(git remote get-url origin)"'
    git: list[str | Path] = ["git", "-c", "core.fsmonitor=false", "-C", place.tree]
    told = run(
        [*git, "submodule", "--quiet", "foreach", "--recursive", in_each], stdout_only=True
    ).output.split("\0")
    for commit, path, url in zip(told[::3], told[1::3], told[2::3], strict=False):
        uri = f"git+{without_login(url)}" if "://" in url else ""
        about = "a submodule of the source"
        yield Used(role="source", name=path, uri=uri, digest={"gitCommit": commit}, about=about)


def _recipe(plan: Plan, paths: Paths) -> Iterator[Used]:
    path = path_of(paths.recipes, plan.recipe.name)
    if path.is_file():
        yield Used(role="recipe", name=path.name, digest={"sha256": sha256_of(path)})


def _requirements(place: Workplace) -> Iterator[Used]:
    """Yield what the build environment really had, by the files' hashes."""
    if place.plan.pins is not None:
        yield from map(_pinned, place.plan.pins)
        return
    lock = place.environment.lock
    if place.plan.builder == "container":
        lock = place.root / WHEELHOUSE / LOCK
    yield from map(_requirement, locked(lock))


def _pinned(pin: Pin) -> Used:
    uri = f"pkg:pypi/{pin.name}@{pin.version}" if pin.version else ""
    digest = {"gitCommit": pin.commit} if pin.commit else {"sha256": pin.sha256}
    return Used(role="requirement", name=pin.name, version=pin.version, uri=uri, url=pin.url, digest=digest)


def _requirement(package: Package) -> Used:
    version = str(package.version or "")
    files: Sequence[object] = [*(package.wheels or ()), package.archive, package.sdist, package.directory]
    file = next((each for each in files if each is not None), None)
    url = without_login(getattr(file, "url", None) or "")
    hashes: dict[str, str] = dict(getattr(file, "hashes", None) or {})
    about = ""
    if package.vcs:
        url, hashes = without_login(package.vcs.url or ""), {"gitCommit": package.vcs.commit_id}
    elif package.archive:
        about = FROM_URL
    elif package.wheels is None or not package.wheels:
        about = "built from its source"
    return Used(
        role="requirement",
        name=package.name,
        version=version,
        uri=f"pkg:pypi/{package.name}@{version}" if version else "",
        url=url if url.startswith("http") else "",
        digest=hashes,
        about=about,
    )
