"""Registries of sources: TOML files that come with gpuwheels, that a user names, or that lie at a URL.

A file's ``[[sources]]`` are of our own form, or of gpkg's, which has ``type`` in place of ``kind``.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import unquote, urlsplit

from packaging.utils import InvalidName, canonicalize_name

from workbench.consume.offer import Hints
from workbench.consume.sources import HOLDERS, Kind, WheelSource
from workbench.errors import SettingsError, nearest
from workbench.simple.github import API, releases_url
from workbench.strict import Mismatch, parse
from workbench.url import mask, without_login

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from workbench.wheel.local_version import Packing

VARIABLE = "GPUWHEELS_REGISTRY"
SHIPPED = "gpuwheels"
"""What `WheelSource.registry` is of the sources that come with the program."""

MOST_BYTES = 1 << 20
_NAME = re.compile(r"[A-Za-z0-9][\w.+/-]{0,99}", re.ASCII)
_CUDA = re.compile(r"cu\d{2,4}|cpu|xpu|rocm\d[\d.]*", re.ASCII)
_TORCH = re.compile(r"\d+\.\d+\.\d+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """``[[sources]]`` in our form."""

    name: str
    kind: Kind
    url: str = ""
    repository: str = ""
    api: str = API
    packages: tuple[str, ...] = ()
    filed_as: dict[str, str] = field(default_factory=dict)
    about: str = ""
    compute: str = ""
    torch: str = ""
    packing: Literal["minor", "patch", ""] = ""
    cudas: tuple[str, ...] = ()
    torches: tuple[str, ...] = ()
    missing: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _GpkgEntry:
    """``[[sources]]`` in gpkg's form."""

    package: str
    type: Literal["github", "find-links"]
    wheel_name: str
    description: str = ""
    repo: str = ""
    url_template: str = ""
    cuda_style: Literal["full", "short"] = "full"
    torch_format: Literal["minor", "packed", "full"] = "minor"
    has_abi: bool = False
    torch_compat: str = ""
    scan_tags: int = 0


