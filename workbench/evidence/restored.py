"""The plan of a wheel as the statement of how it was made has it: nothing of today's recipe or settings goes in."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast, get_args

from packaging.version import Version

from workbench.errors import ProofFailed, WorkbenchError
from workbench.evidence.gather import FROM_URL
from workbench.evidence.inputs import repository_url
from workbench.evidence.provenance import ONE_OF, uri_of
from workbench.patches.series import PatchFile
from workbench.plan.axes import Axes
from workbench.plan.plan import Builder, Needed, Pin, Plan, ToolkitPins
from workbench.plan.target import Target, cross
from workbench.recipe.model import Git, Recipe, Sdist

if TYPE_CHECKING:
    from workbench.evidence.provenance import Provenance, Used

_SDIST = re.compile(r"pkg:pypi/[^@]+@(.+)")


def restored(made: Provenance, patches: Mapping[str, bytes], *, where: str) -> Plan:
    """Return the plan that a wheel was made by. Its CUDA toolkit is left out: only who has it knows its place.

    `patches` are the texts of its patches, by their sha256. `where` names the statement. Raises ProofFailed for one
    that does not say enough, and for a patch that is not here.
    """
    if lacking := [*_lacking(made)]:
        raise ProofFailed(
            f"{where}: the wheel cannot be built again from it: it does not say {'; nor '.join(lacking)}. "
            "A wheel that this version of the workbench builds has a statement that does"
        )
    inputs = made.inputs
    try:
        target, source, project = _target(made), _source(made), made.parameters["package"]
        return Plan(
            recipe=Recipe(
                name=inputs.get("upstream_name", (project,))[0],
                version=inputs["upstream_version"][0],
                description="",
                source=source,
                cuda_libraries=inputs.get("cuda_libraries", ()),
                network="network" in inputs,
                variants={target.variant: project} if target.variant and "upstream_name" in inputs else (),
            ),
            target=target,
            source=source,
            patches=tuple(_patches(made, patches, where)),
            version=Version(made.parameters["version"]),
            build_requires=inputs.get("build_requires", ()),
            needs=tuple(map(_needed, inputs.get("needs", ()))),
            before_all=inputs.get("before_all", ()),
            before_build=inputs.get("before_build", ()),
            environment=made.environment,
            repair_exclude=inputs.get("repair_exclude", ()),
            requires=inputs.get("requires", ()),
            glibc=next(iter(inputs.get("glibc", ())), None),
            builder=_builder(made),
            why="as its statement says",
            image=next((each.name for each in made.of_role("image")), None),
            image_pin=next((each.uri or None for each in made.of_role("image")), None),
            create_args=inputs.get("create_args", ()),
            pins=tuple(map(_pin, made.of_role("requirement"))),
        )
    except ProofFailed:
        raise
    except (KeyError, IndexError, ValueError, WorkbenchError) as error:
        raise ProofFailed(f"{where}: it does not describe a build that can be planned: {error}") from error


def _lacking(made: Provenance) -> Iterator[str]:
    """Yield what a statement must say of a build that can be made again, and does not."""
    if any(not each.digest for each in made.of_role("source")):
        yield "which source it was (a folder has no pin)"
        return
    if made.key is None:
        yield "its build key"
    if "upstream_version" not in made.inputs:
        yield "upstream's version"
    if made.builder != "container" and not made.of_role("python"):
        yield "which Python it was built with"
    if unpinned := [each.name for each in made.of_role("requirement") if not each.digest]:
        yield f"which files its build requirements were ({', '.join(unpinned)})"


def toolkit_pins(used: Sequence[Used]) -> ToolkitPins | None:
    """Return what a CUDA toolkit that a statement names was laid out from; None where it does not say all of that.

    What is not as NVIDIA's distributions are called is not asked of an index.
    """
    whole, *parts = used
    lines = []
    for each in parts:
        hashes = each.about.removeprefix(ONE_OF).split()
        told = re.fullmatch(r"nvidia-[a-z0-9-]+ [0-9][\w.]*", f"{each.name} {each.version}")
        if not told or not all(re.fullmatch("[0-9a-f]{64}", digest) for digest in hashes):
            return None
        pinned = [f"{each.name}=={each.version}", *(f"    --hash=sha256:{digest}" for digest in hashes)]
        lines.append(" \\\n".join(pinned) + "\n")
    requirements = "".join(lines)
    is_all = hashlib.sha256(requirements.encode()).hexdigest() == whole.digest.get("sha256")
    return ToolkitPins(version=whole.version, requirements=requirements) if lines and is_all else None


def _builder(made: Provenance) -> Builder:
    if made.builder not in get_args(Builder):
        raise ValueError(f"an unknown builder, {made.builder!r:.40}")
    return cast("Builder", made.builder)


def _target(made: Provenance) -> Target:
    told = {name: value for name, value in made.parameters.items() if name not in ("package", "version")}
    unknown = told.keys() - Axes.__dataclass_fields__
    found = () if unknown else cross(Axes(**told))
    if len(found) != 1:
        raise ValueError(f"not one target: {', '.join(f'{name}={value}' for name, value in told.items())}")
    return found[0]


def _source(made: Provenance) -> Sdist | Git:
    (source,) = (each for each in made.of_role("source") if not each.about)
    option = {name: made.inputs[name][0] for name in ("branch", "tag", "source_name") if name in made.inputs}
    if _SDIST.fullmatch(source.uri):
        return Sdist(sha256=source.digest["sha256"], name=option.get("source_name"))
    url = repository_url(made)
    if not url or re.search(r"[\x00-\x1f\x7f]|^-", url):
        raise ValueError(f"its source is neither an sdist nor a Git repository: {source.uri!r:.60}")
    if uri_of(f"git+{url}") != uri_of(source.uri):
        raise ValueError(f"it names two sources: {source.uri!r:.60}, and {url!r:.60} among its inputs")
    return Git(
        url=url,
        commit=source.digest["gitCommit"],
        branch=option.get("branch"),
        tag=option.get("tag"),
        submodules="submodules" in made.inputs,
    )


def _patches(made: Provenance, texts: Mapping[str, bytes], where: str) -> Iterator[PatchFile]:
    options = {name: words for name, *words in map(str.split, made.inputs.get("patch_options", ()))}
    for each in made.of_role("patch"):
        text = texts.get(each.digest["sha256"])
        if text is None or hashlib.sha256(text).hexdigest() != each.digest["sha256"]:
            raise ProofFailed(
                f"{where}: the patch {each.name} that the wheel was built with (sha256 {each.digest['sha256']}) is not "
                "here: neither in patches/ nor published"
            )
        yield PatchFile.parse(
            text, name=each.name, path=Path(each.name), options=tuple(options.get(each.name, ()))
        )


def _needed(told: str) -> Needed:
    package, key = told.split(" ")
    return Needed(package=package, key=key)


def _pin(used: Used) -> Pin:
    """Return a build requirement as it is asked for again: a line, in which nothing else must hide."""
    told = (used.name, used.version, used.url, *used.digest.values())
    if not used.name or any(re.search(r"\s|^-", each) for each in told):
        raise ValueError(f"not a build requirement: {used.name!r:.40}")
    return Pin(
        name=used.name,
        version=used.version,
        sha256=used.digest.get("sha256", ""),
        commit=used.digest.get("gitCommit", ""),
        url=used.url if "gitCommit" in used.digest or used.about == FROM_URL else "",
    )


def others(recorded: tuple[Used, ...], here: tuple[Used, ...]) -> tuple[str, ...]:
    """Return in which way what a wheel was built with differs from what it would be built with here, in words."""
    was = {(each.role, each.name): each for each in recorded}
    now = {(each.role, each.name): each for each in here}
    return tuple(
        f"{key[1]}: {_told(was.get(key), 'none')} then, {_told(now.get(key), 'none')} here"
        for key in dict.fromkeys((*was, *now))
        if _identity(was.get(key)) != _identity(now.get(key))
    )


def _identity(used: Used | None) -> object:
    return used and (used.version, used.digest, used.about)


def _told(used: Used | None, missing: str) -> str:
    if used is None:
        return missing
    return used.version or " ".join(used.digest.values())[:19] or used.about or "unknown"
