"""What ``--to`` names: the site, and outlets by their kinds. Adding a kind is one line here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urldefrag, urljoin, urlsplit

from workbench.errors import UsageError, nearest
from workbench.outlets.tags import USUAL, expect_template
from workbench.url import has_secret

if TYPE_CHECKING:
    from workbench.outlets.outlet import Outlet

SITE = "site"
"""The site's own store, registry and pages, which is not an outlet."""

INDEX = "index"
"""The site's registry and pages alone, which link to where the outlet before it has the wheels."""

SIMPLE = "#simple="
"""What stands between the URL where an index takes uploads and that of its simple API, where this lies elsewhere."""


def _github(rest: str, root: Path) -> Outlet:
    from workbench.outlets.github import GitHubReleases

    return GitHubReleases(rest, root)


def _pypi(_rest: str, root: Path) -> Outlet:
    from workbench.outlets.package_index import PYPI

    return _named("pypi", root, PYPI)


def _testpypi(_rest: str, root: Path) -> Outlet:
    from workbench.outlets.package_index import TESTPYPI

    return _named("testpypi", root, TESTPYPI)


KINDS: Mapping[str, Callable[[str, Path], Outlet]] = {
    "github": _github,
    "pypi": _pypi,
    "testpypi": _testpypi,
}
"""What makes an outlet, by the word before the colon: it gets what stands behind it, and the site's folder."""


def places(to: str, *, skip_github: bool = False) -> tuple[str, ...]:
    """Return what ``--to`` names, each once, in its order; the site where it names nothing. Raises UsageError."""
    words = tuple(dict.fromkeys(word.strip() for word in to.split(",") if word.strip())) or (SITE,)
    left = tuple(word for word in words if not (skip_github and word.partition(":")[0] == "github"))
    if not left:
        raise UsageError(
            "--skip-github leaves nothing of --to: name another place, or leave --skip-github out"
        )
    for word in left:
        kind, _, rest = word.partition(":")
        if is_index_url(word):
            _expect_index(word)
        elif kind == "github":
            expect_template(rest or USUAL)
        elif kind in KINDS and rest:
            raise UsageError(f"--to {word}: {kind} takes nothing behind a colon")
        elif kind not in KINDS and word not in (SITE, INDEX):
            raise UsageError(
                f"--to {word}: unknown place{nearest(kind, [SITE, INDEX, *KINDS])}: write {SITE}, github, github:TAG, "
                f"pypi, testpypi, {INDEX}, or the URL where an index takes uploads"
            )
    for before, word in zip(("", *left), left, strict=False):
        if word == INDEX and (before in ("", SITE) or SITE in left):
            raise UsageError(
                f"--to {','.join(left)}: {INDEX} links to where the place before it has the wheels: write it behind an "
                f"outlet, as github,{INDEX}, and without {SITE}, which has files of its own"
            )
    return left


def has_pages(words: Iterable[str]) -> bool:
    """Say whether the site's registry and pages are among some places."""
    return not {SITE, INDEX}.isdisjoint(words)


def is_index_url(word: str) -> bool:
    """Say whether a place is the URL where an index takes uploads."""
    return word.startswith(("https://", "http://"))


def open_outlets(words: Sequence[str], root: Path) -> dict[str, Outlet]:
    """Return the outlets among some `places`, each by its word; nothing is asked of them yet.

    Raises UsageError where GitHub is among them and nothing says which repository.
    """
    return {word: _opened(word, root) for word in words if word not in (SITE, INDEX)}


def _opened(word: str, root: Path) -> Outlet:
    if is_index_url(word):
        from workbench.outlets.package_index import BELOW, PackageIndex

        upload, _, simple = word.partition(SIMPLE)
        url = upload if upload.endswith("/") else f"{upload}/"
        return PackageIndex(
            word, upload, tuple(urljoin(url, each) for each in ([simple] if simple else BELOW)), root
        )
    kind, _, rest = word.partition(":")
    return KINDS[kind](rest, root)


def _expect_index(word: str) -> None:
    if has_secret(word):
        raise UsageError(
            f"--to {word}: no login or secret in a URL: it would reach logs and workflows. A variable has it, as "
            "WORKBENCH_TOKEN_WHEELS_EXAMPLE_COM for wheels.example.com"
        )
    upload, fragment = urldefrag(word)
    if fragment and not (word.startswith(f"{upload}{SIMPLE}") and word != f"{upload}{SIMPLE}"):
        raise UsageError(
            f"--to {word}: behind the URL for uploads stands nothing, or where its simple API is: {upload}{SIMPLE}URL"
        )
    for url in (upload, urljoin(upload, fragment.removeprefix("simple="))):
        try:
            parts = urlsplit(url)
            _ = parts.port
        except ValueError as error:
            raise UsageError(f"--to {word}: not a URL: {error}") from None
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise UsageError(f"--to {word}: not a URL of the web: {url}")


def _named(name: str, root: Path, urls: tuple[str, str]) -> Outlet:
    from workbench.outlets.package_index import PackageIndex

    upload, simple = urls
    return PackageIndex(name, upload, (simple,), root, public=True)
