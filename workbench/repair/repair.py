"""Make a wheel portable with auditwheel, and say what that took (PEP 600).

auditwheel judges, and grafts where something is to be grafted. Whether a library is grafted at all, and how what
is not grafted is found at run time, is decided here. And the wheel is written by `workbench.wheel.assemble`: for
auditwheel deflates all of it anew, which for a large one takes most of a minute.
"""

from __future__ import annotations

import posixpath
import re
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import TYPE_CHECKING

from workbench.errors import CommandFailed, RepairFailed, UsageError
from workbench.evidence import sbom
from workbench.files import expect_file, scratch
from workbench.repair import auditwheel, rpath
from workbench.repair.limits import Limit, find_limits
from workbench.repair.policies import family_of, index_of
from workbench.toolchain import runtime
from workbench.wheel.assemble import assemble
from workbench.wheel.filename import parse_wheel
from workbench.wheel.metadata import read_metadata
from workbench.wheel.rename import retag, retagged
from workbench.wheel.stream import BadBinary
from workbench.wheel.wheel import open_wheel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from packaging.requirements import Requirement

    from workbench.repair.policies import Policy
    from workbench.repair.rpath import Mending
    from workbench.toolchain.runtime import Carrier
    from workbench.wheel.elf import Elf

    Describe = Callable[[Sequence[Elf], Sequence[str]], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What repair made of a wheel.

    `policy` is the platform tag reached, by its usual name (``any`` for a wheel without binaries). `grafted` are
    the libraries copied in, `excluded` those left to the wheel's requirements, the driver or the system.
    `rpaths_added` are paths, as ``member: path``, by which its libraries find what a requirement brings;
    `rpaths_removed` are paths of the build host that they searched. `limits` are what stands against the next
    better policy.
    """

    path: Path
    policy: str
    grafted: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    rpaths_added: tuple[str, ...] = ()
    rpaths_removed: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()


def repair(
    wheel: Path,
    into: Path,
    *,
    exclude: Sequence[str] = (),
    glibc_ceiling: str | None = None,
    library_path: Sequence[Path] = (),
    describe: Describe | None = None,
    epoch: int | None = None,
) -> Repaired:
    """Repair `wheel` into the folder `into`, in place of a file of the same name there.

    `exclude` are sonames not to graft, wildcards allowed; CUDA's and PyTorch's libraries never are. What is
    grafted is looked for in `library_path` first, and then where this machine has its libraries. `glibc_ceiling`
    (``2.34``) is the newest glibc that the wheel may need. `describe` makes the bill of materials that the wheel gets
    (PEP 770); without it, a wheel without binaries comes out as it is. `epoch`, the source's time in seconds
    since 1970, makes the same bytes of the same content (`assemble`).

    Raises UsageError for a path that is not a file. Raises RepairFailed for a file that is not a whole wheel, a library
    of CUDA that no requirement brings, for a wheel above the ceiling, and with auditwheel's own reason.
    """
    libraries, requires = _look_into(expect_file(wheel))
    facts = auditwheel.show(wheel)
    left = (*exclude, *runtime.DRIVER)
    # in `into`, so that the finished wheel is renamed to its place, whole
    with scratch(into, ".repair.") as folder, _failing_with(wheel):
        if facts.pure:
            copy = folder / wheel.name
            if describe:
                bill = _bill(wheel, describe, (), ())
                assemble(copy, base=wheel, made=wheel, changed={}, added=bill, epoch=epoch)
            else:
                shutil.copyfile(wheel, copy)
            return Repaired(path=copy.replace(into / wheel.name), policy="any")
        required = runtime.requirements(requires, facts.architecture)
        carriers = _carriers(wheel, libraries, facts.external, required, left)
        excluded = tuple(name for name in facts.external if name in carriers or _matches(name, left))
        made, grafted, obstacles = wheel, tuple[str, ...](), facts.obstacles
        policy = facts.reached(excluded)
        if policy is None:
            into_folder = folder / "grafted"
            made = auditwheel.graft(wheel, into_folder, exclude=(*left, *carriers), library_path=library_path)
            brought = {each.path for each in libraries}
            libraries, _ = _look_into(made)
            # auditwheel adds them in a folder NAME.libs
            added = (posixpath.split(each.path) for each in libraries if each.path not in brought)
            grafted = tuple(name for home, name in added if home.endswith(".libs"))
            policy = _policy_of(made)
            obstacles = {}  # they are in the way no more, and what they need is among the libraries now
        _check_ceiling(made, libraries, policy, glibc_ceiling)
        menders = _menders(libraries, carriers)
        changed: dict[str, Path | bytes] = dict(_mended(made, menders, folder))
        changed |= retag(made, policy.names)
        finished = folder / retagged(wheel.name, policy.names)
        bill = _bill(made, describe, libraries, grafted) if describe else {}
        assemble(finished, base=wheel, made=made, changed=changed, added=bill, epoch=epoch)
        done = finished.replace(into / finished.name)
        return Repaired(
            path=done,
            policy=policy.name,
            grafted=grafted,
            excluded=excluded,
            rpaths_added=tuple(f"{each.path}: {entry}" for each in menders for entry in each.added),
            rpaths_removed=tuple(dict.fromkeys(entry for each in menders for entry in each.removed)),
            limits=_limits(done, libraries, policy, obstacles, excluded),
        )


def _bill(
    wheel: Path, describe: Describe, libraries: Sequence[Elf], grafted: Sequence[str]
) -> dict[str, bytes]:
    """Return the bill of materials of a wheel, by its path in it."""
    with open_wheel(wheel) as opened:
        return {f"{opened.info}/{sbom.FOLDER}/{sbom.NAME}": describe(libraries, grafted)}


@contextmanager
def _failing_with(wheel: Path) -> Iterator[None]:
    try:
        yield
    except (BadBinary, CommandFailed) as error:
        raise RepairFailed(f"{wheel}: {error}") from error


def _look_into(wheel: Path) -> tuple[tuple[Elf, ...], tuple[str, ...]]:
    """Return a wheel's libraries and its Requires-Dist.

    Raises RepairFailed for a file that is not a whole wheel, and where the driver is among the libraries.
    """
    try:
        with open_wheel(wheel) as opened:
            libraries = tuple(opened.libraries(whole=False))
            raw, _ = read_metadata(opened.text("METADATA"))
        if damaged := next((each for each in libraries if each.damage), None):
            raise BadBinary(f"{damaged.path}: {damaged.damage}")
    except BadBinary as error:
        raise RepairFailed(f"{wheel}: not a whole wheel: {error}") from error
    found = tuple(each.elf for each in libraries if each.elf)
    for library in found:
        if _matches(posixpath.basename(library.path), runtime.DRIVER):
            raise RepairFailed(
                f"{wheel}: {library.path} is a library of NVIDIA's driver (or a stub of one): it comes with the "
                "driver of the machine that has the GPU, and must not be in a wheel"
            )
    return tuple(library for library in found if library.for_host), tuple(raw.get("requires_dist", ()))


def _carriers(
    wheel: Path,
    libraries: Sequence[Elf],
    external: Sequence[str],
    required: Sequence[Requirement],
    exclude: Sequence[str],
) -> dict[str, Carrier]:
    """Return who brings each library of CUDA and PyTorch that the wheel needs.

    Raises RepairFailed where no requirement does, and nobody says that the library may be left out.
    """
    carriers = {}
    for name in external:
        source = runtime.source_of(name)
        if source is None:
            continue
        able = [carrier for carrier in source.able(name) if carrier.is_required(required)]
        if able:
            carriers[name] = next((carrier for carrier in able if carrier.preloaded), able[0])
        elif not _matches(name, exclude):
            users = ", ".join(library.path for library in libraries if name in library.needed)
            usual = " or ".join(dict.fromkeys(map(str, source.able(name)))) or "what brings it"
            raise RepairFailed(
                f"{wheel}: {users} needs {name}, which is never copied into a wheel, and no requirement of the "
                f"wheel brings it. Let the project require {usual}; or link it statically; or name it in the "
                "recipe's repair_exclude where the users' systems have it"
            )
    return carriers


def _menders(libraries: Sequence[Elf], carriers: Mapping[str, Carrier]) -> list[Mending]:
    """Return what is to be mended for libraries to find in site-packages what they need."""
    own = {posixpath.dirname(library.path) for library in libraries}
    menders = []
    for library in libraries:
        needed = [carriers[name] for name in library.needed if name in carriers]
        folders = [carrier.folder for carrier in needed if not carrier.preloaded]
        if mending := rpath.mend(library, folders, own):
            menders.append(mending)
    return menders


def _mended(wheel: Path, mendings: Sequence[Mending], folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the libraries with their new RPATHs, as members and as files in `folder`."""
    with open_wheel(wheel) as opened:
        for number, mending in enumerate(mendings):
            library = folder / f"{number}.so"
            with library.open("wb") as out:
                out.writelines(opened.content(opened.members[mending.path]))
            rpath.apply(mending, library)
            yield mending.path, library


def _check_ceiling(wheel: Path, libraries: Sequence[Elf], policy: Policy, ceiling: str | None) -> None:
    if ceiling is None or policy.glibc is None or policy.glibc <= (most := _version(ceiling)):
        return
    allowed = [each for each in family_of(policy.name) if each.glibc and each.glibc <= most]
    limits = find_limits(wheel, libraries, allowed[-1], ()) if allowed else ()
    reasons = "".join(f"\n  {limit}" for limit in limits)
    raise RepairFailed(
        f"{wheel.name} reaches {policy.name}, and the glibc ceiling is {ceiling}{':' if reasons else ''}{reasons}\n"
        "Build it on a system with an older glibc, or raise the ceiling"
    )


def _version(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d+)\.(\d+)", text)
    if match is None:
        raise UsageError(f"glibc ceiling {text!r}: write it as 2.34")
    return int(match[1]), int(match[2])


def _limits(
    wheel: Path,
    libraries: Sequence[Elf],
    policy: Policy,
    obstacles: Mapping[str, Sequence[str]],
    excluded: Sequence[str],
) -> tuple[Limit, ...]:
    policies = family_of(policy.name)
    at = index_of(policy.name, policies)
    if at == 0:
        return ()
    better = policies[at - 1]
    in_the_way = [name for name in obstacles.get(better.name, ()) if name not in excluded]
    return find_limits(wheel, libraries, better, in_the_way)


def _policy_of(wheel: Path) -> Policy:
    """Return the policy that auditwheel found for a wheel.

    It adds its tag to those that the wheel had, and they may promise more than what was grafted keeps: the least
    portable of them is the one that holds.
    """
    platforms = {tag.platform for tag in parse_wheel(wheel.name).tags}
    for platform in platforms:
        if policies := family_of(platform):
            return next(policy for policy in reversed(policies) if platforms & set(policy.names))
    raise RepairFailed(f"{wheel.name}: auditwheel gave it no platform tag that the workbench knows")


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)
