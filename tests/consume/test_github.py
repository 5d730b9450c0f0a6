"""GitHub's releases, from a server that follows the API's documentation, and from one that does not."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

import pytest

from tests.consume.github_server import UPDATED, GitHub, github
from workbench.errors import IndexFault
from workbench.http import NoAnswer, Web
from workbench.simple.github import Asset, RateLimited, ReleasesPage, releases_page, releases_url

if TYPE_CHECKING:
    from collections.abc import Iterator

WHEEL = "demo-1.0+cu130torch2.11-cp312-cp312-linux_aarch64.whl"


def pages(server: GitHub, repository: str = "ada/wheels", *, login: str = "") -> Iterator[ReleasesPage]:
    headers = {"Authorization": f"Bearer {login}"} if login else {}
    web, url = Web(), releases_url(repository, server.api)
    while url:
        page = releases_page(web, url, headers=headers)
        yield page
        url = page.next


def test_an_asset_is_read_as_it_stands(server: GitHub) -> None:
    server.repository("ada/wheels").release("v1", [WHEEL], contents={WHEEL: b"bytes"})
    (page,) = pages(server)
    assert page.assets == (
        Asset(
            filename=WHEEL,
            url=f"{server.api}/ada/wheels/releases/download/v1/{WHEEL.replace('+', '%2B')}",
            api_url=f"{server.api}/repos/ada/wheels/releases/assets/1",
            release="v1",
            sha256="277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9",
            size=5,
            updated=UPDATED,
        ),
    )
    (asked,) = server.asked
    assert asked.path == "/repos/ada/wheels/releases?per_page=100"
    assert asked.headers["accept"] == "application/vnd.github+json"
    assert asked.headers["x-github-api-version"] == "2022-11-28"
    assert "authorization" not in asked.headers


def test_all_pages_are_read_by_the_links_that_github_gives(server: GitHub) -> None:
    repository = server.repository("ada/wheels")
    for number in range(250):
        repository.release(f"v{number}", [f"demo-{number}-py3-none-any.whl"])
    assert sum(len(page.assets) for page in pages(server)) == 250
    assert [asked.path for asked in server.asked] == [
        "/repos/ada/wheels/releases?per_page=100",
        "/repositories/1000/releases?per_page=100&page=2",
        "/repositories/1000/releases?per_page=100&page=3",
    ]


def test_a_next_page_on_another_server_is_refused(server: GitHub) -> None:
    with github() as other:
        link = {"Link": f'<{other.api}/repos/ada/wheels/releases?page=2>; rel="next"'}
        server.instead["/repos/ada/wheels/releases"] = (200, link, b"[]")
        with pytest.raises(IndexFault, match="next page is said to be on another server"):
            list(pages(server))
        assert not other.asked


def test_what_is_unchanged_is_not_sent_again(server: GitHub) -> None:
    repository = server.repository("ada/wheels")
    repository.release("v1", [WHEEL])
    (first,) = pages(server)
    url = releases_url("ada/wheels", server.api)
    again = releases_page(Web(), url, etag=first.etag)
    assert (again.unchanged, again.assets, server.asked[-1].status) == (True, (), 304)
    repository.release("v2", [WHEEL])
    newer = releases_page(Web(), url, etag=first.etag)
    assert (newer.unchanged, len(newer.assets)) == (False, 2)


def test_drafts_and_broken_uploads_are_passed_over_and_old_files_have_no_digest(server: GitHub) -> None:
    repository = server.repository("ada/wheels")
    repository.release("old", ["old-1.0-py3-none-any.whl"], digests=False)
    repository.release("broken", ["broken-1.0-py3-none-any.whl"], state="starter")
    repository.release("draft", ["draft-1.0-py3-none-any.whl"], draft=True)
    (page,) = pages(server)
    assert [(asset.filename, asset.sha256) for asset in page.assets] == [("old-1.0-py3-none-any.whl", None)]
    assert page.broken == 1


@pytest.mark.parametrize("status", [403, 429])
def test_the_rate_limit_says_when_to_try_again_and_what_helps(
    server: GitHub, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.repository("ada/wheels")
    server.remaining, server.limit_status, server.reset = 1, status, int(time.time()) + 900
    slow = itertools.count(time.time(), 5)
    monkeypatch.setattr("workbench.simple.github.time.time", lambda: next(slow))
    list(pages(server))
    with pytest.raises(RateLimited, match=r"rate limit.*try again at \d\d:\d\d:\d\d.*GITHUB_TOKEN") as raised:
        list(pages(server))
    assert raised.value.until == pytest.approx(server.reset, abs=0.001)


@pytest.mark.parametrize(("status", "wait"), [(403, 5), (429, 7)])
def test_a_secondary_limit_has_its_own_time(server: GitHub, status: int, wait: int) -> None:
    server.tokens.add("valid")
    server.retry_after, server.limit_status = wait, status
    before = time.time()
    with pytest.raises(RateLimited) as raised:
        list(pages(server, login="valid"))
    assert before + wait <= raised.value.until <= time.time() + wait
    assert "GITHUB_TOKEN" not in str(raised.value)  # there is one
    assert len(server.asked) == 1


def test_a_limit_that_says_nothing_of_its_end_is_a_minute(server: GitHub) -> None:
    server.instead["/repos/ada/wheels/releases"] = (429, {}, b"slow down")
    before = time.time()
    with pytest.raises(RateLimited) as raised:
        list(pages(server))
    assert before + 60 <= raised.value.until <= time.time() + 60


def test_a_403_that_is_not_a_limit_is_not_called_one(server: GitHub) -> None:
    body = b'{"message": "Resource not accessible\\n by token"}'
    server.instead["/repos/ada/wheels/releases"] = (403, {"x-ratelimit-remaining": "50"}, body)
    with pytest.raises(NoAnswer, match="403 Resource not accessible by token") as raised:
        list(pages(server))
    assert raised.value.status == 403


def test_a_repository_that_was_renamed_is_found(server: GitHub) -> None:
    server.repository("ada/new").release("v1", [WHEEL])
    server.moved["ada/old"] = "ada/new"
    assert [len(page.assets) for page in pages(server, "ada/old")] == [1]


def test_a_private_repository_needs_a_token(server: GitHub) -> None:
    server.repository("ada/wheels", private=True).release("v1", [WHEEL])
    server.tokens.add("valid")
    assert [len(page.assets) for page in pages(server, login="valid")] == [1]
    with pytest.raises(NoAnswer, match="private one, which needs a token in GITHUB_TOKEN"):
        list(pages(server))
    with pytest.raises(NoAnswer, match="401 Bad credentials: is the token in GITHUB_TOKEN still valid"):
        list(pages(server, login="stale"))


def test_a_token_does_not_follow_a_redirect_to_another_server(server: GitHub) -> None:
    server.tokens.add("valid")
    with github() as other:
        other.repository("ada/wheels").release("v1", [WHEEL])
        there = {"Location": releases_url("ada/wheels", other.api)}
        server.instead["/repos/ada/wheels/releases"] = (307, there, b"")
        assert [len(page.assets) for page in pages(server, login="valid")] == [1]
        assert "authorization" in server.asked[0].headers
        assert "authorization" not in other.asked[0].headers


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Unicorn!</html>",
        b'{"message": "oops"}',
        b'["x"]',
        b'[{"assets": null}]',
        b"[" * 100_000,
        b"",
        b"\xff\xfe",
    ],
)
def test_an_error_page_with_status_200_is_noticed(server: GitHub, body: bytes) -> None:
    server.instead["/repos/ada/wheels/releases"] = (200, {}, body)
    with pytest.raises(IndexFault, match="not a list of releases, though its status is 200"):
        list(pages(server))


def test_entries_that_are_not_assets_are_passed_over(server: GitHub) -> None:
    good = '{"state": "uploaded", "name": "a", "browser_download_url": "b", "size": "9", "digest": "md5:0"}'
    body = f'[{{"assets": [7, null, {{}}, {{"state": "uploaded", "name": 1}}, {good}]}}]'.encode()
    server.instead["/repos/ada/wheels/releases"] = (200, {}, body)
    (page,) = pages(server)
    assert page.assets == (Asset(filename="a", url="b", api_url="", release=""),)


@pytest.mark.parametrize(
    "name", ["", "ada", "ada/", "ada/../x", "ada/wheels/more", "ada/..", "a b/c", "ada/x?y", "é/x"]
)
def test_what_is_not_the_name_of_a_repository_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not OWNER/NAME"):
        releases_url(name)
