"""``pyproject.toml`` of a project that uv manages, with the chosen wheels: what a person wrote there stays as it is.

An index becomes an ``explicit`` one, so that nothing else comes from it. A wheel that lies on no index becomes a URL
source, whose cost is told: ``uv lock`` downloads the whole file, for whatever platform it is.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import tomlkit
from packaging.markers import Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from tomlkit.exceptions import ParseError, TOMLKitError

from workbench.errors import LockFault

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tomlkit import TOMLDocument

    from workbench.consume.host import Host
    from workbench.consume.lock import Pinned
    from workbench.consume.offer import OfferedWheel

_COMMENT = re.compile(r"(?:^|[ \t]+)#.*")
_OPTIONS = re.compile(r"\s--")


@dataclass(frozen=True, slots=True, kw_only=True)
class EditedProject:
    """A project file's new text, and the wheels that ``uv lock`` will download whole."""

    text: str
    downloads: tuple[OfferedWheel, ...]


def edit_project(
    text: str, pins: Sequence[Pinned], indexes: Mapping[str, str], host: Host, *, name: str, where: str
) -> EditedProject:
    """Return a ``pyproject.toml`` with chosen wheels as dependencies.

    An empty `text` makes a new one, of a project called `name`. `indexes` are the URLs of the sources that are
    indexes, by the source's name. What is written holds for the host's architecture alone. Raises LockFault,
    whose text begins with `where`, for a file that is not a project's.
    """
    line_end = "\r\n" if "\r\n" in text else "\n"
    try:
        document = tomlkit.parse(text.replace("\r\n", "\n") or _new(name, host))
        for pin in pins:
            marker = _depend(_dependencies(document, where), pin, host, where)
            _point(document, pin, indexes.get(pin.offer.source, ""), marker)
    except (TOMLKitError, ParseError, TypeError, AttributeError) as error:
        raise LockFault(f"{where}: not a project's file: {error}") from error
    made = tomlkit.dumps(document)
    if not _same(made, document):
        raise LockFault(
            f"{where}: give [tool.uv] a table of its own, without dotted keys, and run this again"
        )
    downloads = tuple(pin.offer for pin in pins if not indexes.get(pin.offer.source))
    return EditedProject(text=made.replace("\n", line_end), downloads=downloads)


def _same(text: str, document: TOMLDocument) -> bool:
    """Say whether a text says what it was made from: tomlkit puts a table wrong where its parent has dotted keys."""
    try:
        return bool(tomllib.loads(text) == document.unwrap())
    except tomllib.TOMLDecodeError:
        return False


def edit_requirements(text: str, pins: Sequence[Pinned], host: Host) -> str:
    """Return a requirements file with chosen wheels, each by its URL and its hash, in place of their own lines.

    What a person wrote there of extras, of a marker and beside a ``#`` stays, and so does what is for another machine.
    pip and uv check the hash of each; pip asks for one of every other line too, once a file has one.
    """
    line_end = "\r\n" if "\r\n" in text else "\n"
    lines = _requirement_lines(text)
    for pin in pins:
        named = _named(map(_requirement, lines), pin)
        at, marker = _place(named, host)
        if at is None:
            lines.append(_line(pin, marker if named else ""))
        else:
            comment = _COMMENT.search(lines[at])
            wanted = replace(pin, extras=pin.extras | named[at].extras)
            lines[at] = _line(wanted, str(named[at].marker or "")) + (comment[0] if comment else "")
    return "\n".join([*lines, ""]).replace("\n", line_end)


def _line(pin: Pinned, marker: str) -> str:
    where = f" ; {marker}" if marker else ""
    return f"{pin.wanted} @ {pin.offer.url}{where} --hash=sha256:{pin.offer.sha256}"


def _requirement_lines(text: str) -> list[str]:
    """Return a requirements file's lines, those that go on behind a backslash as one of several.

    No comment goes on, and nothing does behind the last line.
    """
    lines: list[str] = []
    goes_on = False
    for line in text.splitlines():
        if goes_on:
            lines[-1] += f"\n{line}"
        else:
            lines.append(line)
        goes_on = line.endswith("\\") and not _COMMENT.search(line)
    if goes_on:
        lines[-1] = lines[-1].removesuffix("\\").rstrip()
    return lines


def _requirement(line: str) -> Requirement | None:
    """Return the requirement on a line; None for a comment, an option or a path."""
    said = _COMMENT.sub("", _OPTIONS.split(line.removeprefix("\ufeff").replace("\\\n", " "))[0])
    try:
        return Requirement(said)
    except InvalidRequirement:
        return None


