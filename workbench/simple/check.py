"""``check-index``: any simple index, ours or another's, against the standards and against what installers accept.

It goes from the root to each project's page, each file and its metadata file. ``judge_page`` and ``judge_file`` judge
what a page says; here is what only shows by asking. ``tests/index/test_claims.py`` tries on pip and uv what is said of
them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from urllib.parse import unquote, urljoin, urlsplit

from packaging.utils import canonicalize_name

from workbench.errors import IndexFault, UsageError
from workbench.events import step
from workbench.simple.fetch import Fetcher, why
from workbench.simple.finding import bounded, error, warning
from workbench.simple.judge_file import PIP_HASHES, called, project_of
from workbench.simple.judge_page import astray, judge_project, judge_root, projects, read

if TYPE_CHECKING:
    from workbench.simple.fetch import Fetched
    from workbench.simple.finding import IndexFinding
    from workbench.simple.listing import Link, Listing

T = TypeVar("T")
R = TypeVar("R")

STREAMS = 8
"""Requests under way at once."""

_NAME = re.compile(rb"^Name:[ \t]*([^\r\n]{1,255})", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexReport:
    """The address of an index, how many projects and files it lists, and what is wrong with it."""

    where: str
    projects: int
    files: int
    findings: tuple[IndexFinding, ...]

    @property
    def errors(self) -> int:
        """How many findings are errors."""
        return sum(finding.severity == "error" for finding in self.findings)


class _Page(NamedTuple):
    """A project's page: where it came from in the end, what is wrong with it, and the files that it lists."""

    url: str
    findings: Sequence[IndexFinding]
    files: Sequence[Link] = ()


def check_index(where: str, *, hashes: bool = False) -> IndexReport:
    """Check the index whose root (its ``simple/``) is at a URL or in a folder, or the one project's page there.

    Every project's page is read, every file asked for, every metadata file fetched and hashed; `hashes` fetches and
    hashes the files as well. Raises UsageError for what is not an address, IndexFault where there is no index.
    """
    address = _address(where)
    fetcher = Fetcher(STREAMS)
    root, findings, listing = _open(fetcher, address)
    with ThreadPoolExecutor(STREAMS) as pool:
        if not listing.is_root:
            found = [*findings, *_judge_alone(listing, root.url)]
            pages = [_Page(root.url, bounded(found, root.url), listing.files)]
            findings = []
        else:
            found = [*findings, *judge_root(listing, root.url)]
            found = [warning(each.where, each.what) for each in found]  # installers never read a root
            findings = bounded(found, root.url)
            pages = _all(
                pool,
                lambda project: _read_project(fetcher, *project, address, root.url),
                projects(listing, root.url).items(),
                title="read the pages",
                unit="projects",
            )
        listed = [(link, page.url) for page in pages for link in page.files]
        looked = _all(
            pool,
            lambda file: list(_look_at(fetcher, *file, hashes=hashes)),
            listed,
            title="read the files" if hashes else "ask for the files",
            unit="files",
        )
    if not pages:
        findings.append(error(root.url, "lists no project: there was nothing to check"))
    for more in (*(page.findings for page in pages), *looked):
        findings += more
    return IndexReport(where=address, projects=len(pages), files=len(listed), findings=tuple(findings))


def _address(where: str) -> str:
    """Return the URL of a root, with a slash at the end. Raises UsageError."""
    if not re.match(r"https?://", where):
        if not Path(where).is_dir():
            raise UsageError(f"{where}: neither an http or https URL nor a folder")
        return f"{Path(where).resolve().as_uri()}/"
    try:
        login = urlsplit(where).username
    except ValueError as problem:
        raise UsageError(f"{where}: not a URL: {problem}") from problem
    if login is not None:
        raise UsageError(
            f"{where}: no user or password in a URL, which ends up in logs: "
            "put them into ~/.netrc, which pip and uv read as well"
        )
    return where if where.endswith("/") else f"{where}/"


def _open(fetcher: Fetcher, address: str) -> tuple[Fetched, list[IndexFinding], Listing]:
    """Read the page that the check begins with. Raises IndexFault."""
    with step(f"read {address}"):
        try:
            answer = fetcher.get(address)
        except OSError as problem:
            raise IndexFault(f"{address}: no index here: {why(problem)}") from problem
        findings, listing = read(answer)
        if listing is None:
            raise IndexFault(f"{address}: no index here: {findings[-1].what}")
        if not listing.links and listing.version is None:
            raise IndexFault(f"{address}: no index here: it lists nothing and names no API version")
    return answer, findings, listing


