"""The world's side of ``doctor``: the public URL as anybody sees it, with no SDK and no credentials, and pip and uv."""

from __future__ import annotations

import hashlib
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import requests

from workbench.care.findings import Finding, finding, untried
from workbench.errors import CommandFailed
from workbench.process import run
from workbench.publish.files import is_ours
from workbench.store.layout import INDEX, headers, url
from workbench.wheel.filename import label

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.registry.model import PublishedWheel, Registry

CONNECTIONS = 8
SECONDS = 30
OK, NOT_FOUND = 200, 404
LEADS = "public_url must lead to the store's root, and everyone must be able to read it: invoke store-setup"


def examine_world(public_url: str, registry: Registry, *, deep: bool, installers: bool) -> Iterator[Finding]:
    """Yield what is found at a public URL. Where it leads nowhere, that is all there is to say."""
    simple = f"{public_url}/{INDEX}simple/"
    with requests.Session() as session:
        front = _page(session, simple, "text/html", check="public URL")
        yield front
        if front.verdict == "bad":
            for check in ("published URLs", "pip and uv"):
                yield untried(check, "the public URL does not lead to the index")
            return
        json = f"{public_url}/{INDEX}simple-json/"
        yield _page(session, json, "application/vnd.pypi.simple.v1+json", check="JSON")
        yield _missing(session, f"{simple}no-such-project-is-here/")
        yield _cors(session, simple)
        yield _wheels(session, public_url, registry, deep=deep)
    if installers:
        yield from _installers(simple, registry)


def _page(session: requests.Session, address: str, content_type: str, *, check: str) -> Finding:
    problems = []
    try:
        answer = session.get(address, timeout=SECONDS)
        found = answer.headers.get("Content-Type", "nothing")
        if answer.status_code != OK:
            problems.append(f"{address} answers {answer.status_code}")
        elif found.partition(";")[0] != content_type:
            problems.append(f"{address} is served as {found}, not {content_type}")
    except requests.RequestException as error:
        problems.append(_no_answer(address, error))
    return finding(check, problems, good=f"{address} answers", remedy=LEADS)


def _missing(session: requests.Session, address: str) -> Finding:
    problems = []
    try:
        status = session.get(address, timeout=SECONDS).status_code
        if status != NOT_FOUND:
            problems.append(f"answers {status}, not 404: uv stops there instead of asking the next index")
    except requests.RequestException as error:
        problems.append(_no_answer(address, error))
    return finding(
        "a missing project",
        problems,
        good="is a 404",
        remedy="let everyone list the bucket: invoke store-setup --apply",
    )


def _cors(session: requests.Session, address: str) -> Finding:
    problems = []
    try:
        answer = session.get(address, headers={"Origin": "https://example.com"}, timeout=SECONDS)
        if "Access-Control-Allow-Origin" not in answer.headers:
            problems.append("pages of other sites may not read the index")
    except requests.RequestException as error:
        problems.append(_no_answer(address, error))
    return finding("CORS from outside", problems, good="allowed", remedy="invoke store-setup --apply")


def _wheels(session: requests.Session, public_url: str, registry: Registry, *, deep: bool) -> Finding:
    wheels = [wheel for _, wheel in registry.wheels()]
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        looked = pool.map(lambda wheel: _wheel(session, public_url, wheel, deep=deep), wheels)
        problems = [problem for found in looked for problem in found]
    return finding(
        "published URLs",
        problems,
        good=f"{len(wheels)} wheels answer" + (", with the right bytes" if deep else ""),
        remedy="where the files themselves are in order, what serves them is not: invoke store-setup, or the CDN's "
        "own settings",
    )


def _wheel(session: requests.Session, public_url: str, wheel: PublishedWheel, *, deep: bool) -> list[str]:
    """Return what is wrong with one published URL: status, size, ranges, headers, and with `deep` the bytes."""
    address = url(public_url, wheel.url) if is_ours(wheel) else wheel.url
    problems = []
    try:
        answer = session.head(address, timeout=SECONDS, allow_redirects=True)
        if answer.status_code != OK:
            return [f"{address} answers {answer.status_code}"]
        size = answer.headers.get("Content-Length")
        if size != str(wheel.size):
            problems.append(f"{address} is {size} bytes long, not {wheel.size}")
        if answer.headers.get("Accept-Ranges") != "bytes":
            problems.append(f"{address} does not offer ranges, by which uv reads metadata without the wheel")
        expected = headers(wheel.url).cache_control
        if is_ours(wheel) and answer.headers.get("Cache-Control", expected) != expected:
            problems.append(f"{address} is served with Cache-Control {answer.headers['Cache-Control']}")
        if deep:
            digest = hashlib.sha256()
            with session.get(address, timeout=10 * SECONDS, stream=True) as body:
                for chunk in body.iter_content(1 << 20):
                    digest.update(chunk)
            if digest.hexdigest() != wheel.sha256:
                problems.append(f"{address} has the sha256 {digest.hexdigest()}, not {wheel.sha256}")
    except requests.RequestException as error:
        problems.append(_no_answer(address, error))
    return problems


def _no_answer(address: str, error: requests.RequestException) -> str:
    return f"{address} does not answer ({type(error).__name__})"


def _installers(index: str, registry: Registry) -> Iterator[Finding]:
    """Let pip and uv resolve and fetch one wheel for this machine from the index, as a user's would."""
    wheel = _for_this_machine(registry)
    if wheel is None:
        yield untried("pip and uv", "no published wheel runs on this Python and machine")
        return
    from packaging.utils import parse_wheel_filename

    name, version, _, _ = parse_wheel_filename(wheel.filename)
    with tempfile.TemporaryDirectory(prefix="workbench-doctor-") as folder:
        pin = Path(folder) / "requirements.txt"
        pin.write_text(f"{name}=={version} --hash=sha256:{wheel.sha256}\n")
        into: list[str | Path] = [
            "--no-deps",
            "--require-hashes",
            "--target",
            Path(folder) / "site",
            "-r",
            pin,
        ]
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-cache-dir", "--index-url", index]
        uv = ["uv", "pip", "install", "--quiet", "--no-cache", "--python", sys.executable]
        commands = {"pip": [*pip, *into], "uv": [*uv, "--default-index", index, *into]}
        for installer, command in commands.items():
            problems = []
            try:
                run(command)
            except CommandFailed as error:
                problems.append(str(error))
            yield finding(
                installer,
                problems,
                good=f"installs {wheel.filename}",
                remedy=f"invoke check-index {index} says what installers do not take",
            )


def _for_this_machine(registry: Registry) -> PublishedWheel | None:
    from packaging.tags import sys_tags
    from packaging.utils import parse_wheel_filename

    mine = frozenset(sys_tags())
    fitting = (
        wheel
        for _, wheel in registry.wheels()
        if wheel.yanked is None
        and label(wheel.filename) is None  # installers pass over the others
        and parse_wheel_filename(wheel.filename)[3] & mine
    )
    return min(fitting, key=lambda wheel: wheel.size, default=None)
