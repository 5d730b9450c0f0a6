from __future__ import annotations

import time

import pytest

from workbench.errors import SourceError
from workbench.url import has_secret, mask, secrets, without_login

IN_URLS = [
    ("see https://ada:pw@host/x.git.", "see https://***@host/x.git."),
    ("https://ghp_token@host/x", "https://***@host/x"),
    ("https://ada:p@ss?w#rd@host/x", "https://***@host/x"),
    ("ssh://git@host/x and ssh://git:pw@host/x", "ssh://git@host/x and ssh://git:***@host/x"),
    ("git+ssh://git:pw@host/x", "git+ssh://git:***@host/x"),
    ("socks5://me:pw@proxy:1080", "socks5://***@proxy:1080"),
    ("HTTPS://ME:PW@HOST/", "HTTPS://***@HOST/"),
    (
        "https://b.s3.amazonaws.com/x.whl?X-Amz-Expires=9&X-Amz-Signature=ab&X-Amz-Credential=c%2Fd#sha256=e",
        "https://b.s3.amazonaws.com/x.whl?X-Amz-Expires=9&X-Amz-Signature=***&X-Amz-Credential=***#sha256=e",
    ),
    ("https://h/x?AWSAccessKeyId=a&Signature=b", "https://h/x?AWSAccessKeyId=***&Signature=***"),
    ("https://h/x?se=2026&sp=r&sig=a%3D", "https://h/x?se=2026&sp=r&sig=***"),
    ("https://h/x?access_token=a&api_key=b&x=c", "https://h/x?access_token=***&api_key=***&x=c"),
    (
        "Max retries exceeded with url: /x?token=a (Caused by",
        "Max retries exceeded with url: /x?token=*** (Caused by",
    ),
]


@pytest.mark.parametrize(("text", "shown"), IN_URLS)
def test_logins_and_secret_queries_are_hidden(text: str, shown: str) -> None:
    assert mask(text) == shown
    assert has_secret(text)
    assert not has_secret(shown.replace("***@", "").replace("***", ""))


@pytest.mark.parametrize(
    "text",
    [
        "git@host:x/y.git",
        "ssh://git@host/x",
        "https://host/a@b",
        "https://h/x?author=me&keyword=k&page=2#sha256=ab",
        "unexpected token: ;",
        "me@example.com",
    ],
)
def test_what_is_not_secret_stays(text: str) -> None:
    assert mask(text) == text
    assert not has_secret(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Authorization: Basic YWRh", "Authorization: ***"),
        ("{'Proxy-Authorization': 'Bearer a b'}", "{'Proxy-Authorization': '***'}"),
        ("PRIVATE-TOKEN: glpat", "PRIVATE-TOKEN: ***"),
        ("set-cookie: a=b; c", "set-cookie: ***"),
    ],
)
def test_headers_that_authorize_are_hidden(text: str, shown: str) -> None:
    assert mask(text) == shown


def test_variables_named_as_secrets_are_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_TOKEN", "first-line-1\nsecond-line-2")
    monkeypatch.setenv("MY_KEY_FILE", "/home/me/a-key-file")
    monkeypatch.setenv("USE_AUTH", "true")
    secrets.cache_clear()
    try:
        assert (
            mask("x first-line-1 second-line-2 /home/me/a-key-file true")
            == "x *** *** /home/me/a-key-file true"
        )
    finally:
        secrets.cache_clear()


def test_an_error_has_no_secret_in_it() -> None:
    assert str(SourceError("https://me:pw@host: no answer")) == "https://***@host: no answer"


def test_a_login_is_taken_out() -> None:
    assert without_login("https://me:pw@host/x?a=b@c") == "https://host/x?a=b@c"


@pytest.mark.parametrize("text", ["a", "://", "?token", "a-", "://a@", "x-token:", "authorization:"])
def test_hiding_takes_time_in_proportion(text: str) -> None:
    start = time.process_time()
    mask(text * (2_000_000 // len(text)))
    assert time.process_time() - start < 5
