"""Sources of wheels: what each is, for which packages, and at which addresses it lists them for a host."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal
from urllib.parse import urljoin

from packaging.utils import canonicalize_name

from workbench.consume.cuda import cuda_major
from workbench.consume.offer import Hints
from workbench.errors import UsageError
from workbench.text import minor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from workbench.consume.host import Host

Kind = Literal["index", "github", "links", "folder"]

HOLDERS = ("cuda", "cuda_digits", "cuda_major", "torch", "torch_minor", "torch_packed")
"""What may stand in braces in a source's address: cu130, 130, 13; 2.11.0, 2.11, 2110."""

_MOST_PLACES = 200
"""Addresses that one source may have for one package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelSource:
    """A place that lists wheels.

    `url` is an index's root (its ``simple/``), a page of links, the first page of a repository's releases, or a
    folder's ``file:`` URL. It has no login: that is `login`, ``user:password``. Those of indexes and pages may have
    the names of `HOLDERS` in braces; `cudas` (``cu130``) and `torches` (``2.11.0``) are the folders that are known.
    `packages` are normalised names, none for any package; `filed_as` has the name under which a package's files are,
    where it is another. `missing` are statuses that the server has for a page that does not exist, besides 404.
    `registry` is the file or URL that names the source. `own` is for those of the user's own files, and
    `takes_token` for those of them that ``GPUWHEELS_TOKEN`` may be sent to.
    """

    name: str
    kind: Kind
    url: str
    packages: tuple[str, ...] = ()
    filed_as: Mapping[str, str] = field(default_factory=dict)
    about: str = ""
    hints: Hints = field(default_factory=Hints)
    cudas: tuple[str, ...] = ()
    torches: tuple[str, ...] = ()
    missing: tuple[int, ...] = ()
    registry: str = ""
    own: bool = False
    takes_token: bool = False
    login: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One address of a source, for one package: what is listed there is built for what `hints` say."""

    source: WheelSource
    url: str
    hints: Hints


def sources_for(project: str, sources: Iterable[WheelSource]) -> tuple[WheelSource, ...]:
    """Return the sources that may have a package, in their order.

    Where one of the user's own names the package, others' that are for any package are left out: a public package of
    the same name is something else.
    """
    name = canonicalize_name(project)
    every = tuple(each for each in sources if not each.packages or name in each.packages)
    ours = any(each.own and each.packages for each in every)
    return tuple(each for each in every if each.packages or each.own or not ours)


def name_of_files(source: WheelSource, project: str) -> str:
    """Return the normalised name that a package's files have at a source."""
    name = canonicalize_name(project)
    return canonicalize_name(source.filed_as.get(name, name))


def places(source: WheelSource, project: str, host: Host, *, everywhere: bool = False) -> tuple[Place, ...]:
    """Return the addresses at which a source lists a package for a host; with `everywhere`, all that are known.

    A host's CUDA comes first, then the source's others of the same major version. Raises UsageError where the host
    lacks a fact that the address needs, and the source does not say which folders it has.
    """
    holders = set(re.findall(r"{(\w+)}", source.url))
    by_cuda = any(each.startswith("cuda") for each in holders)
    by_torch = any(each.startswith("torch") for each in holders)
    cudas = _cudas(source, host, everywhere=everywhere) if by_cuda else ("",)
    torches = _torches(source, host, everywhere=everywhere) if by_torch else ("",)
    found: dict[str, Place] = {}
    for cuda in cudas:
        for torch in torches:
            url = _filled(source.url, cuda, torch)
            if source.kind == "index":
                url = urljoin(f"{url.rstrip('/')}/", f"{name_of_files(source, project)}/")
            hints = Hints(
                compute=cuda or source.hints.compute,
                torch=minor(torch) or source.hints.torch,
                packing=source.hints.packing,
            )
            found.setdefault(url, Place(source=source, url=url, hints=hints))
    if len(found) > _MOST_PLACES:
        raise UsageError(
            f"{source.name}: {len(found)} addresses for {project}, and {_MOST_PLACES} is the most"
        )
    return tuple(found.values())


def index_root(source: WheelSource, hints: Hints, host: Host) -> str:
    """Return the root of an index as installers take it, in the folder that `hints` are of; "" for what is none."""
    if source.kind != "index":
        return ""
    torch = next(iter(_torches(source, host, everywhere=False)), "") if "{torch" in source.url else ""
    return f"{_filled(source.url, hints.compute, torch).rstrip('/')}/"


def _cudas(source: WheelSource, host: Host, *, everywhere: bool) -> tuple[str, ...]:
    if everywhere and source.cudas:
        return source.cudas
    if host.compute:
        major = cuda_major(host.compute)
        return (host.compute, *(each for each in source.cudas if major and cuda_major(each) == major))
    newest = (host.driver_cuda or "").partition(".")[0]
    known = source.cudas
    if newest.isdigit():
        known = tuple(each for each in known if cuda_major(each) <= int(newest))
        known = known or (f"cu{(host.driver_cuda or '').replace('.', '')}",)
    if not known:
        raise UsageError(f"{source.name}: its folders are by CUDA, and none is known: name one with --cuda")
    return known


def _torches(source: WheelSource, host: Host, *, everywhere: bool) -> tuple[str, ...]:
    """Return releases of torch in full: the host's, and the first of its minor release, or those that are known."""
    if everywhere and source.torches:
        return source.torches
    if host.torch:
        major, minor, patch = (*re.findall(r"\d+", host.torch), "0", "0")[:3]
        return tuple(dict.fromkeys((f"{major}.{minor}.{patch}", f"{major}.{minor}.0")))
    if not source.torches:
        raise UsageError(f"{source.name}: its folders are by torch, and none is known: name one with --torch")
    return source.torches


def _filled(url: str, cuda: str, torch: str) -> str:
    digits = cuda.removeprefix("cu")
    values = {
        "cuda": cuda,
        "cuda_digits": digits,
        "cuda_major": digits[:-1],
        "torch": torch,
        "torch_minor": minor(torch),
        "torch_packed": torch.replace(".", ""),
    }
    return re.sub(r"{(\w+)}", lambda holder: values[holder[1]], url)
