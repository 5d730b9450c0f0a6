"""What a wheel's tags and its Requires-Python say of a host: Python, platform, glibc."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from workbench.consume.verdict import Reason
from workbench.wheel.filename import label
from workbench.wheel.serves import Audience, Machine, oldest_glibc, platform_tags, tags_serve

if TYPE_CHECKING:
    from packaging.tags import Tag

    from workbench.consume.host import Host
    from workbench.consume.names import SameTags

_NEWEST_GLIBC = "2.99"
_NO_TAGS = (1 << 30, 0)

_NAMED = re.compile(r"(?:cp|py)3(\d+)")
_SYSTEMS = {
    "win": "Windows",
    "macosx": "macOS",
    "musllinux": "musl's C library (Alpine)",
    "ios": "iOS",
    "android": "Android",
}


class TagVerdict(NamedTuple):
    """The reasons, and how early pip would take such tags (`Audience.rank`). `audience` is None for no wheel's name."""

    reasons: tuple[Reason, ...]
    rank: tuple[int, int] = _NO_TAGS
    audience: Audience | None = None


def may_serve(tags: str, host: Host) -> bool:
    """Say whether a wheel's tags, as its filename has them, may serve a host. No reasons are made."""
    if host.python is None or host.arch is None:
        return True
    return tags_serve(tags, _machine(host.python, host.arch, host.glibc))


def _machine(python: str, arch: str, glibc: str | None) -> Machine:
    return Machine(python=python, arch=arch, glibc=_NEWEST_GLIBC if glibc is None else glibc)


def judge_tags(same: SameTags, requires_python: str | None, host: Host) -> TagVerdict:
    """Judge a group by its tags, and by what its listing, or METADATA, requires of Python."""
    audience = Audience.of(f"x-0-{same.tags}.whl", requires_python)
    if not audience.tags:
        return TagVerdict((Reason("filename", "no", _no_name(same.ending)),))
    reasons = _platform(audience, host)
    if not any(reason.outcome == "no" and reason.kind == "platform" for reason in reasons):
        reasons.insert(0, _python(audience, same.tags, requires_python, host))
    if any(reason.outcome != "fits" for reason in reasons) or host.python is None or host.arch is None:
        return TagVerdict(tuple(reasons), _NO_TAGS, audience)
    rank = audience.rank(_machine(host.python, host.arch, host.glibc))
    if rank is None:  # its tags are of several Pythons and platforms, and no pair of them would do
        text = f"no tag of {same.tags} is for this Python and this platform at once"
        reasons.append(Reason("platform", "no", text))
    return TagVerdict(tuple(reasons), rank or _NO_TAGS, audience)


def _no_name(ending: str) -> str:
    if not ending.endswith(".whl"):
        if ".whl." in ending:
            return f"it is not a wheel: its name goes on after .whl: .{ending.rpartition('.whl.')[2]:.20}"
        return (
            "it is not a wheel: it is an egg"
            if ending.endswith(".egg")
            else "it is not a wheel: its name does not end in .whl"
        )
    if label(f"x-0-{ending.partition('-')[2]}"):
        return "its name has a variant label (PEP 825, a draft), which installers do not read yet"
    if "-" not in ending.strip("-"):
        return "its name has no tags, which say for which Python and platform it is"
    return "its name is not a wheel's (PEP 427)"


def _python(audience: Audience, tags: str, requires_python: str | None, host: Host) -> Reason:
    if host.python is None:
        if all(tag.interpreter in ("py3", "py2") for tag in audience.tags) and not requires_python:
            return Reason("python", "fits", "it is for every Python 3")
        return Reason("python", "undecided", "the project's Python is not known", "python", "--python")
    has = f"the project has {host.python}"
    machine = Machine(python=host.python, arch="any", glibc="")
    anywhere = Audience(tags=frozenset(_on_any_platform(tag) for tag in audience.tags))
    named = ".".join(dict.fromkeys(f"{tag.interpreter}-{tag.abi}" for tag in sorted(audience.tags, key=str)))
    if anywhere.rank(machine) is None:
        return Reason(
            "python", "no", f"it is for {_pythons(audience)}; {has}", "", "--python", _needed(audience)
        )
    if not audience.admits(host.python):
        return Reason("python", "no", f"it requires Python {requires_python}; {has}", "", "--python", "")
    return Reason("python", "fits", f"{named if len(named) < 40 else tags} serves Python {host.python}")  # noqa: PLR2004


