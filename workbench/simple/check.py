"""``check-index``: any simple index, ours or another's, against the standards and against what installers accept.

The way through one: its root, each project's page, each file and its metadata file. ``judge_page`` and ``judge_file``
say what is wrong with what a page says; here is the asking, and what only shows by it. What they all claim of pip and
uv is tried on both in ``tests/index/test_claims.py``.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from urllib.parse import unquote, urljoin, urlsplit

from packaging.utils import canonicalize_name

from workbench import console
from workbench.errors import IndexFault, UsageError
from workbench.simple.fetch import Fetcher
from workbench.simple.finding import error, warning
from workbench.simple.judge_file import PIP_HASHES, called, project_of
from workbench.simple.judge_page import astray, files, judge_project, judge_root, lists_files, projects, read
from workbench.url import mask

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

    from workbench.simple.fetch import Answer
    from workbench.simple.finding import Finding
    from workbench.simple.listing import Link, Listing

T = TypeVar("T")
R = TypeVar("R")

STREAMS = 8
"""Questions under way at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The address of an index, how many projects and files it lists, and what is wrong with it."""

    where: str
    projects: int
    files: int
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> int:
        """How many findings are errors."""
        return sum(finding.severity == "error" for finding in self.findings)


class _Page(NamedTuple):
    """A project's page: where it came from in the end, what is wrong with it, and the files that it lists."""

    url: str
    findings: Sequence[Finding]
    files: Sequence[Link] = ()


def check_index(where: str, *, hashes: bool = False) -> Report:
    """Check the index whose root (its ``simple/``) is at a URL or in a folder, or the one project's page there.

    Every project's page is read, every file asked for, every metadata file fetched and hashed; `hashes` fetches and
    hashes the files as well. Raises UsageError for what is no address, IndexFault where no index is.
    """
    address = _address(where)
    fetcher = Fetcher(STREAMS)
    answer, findings, listing = _open(fetcher, address)
    with ThreadPoolExecutor(STREAMS) as pool:
        if lists_files(listing):
            pages = [_Page(answer.url, [*findings, *_judge_alone(listing, answer.url)], files(listing))]
            findings = []
        else:
            findings += judge_root(listing, answer.url)
            findings = [warning(each.where, each.what) for each in findings]  # installers never read a root
            pages = _all(
                pool,
                lambda project: _read_project(fetcher, *project, address, answer.url),
                projects(listing, answer.url).items(),
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
    for found in (*(page.findings for page in pages), *looked):
        findings += found
    return Report(where=address, projects=len(pages), files=len(listed), findings=tuple(findings))


def _address(where: str) -> str:
    """Return the URL of a root, with a slash at the end. Raises UsageError."""
    if not re.match(r"https?://", where):
        if not Path(where).is_dir():
            raise UsageError(f"{where}: neither an http or https URL nor a folder")
        return f"{Path(where).resolve().as_uri()}/"
    try:
        login = urlsplit(where).username
    except ValueError as problem:
        raise UsageError(f"{where}: no URL: {problem}") from problem
    if login is not None:
        raise UsageError(
            f"{mask(where)}: no user or password in a URL, from where it would reach logs: "
            "~/.netrc is the place for them, for pip and uv as well"
        )
    return where if where.endswith("/") else f"{where}/"


def _open(fetcher: Fetcher, address: str) -> tuple[Answer, list[Finding], Listing]:
    """Read the page that the check begins with. Raises IndexFault."""
    with console.step(f"read {address}"):
        try:
            answer = fetcher.get(address)
        except OSError as problem:
            raise IndexFault(f"{address}: no index here: {_why(problem)}") from problem
        findings, listing = read(answer)
        if listing is None:
            raise IndexFault(f"{address}: no index here: {findings[-1].what}")
        if not listing.links and listing.version is None:
            raise IndexFault(f"{address}: no index here: it lists nothing, and names no version of the API")
    return answer, findings, listing


def _all(
    pool: ThreadPoolExecutor, work: Callable[[T], R], items: Collection[T], *, title: str, unit: str
) -> list[R]:
    """Do the work on all items, some at once, and show how far it is."""
    done = []
    with console.progress(title, len(items), unit=unit) as advance:
        for one in pool.map(work, items):
            done.append(one)
            advance(1)
    return done


def _judge_alone(listing: Listing, url: str) -> Iterator[Finding]:
    """Judge a page of files whose root is not looked at: of which project it is, its address says."""
    name: str | None = canonicalize_name(unquote(urlsplit(url).path.rstrip("/").rpartition("/")[2]))
    if name not in (project_of(link.filename) for link in files(listing)):
        yield warning(url, f"no file is of the project {name!r}: the page serves as --find-links at most")
        name = None
    yield from judge_project(listing, url, name)


def _read_project(fetcher: Fetcher, name: str, link: Link, *roots: str) -> _Page:
    """Read and judge a project's page at the address that installers make of the root's own, the first of `roots`.

    Where the `link` on the root leads is no concern of theirs.
    """
    url = urljoin(roots[0], f"{name}/")
    wrong = astray(name, link, *roots)
    try:
        answer = fetcher.get(url)
    except OSError as problem:
        also = f"; {wrong}" if wrong else ""
        return _Page(url, [error(url, f"{name} is listed, but not to be had: {_why(problem)}{also}")])
    findings, listing = read(answer)
    if wrong:
        findings.append(warning(roots[-1], f"{name}: {wrong}"))
    if answer.url != url:
        findings.append(warning(url, f"redirects to {answer.url}: a question more each time"))
    if listing is None:
        return _Page(answer.url, findings)
    return _Page(answer.url, [*findings, *judge_project(listing, answer.url, name)], files(listing))


def _look_at(fetcher: Fetcher, link: Link, page: str, *, hashes: bool) -> Iterator[Finding]:
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
        size = fetcher.head(link.url).size
        wrong = _wrong(fetcher, link.url, link.hashes) if hashes else []
    except OSError as problem:
        yield error(link.url, f"dead link: {_why(problem)}")
        return
    for algorithm in wrong:
        yield error(link.url, f"does not have the {algorithm} that the page says: it is refused")
    said = link.attributes.get("size")
    if said is not None and size is not None and str(said) != str(size):
        sound = hashes and link.hashes and not wrong
        judged = warning if sound else error  # without its hash, the file may be the one that is wrong
        yield judged(link.url, f"has {size} bytes, and the page says {said}")
    yield from _look_at_metadata(fetcher, link, f"{link.url}.metadata")


def _look_at_metadata(fetcher: Fetcher, link: Link, url: str) -> Iterator[Finding]:
    if link.metadata is None:
        if link.filename.endswith(".whl"):
            yield warning(
                link.url or "", "no metadata file (PEP 658): resolvers must read it out of the wheel"
            )
        return
    try:
        wrong = _wrong(fetcher, url, link.metadata)
    except OSError as problem:
        yield error(url, f"promised on the page, but not to be had: {_why(problem)}: pip and uv stop here")
        return
    for algorithm in wrong:
        yield error(url, f"does not have the {algorithm} that the page says: pip and uv stop here")


def _wrong(fetcher: Fetcher, url: str, promised: Mapping[str, str]) -> list[str]:
    """Return the algorithms by which a file is another than promised. Raises OSError."""
    known = {algorithm: digest for algorithm, digest in promised.items() if algorithm in PIP_HASHES}
    found = fetcher.digests(url, known)
    return [algorithm for algorithm, digest in known.items() if found[algorithm] != digest.lower()]


def _why(problem: OSError) -> str:
    return problem.strerror or str(problem)
