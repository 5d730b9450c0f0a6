"""Sources asked over the network: only for what is newer than what was kept, and what they say is kept."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

from workbench.consume.listings import FRESH, MOST_PAGES, STREAMS, Told
from workbench.consume.logins import Logins
from workbench.consume.rows import Reduced, reduce_listing, reduce_releases
from workbench.consume.sources import name_of_files
from workbench.errors import WorkbenchError
from workbench.events import step
from workbench.http import NoAnswer, Web
from workbench.simple.client import read_as_installers
from workbench.simple.fetch import Fetcher, why
from workbench.simple.github import RateLimited, is_private, releases_page
from workbench.text import duration, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from workbench.consume.cache import Cache, KeptFile, KeptPage
    from workbench.consume.sources import Place, WheelSource
    from workbench.simple.fetch import Fetched


PAGE_BYTES = 32 << 20
MOST_LINKS = 100_000
"""The most that is read of one page of an index: the largest have a few megabytes, and some ten thousand links."""

_NOTHING_TO_COMPARE = "304 Not Modified, though nothing was asked to be compared"


class _Page(NamedTuple):
    """A page that came, reduced; None for one that is as it was kept."""

    reduced: Reduced | None
    etag: str = ""
    modified: str = ""
    next: str = ""


def ask_all(
    asked: Sequence[Place], project: str, sources: Iterable[WheelSource], *, cache: Cache, refresh: bool
) -> list[Told]:
    """Ask all places, several servers at once, and return what each said.

    GitHub is asked for one page after the other, as it wants, and not again once its rate limit is reached.
    """
    asker = _Asker(project, Logins(sources), cache, refresh=refresh)
    groups: dict[str, list[int]] = {}
    for number, place in enumerate(asked):
        one_by_one = place.source.kind == "github"
        groups.setdefault(urlsplit(place.url).netloc if one_by_one else str(number), []).append(number)
    told: dict[int, Told] = {}
    with step(f"ask for {project}", total=len(asked), unit="sources") as advance:

        def ask(numbers: list[int]) -> None:
            limit: RateLimited | None = None
            for number in numbers:
                told[number], limit = asker.ask(asked[number], limit)
                advance(1)

        with ThreadPoolExecutor(STREAMS) as pool:
            for done in [pool.submit(copy_context().run, ask, numbers) for numbers in groups.values()]:
                done.result()
    return [told[number] for number in range(len(asked))]


class _Asker:
    def __init__(self, project: str, logins: Logins, cache: Cache, *, refresh: bool) -> None:
        self._project = project
        self._logins = logins
        self._cache = cache
        self._refresh = refresh
        self._fetcher = Fetcher(STREAMS, limit=PAGE_BYTES)
        self._web = Web(STREAMS)
        self._private: dict[str, bool] = {}

    def ask(self, place: Place, limit: RateLimited | None) -> tuple[Told, RateLimited | None]:
        """Return what a place says, page by page, and GitHub's rate limit if it is reached.

        Where it does not answer, what was kept of it is used, and both are said.
        """
        filed = name_of_files(place.source, self._project)
        rows: list[KeptFile] = []
        left_out: list[str] = []
        age, url, seen, failed = 0.0, place.url, set[str](), ""
        while url and url not in seen:
            if len(seen) == MOST_PAGES:
                failed = failed or f"more than {MOST_PAGES} pages: the rest was not read"
                break
            seen.add(url)
            kept = self._cache.page(url, filed)
            page: _Page | None = None
            if not failed and (self._refresh or kept is None or not 0 <= kept.age < FRESH):
                try:
                    if limit is not None:
                        raise limit
                    page = self._page(place, url, None if self._refresh else kept)
                except (OSError, WorkbenchError) as error:
                    limit = error if isinstance(error, RateLimited) else limit
                    failed = self._failure(place, url, error)
            if page is not None and page.reduced is not None:
                self._keep(url, page, page.reduced)
                rows += page.reduced.projects.get(filed, ())
                left_out += page.reduced.left_out
                url = page.next
            elif kept is not None:
                if page is not None:
                    self._cache.renew(url)
                rows += kept.rows
                left_out += kept.left_out
                age = max(age, 0.0 if page is not None else kept.age)
                url = kept.next
            else:
                url = ""
        if failed and age:
            failed += f"; used is what it said {duration(age)} ago"
        return Told(place=place, rows=tuple(rows), age=age, failed=failed, left_out=tuple(left_out)), limit

    def _page(self, place: Place, url: str, kept: KeptPage | None) -> _Page:
        """Ask for a page, or for a newer one than was kept. Raises OSError and WorkbenchError."""
        if place.source.kind == "github":
            login = self._logins.headers(url)
            page = releases_page(self._web, url, etag=kept.etag if kept else "", headers=login)
            if page.unchanged and kept:
                return _Page(None, page.etag, next=page.next)
            if place.url not in self._private:  # asked once for all pages: GitHub counts questions
                self._private[place.url] = bool(login) and is_private(self._web, place.url, login)
            return _Page(reduce_releases(page, private=self._private[place.url]), page.etag, next=page.next)
        return self._listing(place, url, kept)

    def _listing(self, place: Place, url: str, kept: KeptPage | None) -> _Page:
        conditions = {"If-None-Match": kept.etag, "If-Modified-Since": kept.modified} if kept else {}
        headers = {name: value for name, value in conditions.items() if value}
        try:
            page = self._get(url, headers)
        except FileNotFoundError:
            return _Page(Reduced())
        except NoAnswer as error:
            if error.status in (HTTPStatus.NOT_FOUND, *place.source.missing):
                return _Page(Reduced())
            raise
        if page.unchanged:
            if kept is None:
                raise NoAnswer(_NOTHING_TO_COMPARE)
            return _Page(None)
        return _Page(
            reduce_listing(read_as_installers(page, url, most=MOST_LINKS), page.url), page.etag, page.modified
        )

    def _get(self, url: str, headers: Mapping[str, str]) -> Fetched:
        """Fetch a page with the login for its server, in the end with the keyring's. Raises OSError."""
        login = self._logins.headers(url)
        try:
            return self._fetcher.get(url, headers={**headers, **login})
        except NoAnswer as error:
            if (
                error.status != HTTPStatus.UNAUTHORIZED
                or login
                or not (login := self._logins.of_keyring(url))
            ):
                raise
        return self._fetcher.get(url, headers={**headers, **login})

    def _keep(self, url: str, page: _Page, reduced: Reduced) -> None:
        if url.startswith("file:"):
            return
        self._cache.keep_page(
            url,
            reduced.projects,
            etag=page.etag,
            modified=page.modified,
            next_url=page.next,
            left_out=reduced.left_out,
        )

    def _failure(self, place: Place, url: str, error: Exception) -> str:
        """Return what went wrong as a sentence, and what to do where that is known."""
        said = why(error) if isinstance(error, OSError) else str(error)
        said = shown(said.removeprefix(f"{url}: "))
        return said + ("" if place.source.kind == "github" else self._logins.remedy(url, error))


def fetch_registry(cache: Cache, *, offline: bool = False, refresh: bool = False) -> Callable[[str], bytes]:
    """Return what gets a registry of sources from its URL: from the cache while that is fresh, or `offline`.

    It raises OSError, also where the server does not answer and nothing was kept.
    """
    from workbench.consume.registries import MOST_BYTES
    from workbench.events import note
    from workbench.url import without_login

    def fetch(url: str) -> bytes:
        where = without_login(url)
        kept = cache.registry(where)
        if kept and (offline or (0 <= kept[1] < FRESH and not refresh)):
            return kept[0]
        if offline:
            raise NoAnswer("it is not in the cache, and --offline asks nobody")
        try:
            with Web().ask(url, headers=Logins(()).headers(url)) as answer:
                text = answer.body(MOST_BYTES)
        except NoAnswer as error:
            if kept is None:
                raise
            note(f"{where}: {error}; used is what it said {duration(kept[1])} ago")
            return kept[0]
        cache.keep_registry(where, text)
        return text

    return fetch