def _on_any_platform(tag: Tag) -> Tag:
    """Return a tag for a platform that every machine accepts: only its Python counts then."""
    from packaging.tags import Tag

    return Tag(tag.interpreter, tag.abi, tag.platform if tag.platform == "any" else "linux_any")


def _pythons(audience: Audience) -> str:
    """Return the Pythons of tags in words: ``Python 3.12``, ``Python 3.9 and newer``."""
    said = []
    for tag in sorted(audience.tags, key=str):
        number = _NAMED.fullmatch(tag.interpreter)
        if not number:
            said.append(tag.interpreter)
        elif tag.abi.endswith("t"):
            said.append(f"the free-threaded Python 3.{number[1]}")
        elif tag.abi == "abi3":
            said.append(f"Python 3.{number[1]} and newer, with the GIL")
        elif tag.interpreter.startswith("py"):
            said.append(f"Python 3.{number[1]} and newer")
        else:
            said.append(f"Python 3.{number[1]}")
    return ", ".join(dict.fromkeys(said))


def _needed(audience: Audience) -> str:
    """Return a Python that the tags are for, ``3.12``; "" where none is named."""
    for tag in sorted(audience.tags, key=str):
        if number := _NAMED.fullmatch(tag.interpreter):
            return f"3.{number[1]}{'t' if tag.abi.endswith('t') else ''}"
    return ""


def _platform(audience: Audience, host: Host) -> list[Reason]:
    platforms = {tag.platform for tag in audience.tags}
    if "any" in platforms:
        return [Reason("platform", "fits", "it is for any platform")]
    if host.arch is None:
        return [Reason("platform", "undecided", "this machine's architecture is not known", "arch", "--arch")]
    newest = platform_tags(host.arch, _NEWEST_GLIBC)
    ours = platforms & newest.keys()
    if not ours:
        others = [
            arch for arch in audience.architectures if platforms & platform_tags(arch, _NEWEST_GLIBC).keys()
        ]
        text = f"it is for {_systems(platforms)}; this machine is {host.arch} Linux"
        return [Reason("platform", "no", text, "", "--arch" if others else "", others[0] if others else "")]
    return [
        Reason("platform", "fits", f"it is for Linux on {host.arch}"),
        _glibc(ours, host.arch, host.glibc),
    ]


def _glibc(platforms: set[str], arch: str, glibc: str | None) -> Reason:
    """Judge the platform tags that are for this architecture by its glibc."""
    floor = oldest_glibc(platforms, arch)
    if floor is None or f"linux_{arch}" in platforms:
        return Reason("glibc", "fits", "its name does not say which glibc it needs")
    needs = f"it needs glibc {floor}"
    if glibc is None:
        return Reason("glibc", "undecided", f"{needs}; this machine's is not known", "glibc", "--glibc")
    if platforms.isdisjoint(platform_tags(arch, glibc)):
        has = f"this machine has {glibc}" if glibc else "this machine has another C library"
        return Reason("glibc", "no", f"{needs}; {has}", "", "--glibc", floor)
    return Reason("glibc", "fits", f"{needs} or newer; this machine has {glibc}")


def _systems(platforms: set[str]) -> str:
    """Return what platform tags are for in words: ``Windows``, ``Linux on aarch64``."""
    said = []
    for platform in sorted(platforms):
        system, _, rest = platform.partition("_")
        known = next((name for start, name in _SYSTEMS.items() if system.startswith(start)), None)
        arch = re.sub(r"^(?:\d+_){0,2}", "", rest)
        said.append(known or (f"Linux on {arch}" if "linux" in system else platform))
    return " and ".join(dict.fromkeys(said))
