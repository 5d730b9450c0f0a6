"""``doctor``: whether a store, its index and the way there are in order. Every finding says the remedy."""

from __future__ import annotations

import hashlib
import io
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from workbench.errors import CommandFailed, StoreError, WorkbenchError
from workbench.index.draw import STATE, draw
from workbench.index.page import Page
from workbench.process import run
from workbench.publish.registry import current
from workbench.store.layout import FILES, INDEX, REGISTRY, headers, metadata_key, url

if TYPE_CHECKING:
    from collections.abc import Iterator

    import requests

    from workbench.registry.model import PublishedWheel, Registry
    from workbench.site import Site
    from workbench.store.protocol import Store
    from workbench.store.s3 import S3Store

SKEW_SECONDS = 300
CONNECTIONS = 8

Verdict = Literal["good", "bad", "untried"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The outcome of one check: what was looked at, what was found, and for a bad one what to do about it."""

    check: str
    verdict: Verdict
    what: str
    remedy: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the plain form, for JSON."""
        return asdict(self)


def doctor(site: Site, store: Store, *, deep: bool = False, installers: bool = True) -> tuple[Finding, ...]:
    """Check everything between a publisher's credentials and a user's pip; `deep` reads every file and hashes it.

    Nothing is changed, but for a probe that is gone afterwards. Never raises for what it finds.
    """
    findings: list[Finding] = []
    if store.folder is None:
        from workbench.store.s3 import S3Store

        assert isinstance(store, S3Store)  # noqa: S101 - the two kinds of store that there are
        findings += _bucket(store)
        if findings[0].verdict == "bad":
            return tuple(findings)
    try:
        registry = current(store)
    except WorkbenchError as error:
        return (
            *findings,
            Finding(check="registry", verdict="bad", what=str(error), remedy="invoke reconcile"),
        )
    findings += _agreement(site, store, registry, deep=deep)
    public_url = site.settings.public_url
    if public_url is None:
        findings.append(
            Finding(
                check="public URL",
                verdict="untried",
                what="there is none in the settings",
                remedy="set public_url in workbench.yaml, the URL under which the world finds the store's root",
            )
        )
        return tuple(findings)
    findings += _public(public_url, registry, deep=deep)
    if installers:
        findings += _installers(public_url, registry)
    return tuple(findings)


# ---------------------------------------------------------------- the bucket


def _bucket(store: S3Store) -> list[Finding]:
    from workbench.store.bucket import setup

    findings = _credentials(store)
    if findings[0].verdict == "bad":
        return findings
    try:
        broken = store.probe().ignores
        findings.append(
            _verdict(
                "conditional writes",
                broken,
                good="honoured",
                remedy="publish with --single-writer, and see that nobody else publishes here",
            )
        )
        for setting in setup(store):
            bad = setting.state != "there"
            findings.append(
                Finding(
                    check=setting.name,
                    verdict="untried" if setting.state == "refused" else "bad" if bad else "good",
                    what=setting.why or ("not as it should be" if bad else "as it should be"),
                    remedy="invoke store-setup shows what is missing, and --apply sets it" if bad else "",
                )
            )
    except StoreError as error:
        findings.append(
            Finding(check="bucket", verdict="bad", what=str(error), remedy="see the error itself")
        )
    return findings


def _credentials(store: S3Store) -> list[Finding]:
    """See that the credentials are taken, the bucket is there and in the region said, and the clocks agree."""
    from workbench.store.client import plainly

    try:
        next(store.entries(REGISTRY), None)
        with plainly(store.place):
            head = store.client.head_bucket(Bucket=store.settings.bucket)
    except StoreError as error:
        what, _, remedy = str(error).rpartition(": ")
        return [Finding(check="credentials and bucket", verdict="bad", what=what, remedy=remedy)]
    region = head.get("BucketRegion") or "region not told"
    good = Finding(check="credentials and bucket", verdict="good", what=f"{store.place}, {region}")
    return [good, _clock(head["ResponseMetadata"]["HTTPHeaders"].get("date"))]


def _clock(date: str | None) -> Finding:
    if date is None:
        return Finding(check="clock", verdict="untried", what="the store does not tell the time")
    skew = abs((datetime.now(UTC) - parsedate_to_datetime(date)).total_seconds())
    return _verdict(
        "clock",
        f"{skew:.0f} s off the store's" if skew > SKEW_SECONDS else None,
        good=f"within {skew:.0f} s of the store's",
        remedy="set this machine's clock: signatures fail at 15 minutes",
    )


# ---------------------------------------------------------------- registry, files and pages


def _agreement(site: Site, store: Store, registry: Registry, *, deep: bool) -> list[Finding]:
    ours = [(name, wheel) for name, wheel in registry.wheels() if wheel.url.startswith(FILES)]

    def look(wheel: PublishedWheel) -> str | None:
        problem = store.check(wheel.url, sha256=wheel.sha256, size=wheel.size, deep=deep)
        return f"{wheel.url} {problem}" if problem else None

    with ThreadPoolExecutor(store.streams) as pool:
        wrong = [problem for problem in pool.map(look, (wheel for _, wheel in ours)) if problem]
    there = {entry.key for entry in store.entries(FILES)}
    wrong += [
        f"{metadata_key(name, wheel.filename)} is not there"
        for name, wheel in ours
        if wheel.metadata_sha256 and metadata_key(name, wheel.filename) not in there
    ]
    document = store.read(REGISTRY)
    drawing = draw(io.BytesIO(document.content), site.settings) if document else ()

    def differs(page: Page) -> str | None:
        stored = store.read(INDEX + page.path)
        return None if stored is not None and stored.content == page.content else page.path

    with ThreadPoolExecutor(store.streams) as pool:
        pages = (page for page in drawing if isinstance(page, Page) and page.path != STATE)
        stale = [path for path in pool.map(differs, pages) if path]
    read = "read and hashed" if deep else "there, with the right sizes"
    return [
        _verdict(
            "files",
            "; ".join(wrong),
            good=f"{len(ours)} wheels {read}",
            remedy="invoke reconcile says what to do",
        ),
        _verdict(
            "pages",
            f"not drawn from generation {registry.generation}: {', '.join(stale[:5])}" if stale else None,
            good=f"drawn from generation {registry.generation}",
            remedy="invoke reconcile",
        ),
    ]


# ---------------------------------------------------------------- the world's side


def _public(public_url: str, registry: Registry, *, deep: bool) -> list[Finding]:
    """Look at the public URL as anybody does: no SDK, no credentials."""
    import requests

    simple = f"{public_url}/{INDEX}simple/"
    with requests.Session() as session, ThreadPoolExecutor(CONNECTIONS) as pool:
        findings = [
            _page(session, simple, "text/html", "public URL"),
            _page(
                session, f"{public_url}/{INDEX}simple-json/", "application/vnd.pypi.simple.v1+json", "JSON"
            ),
            _missing(session, f"{simple}no-such-project-is-here/"),
            _cors(session, simple),
        ]
        wheels = [wheel for _, wheel in registry.wheels()]
        looked = pool.map(lambda wheel: _wheel(session, public_url, wheel, deep=deep), wheels)
        wrong = [problem for problem in looked if problem]
    findings.append(
        _verdict(
            "published URLs",
            "; ".join(wrong),
            good=f"{len(wheels)} wheels answer" + (", with the right bytes" if deep else ""),
            remedy="invoke reconcile for what is missing; invoke store-setup for what is refused",
        )
    )
    return findings


def _page(session: requests.Session, address: str, content_type: str, check: str) -> Finding:
    with _answered() as problem:
        answer = session.get(address, timeout=30)
        found = answer.headers.get("Content-Type", "none")
        if answer.status_code != 200:  # noqa: PLR2004 - OK
            problem.append(f"{address} answers {answer.status_code}")
        elif found.partition(";")[0] != content_type:
            problem.append(f"{address} is served as {found}, not {content_type}")
    return _verdict(
        check,
        "; ".join(problem),
        good=f"{address} answers",
        remedy="public_url must lead to the store's root and be readable by everyone: invoke store-setup",
    )


def _missing(session: requests.Session, address: str) -> Finding:
    with _answered() as problem:
        status = session.get(address, timeout=30).status_code
        if status != 404:  # noqa: PLR2004 - Not Found
            problem.append(f"answers {status}, not 404: uv stops there instead of asking the next index")
    return _verdict(
        "a missing project",
        "; ".join(problem),
        good="is a 404",
        remedy="let everyone list the bucket: invoke store-setup --apply",
    )


def _cors(session: requests.Session, address: str) -> Finding:
    with _answered() as problem:
        answer = session.get(address, headers={"Origin": "https://example.com"}, timeout=30)
        if "Access-Control-Allow-Origin" not in answer.headers:
            problem.append("pages of other sites may not read the index")
    return _verdict(
        "CORS from outside", "; ".join(problem), good="allowed", remedy="invoke store-setup --apply"
    )


def _wheel(session: requests.Session, public_url: str, wheel: PublishedWheel, *, deep: bool) -> str | None:
    """Return what is wrong with one published URL: status, size, ranges, and with `deep` the bytes."""
    address = url(public_url, wheel.url) if wheel.url.startswith(FILES) else wheel.url
    with _answered() as problem:
        answer = session.head(address, timeout=30, allow_redirects=True)
        if answer.status_code != 200:  # noqa: PLR2004 - OK
            return f"{address} answers {answer.status_code}"
        size = answer.headers.get("Content-Length")
        if size != str(wheel.size):
            problem.append(f"{address} is {size} bytes long, not {wheel.size}")
        if answer.headers.get("Accept-Ranges") != "bytes":
            problem.append(f"{address} does not offer ranges, by which uv reads metadata without the wheel")
        expected = headers(wheel.url).cache_control
        if wheel.url.startswith(FILES) and answer.headers.get("Cache-Control", expected) != expected:
            problem.append(f"{address} is served with Cache-Control {answer.headers['Cache-Control']}")
        if deep:
            digest = hashlib.sha256()
            for chunk in session.get(address, timeout=300, stream=True).iter_content(1 << 20):
                digest.update(chunk)
            if digest.hexdigest() != wheel.sha256:
                problem.append(f"{address} has the sha256 {digest.hexdigest()}, not {wheel.sha256}")
    return "; ".join(problem) or None


@contextmanager
def _answered() -> Iterator[list[str]]:
    """Yield a list for problems; a server that does not answer is one more."""
    import requests

    problems: list[str] = []
    try:
        yield problems
    except requests.RequestException as error:
        problems.append(f"no answer ({type(error).__name__})")


def _installers(public_url: str, registry: Registry) -> list[Finding]:
    """Let pip and uv resolve and fetch one wheel for this machine from the index, as a user's would."""
    wheel = _for_this_machine(registry)
    if wheel is None:
        return [
            Finding(
                check="pip and uv",
                verdict="untried",
                what="no published wheel runs on this Python and machine",
            )
        ]
    from packaging.utils import parse_wheel_filename

    name, version, _, _ = parse_wheel_filename(wheel.filename)
    index = f"{public_url}/{INDEX}simple/"
    findings = []
    with tempfile.TemporaryDirectory(prefix="workbench-doctor-") as folder:
        pin = Path(folder) / "requirements.txt"
        pin.write_text(f"{name}=={version} --hash=sha256:{wheel.sha256}\n")
        options: list[str | Path] = [
            "--no-deps",
            "--require-hashes",
            "--target",
            Path(folder) / "site",
            "-r",
            pin,
        ]
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-cache-dir", "--index-url", index]
        uv = [
            "uv",
            "pip",
            "install",
            "--quiet",
            "--no-cache",
            "--python",
            sys.executable,
            "--default-index",
            index,
        ]
        commands = (("pip", [*pip, *options]), ("uv", [*uv, *options]))
        for installer, command in commands:
            try:
                run(command)
                problem = None
            except CommandFailed as error:
                problem = str(error)
            findings.append(
                _verdict(
                    installer, problem, good=f"installs {wheel.filename}", remedy="the output above says why"
                )
            )
    return findings


def _for_this_machine(registry: Registry) -> PublishedWheel | None:
    from packaging.tags import sys_tags
    from packaging.utils import parse_wheel_filename

    mine = frozenset(sys_tags())
    fitting = (
        wheel
        for _, wheel in registry.wheels()
        if wheel.yanked is None and parse_wheel_filename(wheel.filename)[3] & mine
    )
    return min(fitting, key=lambda wheel: wheel.size, default=None)


def _verdict(check: str, problem: str | None, *, good: str, remedy: str) -> Finding:
    if problem:
        return Finding(check=check, verdict="bad", what=problem, remedy=remedy)
    return Finding(check=check, verdict="good", what=good)