def _named(written: Iterable[Requirement | None], pin: Pinned) -> dict[int, Requirement]:
    """Return which of some requirements, by their places, are of a chosen wheel's package."""
    return {at: each for at, each in enumerate(written) if each and canonicalize_name(each.name) == pin.name}


def _place(named: Mapping[int, Requirement], host: Host) -> tuple[int | None, str]:
    """Return which of a package's requirements a chosen wheel takes the place of, and the marker of where it is for.

    That names the machine, and the Python too where another of them does.
    """
    there = {"sys_platform": "linux", "platform_machine": host.arch or ""}
    if host.python_minor:
        python = (host.python or "").removesuffix("t")
        there |= {"python_version": host.python_minor, "python_full_version": python}
    found = next((at for at, each in named.items() if not each.marker or each.marker.evaluate(there)), None)
    marker = f"sys_platform == 'linux' and platform_machine == '{host.arch}'"
    if host.python_minor and any("python_" in str(each.marker) for at, each in named.items() if at != found):
        marker += f" and python_version == '{host.python_minor}'"
    return found, marker


def _new(name: str, host: Host) -> str:
    safe = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "project"
    python = host.python_minor or "3.11"
    return (
        f'[project]\nname = "{safe}"\nversion = "0.1.0"\nrequires-python = ">={python}"\ndependencies = []\n'
    )


def _dependencies(document: TOMLDocument, where: str) -> Any:  # noqa: ANN401 - tomlkit's array
    project = document.get("project")
    if project is None:
        raise LockFault(f"{where}: it has no [project]: 'uv init' makes one")
    if "dependencies" in project.get("dynamic", ()):
        raise LockFault(f"{where}: its dependencies are dynamic: only their own place can be edited, by hand")
    if "dependencies" not in project:
        project["dependencies"] = tomlkit.array()
    return project["dependencies"]


def _depend(listed: Any, pin: Pinned, host: Host, where: str) -> str:  # noqa: ANN401 - tomlkit's array
    """Pin a dependency: what was written of it keeps its place, its extras and its marker.

    Returns the marker of the machines that the pin is for.
    """
    written = []
    for number, word in enumerate(listed):
        try:
            written.append(Requirement(word))
        except InvalidRequirement as error:
            raise LockFault(f"{where}: dependencies[{number}]: {error}") from error
    named = _named(written, pin)
    at, marker = _place(named, host)
    if at is not None:
        said = named[at]
        said.specifier, said.url = SpecifierSet(f"=={pin.version}"), None
        said.extras |= pin.extras
        listed[at] = str(said)
        return marker
    added = Requirement(f"{pin.wanted}=={pin.version}")
    added.marker = Marker(marker)
    if lines := re.search(r"\n([ \t]*)[\"']", listed.as_string()):
        listed.add_line(str(added), indent=lines[1])
    else:
        listed.append(str(added))
    return marker


def _point(document: TOMLDocument, pin: Pinned, index: str, marker: str) -> None:
    """Say where uv finds a wheel: on an index that is asked for nothing else, or at its URL."""
    uv = document.setdefault("tool", tomlkit.table(is_super_table=True)).setdefault("uv", tomlkit.table())
    place: dict[str, str] = {"url": pin.offer.url}
    if index:
        place = {"index": _named_index(uv, index)}
    inline = tomlkit.inline_table()
    inline.update({**place, "marker": marker})
    uv.setdefault("sources", tomlkit.table())[pin.name] = inline


def _named_index(uv: Any, url: str) -> str:  # noqa: ANN401 - tomlkit's table
    """Return the name of an index in a project, which is added where it is missing."""
    known = uv.get("index", [])
    for each in known:
        if str(each.get("url", "")).rstrip("/") == url.rstrip("/"):
            if "name" not in each:
                each["name"] = _free_name(url, known)
            return str(each["name"])
    added = tomlkit.table()
    added.update({"name": _free_name(url, known), "url": url, "explicit": True})
    if "index" not in uv:
        uv["index"] = tomlkit.aot()
    uv["index"].append(added)
    return str(added["name"])


def _free_name(url: str, known: Any) -> str:  # noqa: ANN401 - tomlkit's array of tables
    parts = urlsplit(url)
    words = [part for part in parts.path.split("/") if part not in ("", "simple", "index", "whl")]
    base = re.sub(r"[^a-z0-9]+", "-", "-".join([parts.hostname or "files", *words]).lower()).strip("-")
    taken = {str(each.get("name", "")) for each in known}
    return next(name for name in (base, *(f"{base}-{count}" for count in range(2, 100))) if name not in taken)
