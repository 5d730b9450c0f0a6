"""Read a registry in the older form that others wrote, and say what had to be mended or could not be accepted.

The older form is ``{"packages": {NAME: {source_repo, source_branch, upstream, description, wheels: [{filename, url,
python_version, platform, upload_date, sha256}]}}}``, written by hand or by scripts: names as people write them,
empty hashes, missing keys, and keys of their own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import Any, Literal
from urllib.parse import urlsplit

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidName, InvalidWheelFilename, canonicalize_name

from workbench.errors import RegistryError
from workbench.paths import PROGRAM
from workbench.registry.file import Damaged, filename_fault, parse_json
from workbench.registry.model import Package, PublishedWheel, Registry
from workbench.simple.fetch import Fetcher, why
from workbench.url import has_secret, mask
from workbench.wheel.filename import parse_wheel

_SHA256 = re.compile(r"[0-9a-f]{64}")
_CONNECTIONS = 8

_DOCUMENT_KEYS = {"schema", "packages"}
_PACKAGE_FACTS = ("source_repo", "source_branch", "upstream", "description", "license")
_PACKAGE_KEYS = {*_PACKAGE_FACTS, "wheels"}
_WHEEL_KEYS = {
    *("filename", "url", "python_version", "platform", "upload_date", "sha256"),
    *("size", "requires_python", "yanked"),  # ours, which some have added to theirs
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """What was done with an entry (``package`` or ``package/filename``), or with the part of it that was ignored."""

    entry: str
    outcome: Literal["mended", "refused", "ignored"]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """Two registries as one: `new` are the filenames that ours did not have, `already` those it had, the same bytes."""

    registry: Registry
    new: tuple[str, ...]
    already: tuple[str, ...]
    remarks: tuple[Remark, ...]


def import_older(document: bytes, *, where: str) -> tuple[Registry, tuple[Remark, ...]]:
    """Return what a registry document of the older form holds, as far as it can be accepted, and the remarks.

    An index must give sizes (PEP 700), which the older form does not know: each file's server is asked, and one that
    does not answer is refused. Raises RegistryError for what is not JSON, has a key twice or no packages.
    """
    reader = accepted(document, where=where)
    return reader.registry(), tuple(reader.remarks)


def accepted(document: bytes, *, where: str) -> _Reader:
    """Return what a document has that can be accepted, without asking for sizes. Raises as `import_older` does."""
    reader = _Reader(where)
    for written, entry in reader.entries(reader.parse(document)):
        reader.package(written, entry)
    return reader


def merge(ours: Registry, theirs: Registry) -> Merged:
    """Return our registry with what theirs has and it does not; what was removed from ours stays removed. Pure."""
    new, already, remarks = [], [], []
    published = {wheel.filename: wheel.sha256 for _, wheel in ours.wheels()}
    removed = {gone.filename: gone.removed[:10] for gone in ours.removed}
    registry = ours
    for name, package in theirs.packages.items():
        mine = ours.packages.get(name)
        if mine is not None:
            remarks += list(_differences(name, mine, package))
        taken = []
        for wheel in package.wheels:
            why = ""
            if wheel.filename in removed:
                why = f"it was removed here on {removed[wheel.filename]}; '{PROGRAM} upload' brings it back"
            elif wheel.filename not in published:
                taken.append(wheel)
            elif published[wheel.filename] == wheel.sha256:
                already.append(wheel.filename)
            else:
                why = "it is published here with other bytes"
            if why:
                remarks.append(Remark(entry=f"{name}/{wheel.filename}", outcome="refused", why=why))
        new += [wheel.filename for wheel in taken]
        base = mine or replace(package, wheels=())
        registry = registry.with_package(name, replace(base, wheels=(*base.wheels, *taken)).filled())
    return Merged(registry=registry, new=tuple(new), already=tuple(already), remarks=tuple(remarks))


def _differences(name: str, ours: Package, theirs: Package) -> Iterator[Remark]:
    for key in _PACKAGE_FACTS:
        mine, value = getattr(ours, key), getattr(theirs, key)
        if value and value != mine:
            yield Remark(entry=name, outcome="ignored", why=f"{key} {value!r}: here it is {mine!r}")


@dataclass(slots=True)
class _Reader:
    """Reads one document, entry by entry, and keeps what it accepted and what it had to say."""

    where: str
    remarks: list[Remark] = field(default_factory=list)
    packages: dict[str, Package] = field(default_factory=dict)
    wheels: dict[str, dict[str, PublishedWheel]] = field(default_factory=dict)
    """By project and filename, with the sizes that the document tells, or 0."""
    written: set[str] = field(default_factory=set)

    def parse(self, document: bytes) -> dict[str, Any]:
        """Return the document as JSON, which has ``packages``. Raises RegistryError."""
        data = parse_json(document, where=self.where)
        if not isinstance(data, dict) or not isinstance(data.get("packages"), (dict, list)):
            raise RegistryError(f'{self.where}: no "packages" in it: not a registry')
        if data.get("schema", 1) != 1:
            raise RegistryError(
                f"{self.where}: schema {data['schema']!r:.20}: not of the older form; nothing to import. "
                f"('{PROGRAM} store.reconcile' draws pages that are behind)"
            )
        try:
            # JSON can spell half a surrogate pair, which no file of ours could hold
            text = json.dumps(data, ensure_ascii=False)
        except RecursionError:
            raise Damaged(f"{self.where}: not JSON that can be read: nested too deeply") from None
        if (sound := text.encode(errors="replace").decode()) != text:
            data = json.loads(sound)
            self.say(self.where, "mended", "what is not Unicode text in it is now a '?'")
        self.unknown(self.where, data, _DOCUMENT_KEYS)
        return dict(data)

    def entries(self, data: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
        """Yield each package's name and entry. In a list each entry has its name, and may be of a single wheel."""
        packages = data["packages"]
        if isinstance(packages, dict):
            yield from packages.items()
            return
        for number, each in enumerate(packages):
            if not isinstance(each, dict) or not isinstance(each.get("name"), str):
                self.say(f"packages[{number}]", "refused", "not a mapping with a name")
                continue
            entry = {key: value for key, value in each.items() if key != "name"}
            if "wheels" not in entry and (filename := entry.pop("wheel", entry.get("filename"))) is not None:
                wheel = {key: entry.pop(key) for key in sorted(_WHEEL_KEYS & entry.keys())}
                entry["wheels"] = [{**wheel, "filename": filename}]
            yield each["name"], entry

    def say(self, entry: str, outcome: Literal["mended", "refused", "ignored"], why: str) -> None:
        self.remarks.append(Remark(entry=entry, outcome=outcome, why=why))

    def unknown(self, entry: str, given: Mapping[str, object], known: Collection[str]) -> None:
        if others := [f"{key}: {value!r:.40}" for key, value in given.items() if key not in known]:
            self.say(entry, "ignored", f"keys that are not of a registry: {', '.join(others)}")

    def text(self, entry: str, given: Mapping[str, object], key: str, otherwise: str = "") -> str:
        """Return the text under a key; `otherwise`, and a remark, where it is something else than text."""
        value = given.get(key)
        if value is None or isinstance(value, str):
            return value or otherwise
        taken = f"taken as {otherwise!r}" if otherwise else "left empty"
        self.say(entry, "mended", f"{key} {value!r:.40} is not text: {taken}")
        return otherwise

    def package(self, written: str, entry: object) -> None:
        """Take one package, together with what was read of it under another spelling of its name."""
        try:
            name = canonicalize_name(written, validate=True)
        except InvalidName:
            self.say(written, "refused", "not a project name: letters, digits, '.', '_' and '-'")
            return
        if not isinstance(entry, dict):
            self.say(written, "refused", f"not a mapping: {entry!r:.40}")
            return
        if written in self.written:
            pass  # in a list, a name has an entry for each of its wheels
        elif name in self.packages:
            self.say(written, "mended", f"another spelling of {name}: taken together with it")
        elif name != written:
            self.say(written, "mended", f"its name is normalised to {name}")
        self.unknown(written, entry, _PACKAGE_KEYS)
        self.written.add(written)
        self.packages[name] = self.facts(written, entry, self.packages.get(name))
        wheels = self.wheels.setdefault(name, {})
        entries = entry.get("wheels") or []
        if not isinstance(entries, list):
            self.say(written, "refused", f"its wheels are not a list: {entries!r:.40}")
            return
        for each in entries:
            self.wheel(name, wheels, each, written)

    def facts(self, written: str, entry: Mapping[str, object], earlier: Package | None) -> Package:
        """Return what an entry says of a package, on top of what was read under another spelling of its name."""
        given = {key: self.text(written, entry, key) for key in _PACKAGE_FACTS}
        for key in [key for key, text in given.items() if has_secret(text)]:
            self.say(written, "mended", f"{key}: a login or a secret in its URL is left out")
            given[key] = mask(given[key])
        for key in ("source_repo", "description"):
            if not entry.get(key) and earlier is None:
                self.say(written, "mended", f"no {key}: left empty")
        facts: dict[str, Any] = {key: given[key] or None for key in ("source_branch", "upstream", "license")}
        package = Package(source_repo=given["source_repo"], description=given["description"], **facts)
        kept = {key: value for key in _PACKAGE_FACTS if (value := getattr(earlier, key, None))}
        for key, value in kept.items():
            if given[key] not in ("", value):
                self.say(written, "ignored", f"{key} {given[key]!r}: another entry of it has {value!r}")
        return replace(package, **kept)

    def wheel(self, name: str, wheels: dict[str, PublishedWheel], entry: object, written: str) -> None:
        """Take one wheel, or say why not."""
        if not isinstance(entry, dict):
            self.say(f"{written}/{entry!r:.40}", "refused", "not a mapping")
            return
        where = f"{written}/{entry.get('filename', '?')}"
        if fault := _fault(name, entry):
            self.say(where, "refused", fault)
            return
        filename = entry["filename"]
        if filename in wheels:
            self.say(where, "refused", "the filename is in the list twice")
            return
        self.unknown(where, entry, _WHEEL_KEYS)
        tag = min(parse_wheel(filename).tags, key=str)
        digits = re.fullmatch(r"(?:cp|py)(\d)(\d*)", tag.interpreter)
        python = ".".join(filter(None, digits.groups())) if digits else ""
        date = self.date(where, entry.get("upload_date"))
        wheels[filename] = PublishedWheel(
            filename=filename,
            url=entry["url"],
            python_version=self.text(where, entry, "python_version", python),
            platform=self.text(where, entry, "platform", tag.platform),
            upload_date=date,
            sha256=entry["sha256"].lower(),
            size=size if isinstance(size := entry.get("size"), int) else 0,
            upload_time=f"{date}T00:00:00Z",
            requires_python=self.requires_python(where, entry),
            yanked=self.yanked(where, entry.get("yanked")),
        )

    def date(self, where: str, value: object) -> str:
        """Return an upload date as YYYY-MM-DD."""
        try:
            return datetime.fromisoformat(str(value)).date().isoformat()
        except ValueError:
            what = "no upload_date" if value in (None, "") else f"upload_date {value!r:.40} is not a date"
            self.say(where, "mended", f"{what}: taken as 1970-01-01")
            return "1970-01-01"

    def requires_python(self, where: str, entry: Mapping[str, object]) -> str | None:
        text = self.text(where, entry, "requires_python")
        try:
            SpecifierSet(text)
        except InvalidSpecifier:
            self.say(where, "ignored", f"requires_python {text!r:.40} is not a version specifier (PEP 440)")
            return None
        return text or None

    def yanked(self, where: str, value: object) -> str | None:
        """Return the reason for a yank, which may be empty; None for a wheel that is not yanked."""
        if value is None or value is False:
            return None
        if isinstance(value, str):
            return value
        if value is not True:
            self.say(where, "mended", f"yanked {value!r:.40} is neither true nor a reason: taken as yanked")
        return ""

    def registry(self) -> Registry:
        """Ask for the sizes of all wheels, and return what was accepted with them."""
        urls = {wheel.filename: wheel.url for wheels in self.wheels.values() for wheel in wheels.values()}
        ask = partial(_size, Fetcher(_CONNECTIONS))
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            sizes = dict(zip(urls, pool.map(ask, urls.values()), strict=True))
        registry = Registry()
        for name, package in self.packages.items():
            sized = []
            for filename, wheel in self.wheels[name].items():
                size, where = sizes[filename], f"{name}/{filename}"
                if isinstance(size, str):
                    self.say(where, "refused", f"its size is not known: {size}")
                elif wheel.size not in (0, size):
                    self.say(where, "refused", f"its entry says {wheel.size} bytes, and it has {size}")
                else:
                    sized.append(replace(wheel, size=size))
            registry = registry.with_package(name, replace(package, wheels=tuple(sized)))
        return registry


