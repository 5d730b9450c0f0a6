"""What a source says of itself without being built, by the names of core metadata (PEP 566, 639, 794)."""

from __future__ import annotations

import configparser
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from workbench.source.quote import Quote, text_of

if TYPE_CHECKING:
    from workbench.source.setup_script import Scripts

_FIELD = re.compile(r"([A-Za-z][A-Za-z-]*):\s*(.*\S)")
_NOTHING = ("UNKNOWN", "None", "")
_PACKAGE_DOTS = re.compile(r"[A-Za-z_]\w*")
_NOT_THE_PACKAGE = re.compile(r"(?i)(tests?|docs?|examples?|benchmarks?|scripts?|tools?|build\w*|csrc)$")

WRITTEN = ("pyproject.toml", "setup.cfg", "setup.py")
"""The files in which people write what core metadata is made from."""

_LEGACY = "setuptools.build_meta:__legacy__"
"""The backend of a source that names none (PEP 517)."""

Fields = dict[str, list[Quote]]


@dataclass(frozen=True, slots=True)
class Stated:
    """The fields that a source states, each as the first file that has it says: see `read_stated`."""

    fields: Mapping[str, tuple[Quote, ...]]

    def first(self, field: str) -> Quote | None:
        """Return a field's first value (``Requires-Python``), or None."""
        return next(iter(self.all(field)), None)

    def all(self, field: str) -> tuple[Quote, ...]:
        """Return a field's values (``Classifier``)."""
        return self.fields.get(field, ())

    @property
    def version(self) -> str | None:
        """The version, normalised (PEP 440); None where only a build works it out (setuptools-scm)."""
        for told in self.all("Version"):
            with suppress(InvalidVersion):
                return str(Version(told.text))
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildTable:
    """A source's ``[build-system]`` (PEP 518), as it is written; `where` it stands, None where it is the default."""

    requires: tuple[str, ...] = ("setuptools>=40.8.0",)
    backend: str = _LEGACY
    where: str | None = None

    def has(self, project: str) -> bool:
        """Say whether a project is among what the build requires."""
        return any(re.match(rf"(?i){project}(?![\w.-])", each.strip()) for each in self.requires)


def read_stated(tree: Path, scripts: Scripts, *, written_first: bool = False) -> Stated:
    """Return what an unpacked source states; `scripts` is what its ``setup.py`` says.

    PKG-INFO counts most, then pyproject.toml, setup.cfg and setup.py. In a checkout, and with `written_first`, it is
    the last: nobody writes that of a repository anew, nor does a patch.
    """
    project = _read_toml(tree / "pyproject.toml").get("project")
    texts = {name: text_of(tree / name) for name in ("PKG-INFO", "setup.cfg", "pyproject.toml")}
    written = (
        _project(project if isinstance(project, dict) else {}, texts["pyproject.toml"]),
        _setup_cfg(texts["setup.cfg"]),
        _keywords(scripts.keywords),
    )
    made = _pkg_info(texts["PKG-INFO"])
    readers = (*written, made) if written_first or (tree / ".git").exists() else (made, *written)
    fields: dict[str, tuple[Quote, ...]] = {}
    for found in readers:
        for name, values in found.items():
            told = tuple(each for each in values if each.text not in _NOTHING)
            if told:
                fields.setdefault(name, told)
    return Stated(fields)


def read_build_system(tree: Path) -> BuildTable:
    """Return a source's ``[build-system]``, as far as it is what PEP 518 says."""
    path = tree / "pyproject.toml"
    system = _read_toml(path).get("build-system")
    if not isinstance(system, dict) or not isinstance(requires := system.get("requires"), list):
        return BuildTable()
    where = f"pyproject.toml:{_line(text_of(path), r'requires *=')}"
    backend = system.get("build-backend")
    return BuildTable(
        requires=tuple(map(str, requires)),
        backend=backend if isinstance(backend, str) else _LEGACY,
        where=where,
    )


def import_names(tree: Path, name: str, stated: Stated, scripts: Scripts) -> tuple[Quote, ...]:
    """Return the packages and modules that a source says it provides, or that lie where backends look for them.

    `name` is the project's; where nothing is said, a folder or a file of its name is looked for, or else the
    packages below ``src``, or the only one that is there. Empty where nothing tells.
    """
    if told := stated.all("Import-Name"):
        return told
    listed = [
        Quote(line.strip(), f"{path.relative_to(tree)}")
        for path in sorted(tree.glob("*.egg-info/top_level.txt"))
        for line in text_of(path).splitlines()
        if _PACKAGE_DOTS.fullmatch(line.strip())
    ]
    listed = listed or [each for each in scripts.packages if "." not in each.text] or _wheel_packages(tree)
    own = [each for each in listed if not each.text.startswith("_") and not _NOT_THE_PACKAGE.match(each.text)]
    if own:
        # a folder that is no package of the project's may lie beside it: where one has its name, that is the one
        named = [each for each in own if canonicalize_name(each.text) == canonicalize_name(name)]
        return tuple(named or own)
    found = [*_importable(tree)]
    named = [each for each in found if canonicalize_name(each.text) == canonicalize_name(name)]
    packages = {
        each.text: each
        for each in reversed(found)
        if "/__init__." in each.where and not _NOT_THE_PACKAGE.match(each.text)
    }
    # all below src/ are the project's; what stands beside setup.py may be anything
    below = [each for each in packages.values() if each.where.count("/") > 1]
    only = [*packages.values()] if len(packages) == 1 else []
    return tuple(named[:1] or sorted(below, key=lambda each: each.text) or only)