def named_registries(given: Sequence[str], environ: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """Return the files and URLs that are named: by ``GPUWHEELS_REGISTRY``, with spaces between them, then as flags."""
    return (*environ.get(VARIABLE, "").split(), *given)


def read_registries(
    named: Iterable[str], *, fetch: Callable[[str], bytes] | None = None
) -> tuple[WheelSource, ...]:
    """Return the sources that come with gpuwheels and those of the named files and URLs, in this order.

    A source takes the place of one with the same name in an earlier registry. A file that says ``shipped = false``
    leaves those out that come with gpuwheels. `fetch` gets what is at a URL. Raises SettingsError, with the file and
    the key.
    """
    merged: dict[str, WheelSource] = {}
    shipped = True
    for each in named:
        remote = re.match(r"https?://", each) is not None
        where = mask(each)
        sources, with_shipped = read_registry(
            _text(each, where, fetch if remote else None), where, remote=remote
        )
        shipped = shipped and with_shipped
        merged.update({source.name: source for source in sources})
    ours = shipped_sources()
    public = {urlsplit(source.url).hostname for source in ours}
    both = {**{source.name: source for source in ours if shipped}, **merged}
    return tuple(
        replace(each, takes_token=each.own and urlsplit(each.url).hostname not in public)
        for each in both.values()
    )


def shipped_sources() -> tuple[WheelSource, ...]:
    """Return the sources that come with gpuwheels."""
    text = Path(__file__).with_name("sources.toml").read_bytes()
    return tuple(replace(each, own=False) for each in read_registry(text, SHIPPED)[0])


def _text(named: str, where: str, fetch: Callable[[str], bytes] | None) -> bytes:
    try:
        if fetch is not None:
            return fetch(named)
        if re.match(r"https?://", named):
            raise SettingsError(f"{where}: registries at URLs cannot be read here: name a file")
        path = Path(named).expanduser()
        if path.stat().st_size > MOST_BYTES:
            raise SettingsError(f"{named}: more than {MOST_BYTES:,} bytes, which no registry of sources has")
        return path.read_bytes()
    except (OSError, ValueError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise SettingsError(f"{where}: the registry of sources could not be read: {said}") from error


def read_registry(text: bytes, where: str, *, remote: bool = False) -> tuple[tuple[WheelSource, ...], bool]:
    """Return the sources of a registry that lies at `where`, and whether it wants those that come with gpuwheels.

    One that is `remote` names no folders of this machine, and gets none of the logins that are for the user's own.
    Raises SettingsError.
    """
    try:
        document = tomllib.loads(text.decode())
    except (ValueError, RecursionError) as error:
        said = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise SettingsError(f"{where}: not a TOML file: {said}") from error
    for key in document.keys() - {"shipped", "sources"}:
        raise SettingsError(f"{where}: {key:.80}: unknown key{nearest(key, ('shipped', 'sources'))}")
    shipped, entries = document.get("shipped", True), document.get("sources", [])
    if not isinstance(shipped, bool):
        raise SettingsError(f"{where}: shipped: expected true or false, got {shipped!r:.60}")
    if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
        raise SettingsError(f"{where}: sources: expected [[sources]] tables")
    ours: list[WheelSource] = []
    theirs: dict[tuple[str, str], WheelSource] = {}
    for number, entry in enumerate(entries, 1):
        reader = _Reader(f"{where}: sources[{number}]", remote=remote)
        try:
            if "type" in entry and "kind" not in entry:
                source = reader.gpkg(parse(_GpkgEntry, entry, path=reader.path))
                same = theirs.get((source.url, source.hints.packing))
                theirs[source.url, source.hints.packing] = _joined(same, source) if same else source
            else:
                ours.append(reader.source(parse(_Entry, entry, path=reader.path)))
        except Mismatch as error:
            raise SettingsError(str(error)) from error
    found = (*ours, *theirs.values())
    for name, count in Counter(each.name for each in found).items():
        if count > 1:
            raise SettingsError(f"{where}: {count} sources are named {name!r}: each needs a name of its own")
    return tuple(replace(each, registry=where, own=not remote) for each in found), shipped


def _joined(first: WheelSource, second: WheelSource) -> WheelSource:
    """Return one source of two that gpkg has, one for each package, with the same address."""
    return replace(
        first,
        packages=tuple(dict.fromkeys((*first.packages, *second.packages))),
        filed_as={**first.filed_as, **second.filed_as},
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    """Makes one entry a source; its errors begin with the entry's path."""

    path: str
    remote: bool

    def __init__(self, path: str, *, remote: bool) -> None:
        object.__setattr__(self, "path", path)
        object.__setattr__(self, "remote", remote)

    def source(self, entry: _Entry) -> WheelSource:
        if not _NAME.fullmatch(entry.name):
            raise self._wrong("name", f"{entry.name!r:.100}: use letters, digits and ._+/-")
        if entry.kind == "github":
            if entry.url:
                raise self._wrong(
                    "url", 'a source of kind "github" has repository = "OWNER/NAME" in its place'
                )
            address, login = self._github(entry.repository, entry.api, "repository"), ""
        elif entry.repository:
            raise self._wrong(
                "repository", f'only sources of kind "github" have one, and this is {entry.kind!r}'
            )
        else:
            address, login = self._address(entry.url, "url", entry.kind)
        for key, values, pattern in (("cudas", entry.cudas, _CUDA), ("torches", entry.torches, _TORCH)):
            for value in values:
                if not pattern.fullmatch(value):
                    raise self._wrong(
                        key, f"{value!r:.60}: written as {'cu130' if key == 'cudas' else '2.11.0'}"
                    )
        return WheelSource(
            name=entry.name,
            kind=entry.kind,
            url=address,
            login=login,
            packages=tuple(self._project(each, "packages") for each in entry.packages),
            filed_as={
                self._project(package, "filed_as"): self._project(name, f"filed_as.{package}")
                for package, name in entry.filed_as.items()
            },
            about=entry.about,
            hints=Hints(compute=entry.compute, torch=entry.torch, packing=entry.packing),
            cudas=entry.cudas,
            torches=entry.torches,
            missing=entry.missing,
        )

    def gpkg(self, entry: _GpkgEntry) -> WheelSource:
        package = self._project(entry.package, "package")
        filed = self._project(entry.wheel_name.partition("-")[0], "wheel_name")
        packing: Packing = "minor" if entry.torch_format == "minor" else "patch"
        if entry.type == "github":
            name, url, login = entry.repo, self._github(entry.repo, API, "repo"), ""
        else:
            torch = {"minor": "{torch_minor}", "packed": "{torch_packed}", "full": "{torch}"}[
                entry.torch_format
            ]
            digits = "{cuda_digits}" if entry.cuda_style == "full" else "{cuda_major}"
            template = entry.url_template.replace("{torch}", torch).replace("{cuda}", digits)
            url, login = self._address(template, "url_template", "links")
            parts = urlsplit(url)
            folder = parts.path.partition("{")[0].rpartition("/")[0]
            name = f"{parts.hostname}{folder}"
        return WheelSource(
            name=name,
            kind="github" if entry.type == "github" else "links",
            url=url,
            login=login,
            packages=(package,),
            filed_as={package: filed} if filed != package else {},
            about=entry.description,
            hints=Hints(packing=packing),
        )

    def _wrong(self, key: str, what: str) -> SettingsError:
        return SettingsError(f"{self.path}.{key}: {what}")

    def _project(self, name: str, key: str) -> str:
        try:
            return canonicalize_name(name, validate=True)
        except InvalidName as error:
            raise self._wrong(key, f"{name!r:.100} is not the name of a package") from error

    def _github(self, repository: str, api: str, key: str) -> str:
        self._address(api, "api", "github")
        try:
            return releases_url(repository, api)
        except ValueError as error:
            raise self._wrong(key, str(error)) from error

    def _address(self, url: str, key: str, kind: Kind) -> tuple[str, str]:
        """Return an address without its login, and that. Raises SettingsError."""
        if kind == "folder":
            return self._folder(url, key), ""
        try:
            parts = urlsplit(url)
            user, secret, _ = parts.username, parts.password, parts.port
        except ValueError as error:
            raise self._wrong(key, f"not a URL: {error}") from error
        if parts.scheme == "file" and kind != "github" and not self.remote:
            return url, ""
        if parts.scheme not in ("http", "https") or not parts.hostname or not url.isprintable():
            raise self._wrong(key, f"{without_login(url)!r:.200} is not an http or https URL")
        for holder in re.findall(r"{([^{}]*)}", url):
            if holder not in HOLDERS:
                raise self._wrong(
                    key, f"{{{holder:.40}}} is not one of {', '.join(HOLDERS)}{nearest(holder, HOLDERS)}"
                )
        return without_login(url), f"{unquote(user)}:{unquote(secret or '')}" if user is not None else ""

    def _folder(self, name: str, key: str) -> str:
        if self.remote:
            raise self._wrong(key, "a registry at a URL names no folders of this machine")
        if not name or "\0" in name:
            raise self._wrong(key, "a folder's path is missing")
        below = Path(self.path.rpartition(": sources[")[0]).expanduser().parent
        return (
            (below / Path(unquote(urlsplit(name).path) if name.startswith("file:") else name).expanduser())
            .absolute()
            .as_uri()
        )