def _fault(name: str, entry: Mapping[str, Any]) -> str | None:
    """Return why a wheel's entry cannot be accepted, or None."""
    filename, url, digest = (entry.get(key) or "" for key in ("filename", "url", "sha256"))
    for key, value in (("filename", filename), ("url", url), ("sha256", digest)):
        if not isinstance(value, str):
            return f"its {key} is not text: {value!r:.40}"
    if fault := filename_fault(filename):
        return fault
    try:
        project = parse_wheel(filename).name
    except InvalidWheelFilename as error:
        return str(error)
    if project != name:
        return f"the filename is of {project}"
    fault = _url_fault(url)
    if fault or _SHA256.fullmatch(digest.lower()):
        return fault
    what = f"sha256 {digest!r:.20} is not 64 hexadecimal digits" if digest else "an empty sha256"
    return f"{what}: download it, check it and publish it with '{PROGRAM} upload'"


def _url_fault(url: str) -> str | None:
    try:
        parts = urlsplit(url)
        if has_secret(url):
            return "its url has a login or a secret in it, which would be on a page"
        absolute = parts.scheme in ("http", "https") and parts.hostname
    except ValueError:
        absolute = False
    if absolute:
        return None
    return f"url {url!r} is not an absolute http URL" if url else "it has no url"


def _size(fetcher: Fetcher, url: str) -> int | str:
    """Return a file's size in bytes as its server states it, or why that is not known."""
    try:
        size = fetcher.size(url)
    except OSError as problem:
        return f"{url}: {why(problem)}"
    return f"{url}: the server does not say its length" if size is None else size