def _all(
    pool: ThreadPoolExecutor, work: Callable[[T], R], items: Collection[T], *, title: str, unit: str
) -> list[R]:
    """Do the work on all items, some at once, and show how far it is."""
    done = []
    with step(title, total=len(items), unit=unit) as advance:
        for one in pool.map(work, items):
            done.append(one)
            advance(1)
    return done


def _judge_alone(listing: Listing, url: str) -> Iterator[IndexFinding]:
    """Judge a page of files without its root: its address says whose it is."""
    name: str | None = canonicalize_name(unquote(urlsplit(url).path.rstrip("/").rpartition("/")[2]))
    if name not in (project_of(link.filename) for link in listing.files):
        yield warning(url, f"no file belongs to the project {name!r}: the page works only as --find-links")
        name = None
    yield from judge_project(listing, url, name)


def _read_project(fetcher: Fetcher, name: str, link: Link, *roots: str) -> _Page:
    """Read and judge a project's page where installers look: below the first of `roots`, not at `link`."""
    url = urljoin(roots[0], f"{name}/")
    wrong = astray(name, link, *roots)
    try:
        answer = fetcher.get(url)
    except OSError as problem:
        what = f"{name} is listed, but could not be downloaded: {why(problem)}"
        return _Page(url, [error(url, f"{what}; {wrong}" if wrong else what)])
    findings, listing = read(answer)
    if wrong:
        findings.append(warning(roots[-1], f"{name}: {wrong}"))
    if answer.url != url:
        findings.append(warning(url, f"redirects to {answer.url}: one more request each time"))
    if listing is None:
        return _Page(answer.url, findings)
    findings += judge_project(listing, answer.url, name)
    return _Page(answer.url, bounded(findings, answer.url), listing.files)


def _look_at(fetcher: Fetcher, link: Link, page: str, *, hashes: bool) -> Iterator[IndexFinding]:
    """Ask for a file that a page lists, and for its metadata file."""
    if link.url is None:
        return
    scheme = urlsplit(link.url).scheme
    if scheme not in ("http", "https") and not (scheme == "file" and page.startswith("file:")):
        # pip and uv would install a file of the user's own disk for a page of the web; this reads none
        yield error(page, f"{called(link)}: its URL {link.url} is not of http or https")
        return
    if scheme == "http" and page.startswith("https:"):
        yield warning(page, f"{called(link)}: the page goes by https, and its file by http")
    try:
        size = fetcher.size(link.url)
        wrong = []
        if hashes:
            promised = _known(link.hashes)
            wrong = _wrong(promised, fetcher.digests(link.url, promised))
    except OSError as problem:
        yield error(link.url, f"dead link: {why(problem)}")
        return
    for algorithm in wrong:
        yield error(link.url, f"does not have the {algorithm} that the page says: installers refuse it")
    said = link.attributes.get("size")
    if said is not None and size is not None and str(said) != str(size):
        sound = hashes and link.hashes and not wrong
        judged = warning if sound else error  # without its hash, the file may be the one that is wrong
        yield judged(link.url, f"has {size} bytes, and the page says {said}")
    yield from _look_at_metadata(fetcher, link, f"{link.url}.metadata")


def _look_at_metadata(fetcher: Fetcher, link: Link, url: str) -> Iterator[IndexFinding]:
    if link.metadata is None:
        if link.filename.endswith(".whl"):
            yield warning(link.url or "", "no metadata file (PEP 658): resolvers must read it from the wheel")
        return
    try:
        metadata = fetcher.get(url).body
    except OSError as problem:
        what = f"promised on the page, but could not be downloaded: {why(problem)}"
        yield error(url, f"{what}: pip and uv stop here")
        return
    promised = _known(link.metadata)
    for algorithm in _wrong(promised, {each: hashlib.new(each, metadata).hexdigest() for each in promised}):
        yield error(url, f"does not have the {algorithm} that the page says: pip and uv stop here")
    named = _NAME.search(metadata)
    name = named[1].decode(errors="replace") if named else ""
    if name != canonicalize_name(name) and link.attributes.get("dist-info-metadata", "false") != "false":
        what = f"its Name is {name}: pip 22.3 to 23.1.2 refuses it for {canonicalize_name(name)}, because the page has"
        more = "data-dist-info-metadata; data-core-metadata alone serves newer ones and uv"
        yield warning(url, f"{what} {more}")


def _known(hashes: Mapping[str, str]) -> dict[str, str]:
    return {algorithm: digest for algorithm, digest in hashes.items() if algorithm in PIP_HASHES}


def _wrong(promised: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    """Return the algorithms by which a file is another than promised."""
    return [algorithm for algorithm, digest in promised.items() if found[algorithm] != digest.lower()]
