"""The world's side of ``doctor``: the public URL as anybody sees it, with no SDK and no credentials, and pip and uv."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.care.diagnosis import Diagnosis, bad, finding, untried
from workbench.certificates import trust_variables
from workbench.errors import CommandFailed
from workbench.files import temporary
from workbench.http import AS_IT_LIES, NoAnswer, Web
from workbench.paths import PROGRAM
from workbench.process import run
from workbench.publish.wheel_files import is_ours, proofs
from workbench.simple import JSON
from workbench.store.layout import INDEX, SIMPLE, headers, url
from workbench.text import counted
from workbench.wheel.filename import parse_wheel
from workbench.wheel.serves import Audience, Machine

if TYPE_CHECKING:
    from workbench.registry.model import PublishedWheel, Registry

_CONNECTIONS = 8
NOT_FOUND = 404
_LEADS = (
    f"public_url must lead to the store's root, and everyone must be able to read it: {PROGRAM} store.setup"
)


def examine_public(
    public_url: str, registry: Registry, *, deep: bool, installers: bool
) -> Iterator[Diagnosis]:
    """Yield what is found at a public URL. Where it leads nowhere, that is all there is to say."""
    simple, web = f"{public_url}/{SIMPLE}", Web(_CONNECTIONS)
    front = _page(web, simple, "text/html", check="public URL")
    yield front
    if front.verdict == "bad":
        for check in ("published URLs", "pip and uv"):
            yield untried(check, "the public URL does not lead to the index")
        return
    yield _page(web, f"{public_url}/{INDEX}simple-json/", JSON, check="JSON")
    missing = f"{simple}no-such-project-is-here/"
    remedy = f"let everyone list the bucket: {PROGRAM} store.setup --apply"
    yield finding("a missing project", _told(missing, _missing(web, missing)), good="is a 404", remedy=remedy)
    remedy = f"{PROGRAM} store.setup --apply"
    yield finding("CORS from outside", _told(simple, _cors(web, simple)), good="allowed", remedy=remedy)
    yield _wheels(web, public_url, registry, deep=deep)
    if installers:
        yield from _installers(simple, registry)


def _told(address: str, found: Iterator[str]) -> list[str]:
    """Return the problems that are found at an address; that there is no answer is one."""
    problems: list[str] = []
    try:
        problems.extend(found)
    except NoAnswer as problem:
        problems.append(f"{address}: {problem}")
    return problems


def _page(web: Web, address: str, content_type: str, *, check: str) -> Diagnosis:
    def look() -> Iterator[str]:
        with web.ask(address) as answer:
            found = answer.headers.get("Content-Type", "nothing")
        if found.partition(";")[0] != content_type:
            yield f"{address} is served as {found}, not {content_type}"

    return finding(check, _told(address, look()), good=f"{address} answers", remedy=_LEADS)


def _missing(web: Web, address: str) -> Iterator[str]:
    with web.ask(address, any_status=True) as answer:
        if answer.status != NOT_FOUND:
            yield f"answers {answer.status}, not 404: uv stops there instead of asking the next index"


def _cors(web: Web, address: str) -> Iterator[str]:
    with web.ask(address, headers={"Origin": "https://example.com"}) as answer:
        if "Access-Control-Allow-Origin" not in answer.headers:
            yield "pages of other sites may not read the index"


def _wheels(web: Web, public_url: str, registry: Registry, *, deep: bool) -> Diagnosis:
    def look(named: tuple[str, PublishedWheel]) -> list[str]:
        project, wheel = named
        if is_ours(wheel):
            address = url(public_url, wheel.url)
            return _told(address, _wheel(web, address, wheel, deep=deep))
        # who serves the wheel does not serve what proves it
        texts = (url(public_url, key) for key in proofs(project, wheel))
        return [
            *_told(wheel.url, _wheel(web, wheel.url, wheel, deep=deep)),
            *chain.from_iterable(_told(each, _proof(web, each)) for each in texts),
        ]

    wheels = list(registry.wheels())
    with ThreadPoolExecutor(_CONNECTIONS) as pool:
        problems = list(chain.from_iterable(pool.map(look, wheels)))
    return finding(
        "published URLs",
        problems,
        good=f"{counted(len(wheels), 'wheel')} can be fetched" + (", with the right bytes" if deep else ""),
        remedy=f"where the files themselves are in order, what serves them is not: {PROGRAM} store.setup, or the CDN's "
        "own settings; where a branch is served, push what --commit commits",
    )


def _proof(web: Web, address: str) -> Iterator[str]:
    """Find nothing wrong with a text that is there: `Web.ask` tells of one that is not."""
    with web.ask(address, method="HEAD", headers=AS_IT_LIES):
        yield from ()


def _wheel(web: Web, address: str, wheel: PublishedWheel, *, deep: bool) -> Iterator[str]:
    """Yield what is wrong with one published URL: status, size, ranges, headers, and with `deep` the bytes."""
    with web.ask(address, method="HEAD", headers=AS_IT_LIES) as answer:
        size, served = answer.length, answer.headers
    if size != wheel.size:
        yield f"{address} is {size} bytes long, not {wheel.size}"
    if served.get("Accept-Ranges") != "bytes":
        yield f"{address} does not offer ranges, by which uv reads metadata without the wheel"
    expected = headers(wheel.url).cache_control
    if is_ours(wheel) and served.get("Cache-Control", expected) != expected:
        yield f"{address} is served with Cache-Control {served['Cache-Control']}"
    if deep:
        with web.ask(address, headers=AS_IT_LIES) as answer:
            digest = hashlib.sha256()
            for chunk in answer.chunks():
                digest.update(chunk)
        if digest.hexdigest() != wheel.sha256:
            yield f"{address} has the sha256 {digest.hexdigest()}, not {wheel.sha256}"


def _installers(index: str, registry: Registry) -> Iterator[Diagnosis]:
    """Let pip and uv resolve and fetch one wheel for this machine from the index, as a user's would."""
    wheel = _for_this_machine(registry)
    if wheel is None:
        yield untried("pip and uv", "no published wheel runs on this Python and machine")
        return
    parsed = parse_wheel(wheel.filename)
    with temporary() as folder:
        pin = folder / "requirements.txt"
        pin.write_text(f"{parsed.name}=={parsed.version} --hash=sha256:{wheel.sha256}\n")
        target = folder / "site"
        into: list[str | Path] = ["--no-deps", "--require-hashes", "--target", target, "-r", pin]
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-cache-dir", "--index-url", index]
        uv = ["uv", "pip", "install", "--quiet", "--no-cache", "--python", sys.executable]
        commands = {"pip": [*pip, *into], "uv": [*uv, "--default-index", index, *into]}
        for installer, command in commands.items():
            try:
                run(command, env=trust_variables())
            except CommandFailed as error:
                yield bad(installer, error, f"{PROGRAM} check-index {index} says what installers do not take")
            else:
                yield Diagnosis(check=installer, verdict="good", what=f"installs {wheel.filename}")


def _for_this_machine(registry: Registry) -> PublishedWheel | None:
    here = Machine.here()
    fitting = (
        wheel
        for _, wheel in registry.wheels()
        if wheel.yanked is None and Audience.of(wheel.filename, wheel.requires_python).serves(here)
    )
    return min(fitting, key=lambda wheel: wheel.size, default=None)