def _importable(tree: Path) -> Iterator[Quote]:
    """Yield the packages and modules where backends look for them: of packages those with stubs alone too."""
    maturin: Any = _read_toml(tree / "pyproject.toml")
    for key in ("tool", "maturin", "python-source"):
        maturin = maturin.get(key) if isinstance(maturin, dict) else None
    folders = [".", "src", "python", "lib"]
    if isinstance(maturin, str) and not {"..", "/"} & {*PurePosixPath(maturin).parts}:
        folders.append(maturin)
    for pattern in ("*/__init__.py*", "*.py*"):
        for folder in folders:
            for path in sorted((tree / folder).glob(pattern)):
                module = path.parent.name if "/" in pattern else path.stem
                if path.suffix in (".py", ".pyx", ".pyi") and module.isidentifier():
                    yield Quote(module, path.relative_to(tree).as_posix())


def _wheel_packages(tree: Path) -> list[Quote]:
    """Return the packages that scikit-build-core is told of (``tool.scikit-build.wheel.packages``)."""
    path = tree / "pyproject.toml"
    found: Any = _read_toml(path)
    for key in ("tool", "scikit-build", "wheel", "packages"):
        found = found.get(key) if isinstance(found, dict) else None
    where = f"pyproject.toml:{_line(text_of(path), r'(wheel[.])?packages *=')}"
    return [Quote(str(each).rpartition("/")[2], where) for each in found] if isinstance(found, list) else []


def _read_toml(path: Path) -> dict[str, Any]:
    """Return a TOML file's content; nothing where it is not there, or not TOML."""
    try:
        return tomllib.loads(text_of(path))
    except tomllib.TOMLDecodeError:
        return {}


def _line(text: str, pattern: str) -> int:
    """Return the line on which a key stands."""
    found = re.search(rf"^[ \t]*{pattern}", text, re.MULTILINE)
    return text.count("\n", 0, found.start()) + 1 if found else 1


def _pkg_info(text: str) -> Fields:
    fields: Fields = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            break
        if found := _FIELD.fullmatch(line):
            fields.setdefault(found[1], []).append(Quote(found[2], f"PKG-INFO:{number}"))
    return fields


_OF_PROJECT = {
    "name": "Name",
    "version": "Version",
    "description": "Summary",
    "requires-python": "Requires-Python",
}


def _project(table: dict[str, Any], text: str) -> Fields:
    """Read ``[project]`` (PEP 621, 639, 794)."""

    def told(key: str, value: object) -> Quote:
        return Quote(str(value), f"pyproject.toml:{_line(text, re.escape(key) + ' *=')}")

    fields: Fields = {
        field: [told(key, table[key])]
        for key, field in _OF_PROJECT.items()
        if isinstance(table.get(key), str)
    }
    licence = table.get("license")
    if isinstance(licence, str):
        fields["License-Expression"] = [told("license", licence)]
    elif isinstance(licence, dict) and isinstance(licence.get("text"), str):
        fields["License"] = [told("license", licence["text"])]
    for key, field in (
        ("classifiers", "Classifier"),
        ("import-names", "Import-Name"),
        ("dependencies", "Requires-Dist"),
    ):
        if isinstance(values := table.get(key), list):
            fields[field] = [told(key, value) for value in values]
    if isinstance(urls := table.get("urls"), dict):
        fields["Project-URL"] = [told(label, f"{label}, {url}") for label, url in urls.items()]
    return fields


_OF_SETUP_CFG = {
    "name": "Name",
    "version": "Version",
    "description": "Summary",
    "license": "License",
    "url": "Home-page",
    "classifiers": "Classifier",
}


def _setup_cfg(text: str) -> Fields:
    """Read setuptools' ``[metadata]`` and ``[options]``; ``attr:`` and ``file:`` say nothing by themselves."""
    parser = configparser.RawConfigParser(strict=False)
    with suppress(configparser.Error):
        parser.read_string(text)
    found = [("metadata", key, field) for key, field in _OF_SETUP_CFG.items()]
    fields: Fields = {}
    for section, key, field in (*found, ("options", "python_requires", "Requires-Python")):
        value = parser.get(section, key, fallback="")
        if value and not re.match(r"(attr|file)\s*:", value):
            where = f"setup.cfg:{_line(text, re.escape(key) + ' *[=:]')}"
            fields[field] = [Quote(line.strip(), where) for line in value.splitlines() if line.strip()]
    return fields


_OF_SETUP = {
    "name": "Name",
    "version": "Version",
    "description": "Summary",
    "license": "License",
    "url": "Home-page",
    "python_requires": "Requires-Python",
}


def _keywords(keywords: Mapping[str, Quote]) -> Fields:
    return {field: [keywords[key]] for key, field in _OF_SETUP.items() if key in keywords}


def homepage(stated: Stated) -> Quote | None:
    """Return the URL of the project: its repository where that is told, else its home page."""
    urls = dict(_urls(stated.all("Project-URL")))
    for label in (
        "repository",
        "source",
        "source code",
        "sourcecode",
        "github",
        "homepage",
        "home-page",
        "home",
    ):
        if label in urls:
            return urls[label]
    return stated.first("Home-page") or next(iter(urls.values()), None)


def _urls(told: Iterable[Quote]) -> Iterable[tuple[str, Quote]]:
    for each in told:
        label, comma, url = each.text.partition(",")
        if comma:
            yield label.strip().lower(), Quote(url.strip(), each.where)
