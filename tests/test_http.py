"""The one door to the network, on hosts of loopback that do everything wrong."""

from __future__ import annotations

import gzip
import itertools
import socket
import ssl
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from tests.index.hosts import Host, hosted, http
from workbench import http as door
from workbench.errors import SettingsError
from workbench.http import NoAnswer, Web, trust_variables, trusted
from workbench.process import run

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE", "AWS_CA_BUNDLE")


@pytest.fixture
def host() -> Iterator[Host]:
    with hosted() as host:
        yield host


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Take from the environment what it says of certificates."""
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)
    return monkeypatch


def body(url: str) -> bytes:
    with Web().ask(url) as answer:
        return answer.body()


def test_a_redirect_takes_the_login_only_to_the_same_host(host: Host) -> None:
    with hosted() as other:
        there = f"http://127.0.0.1:{other.server_address[1]}/files/x"
        other.answers["/files/x"] = http("here")
        host.answers["/a"] = http("", status="302 Found", Location="/b")
        host.answers["/b"] = http("", status="302 Found", Location=there)
        start = host.root.replace("://", "://ada:s3cret@").replace("simple/", "a")
        with Web().ask(start, headers={"Private-Token": "t0ken", "Range": "bytes=0-"}) as answer:
            assert (answer.url, answer.body()) == (there, b"here")
        assert [(sent["authorization"], sent["private-token"]) for sent in host.sent] == [
            ("Basic YWRhOnMzY3JldA==", "t0ken")
        ] * 2
        (sent,) = other.sent
        assert not {"authorization", "private-token"} & sent.keys()
        assert sent["range"] == "bytes=0-"


def test_a_redirect_to_a_file_of_this_machine_is_not_followed(host: Host) -> None:
    host.answers["/a"] = http("", status="302 Found", Location="file:///etc/passwd")
    with pytest.raises(NoAnswer, match="it redirects to what is not an http or https URL"):
        body(host.root.replace("simple/", "a"))


def test_a_server_that_falls_silent_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "SECONDS", 0.2)
    silent = socket.create_server(("127.0.0.1", 0))
    with silent, pytest.raises(NoAnswer, match=r"no answer for 0.2 s") as raised:
        body(f"http://127.0.0.1:{silent.getsockname()[1]}/")
    assert raised.value.status is None
    assert raised.value.passing


def test_a_page_that_is_too_large_or_never_ends_is_not_read(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    bomb = gzip.compress(bytes(10_000_000))
    host.answers["/bomb"] = http(bomb, Content_Encoding="gzip")
    url = host.root.replace("simple/", "bomb")
    assert len(bomb) < 20_000
    with Web().ask(url) as answer, pytest.raises(NoAnswer, match="more than 1,000,000 bytes") as raised:
        answer.body(1_000_000)
    assert not raised.value.passing
    clock = itertools.count(0, 200)
    monkeypatch.setattr("workbench.http.time.monotonic", lambda: next(clock))
    with pytest.raises(NoAnswer, match="bytes came in 300 s"):
        body(url)


@pytest.mark.parametrize("encoded", [False, True])
def test_a_body_in_chunks_is_whole(host: Host, *, encoded: bool) -> None:
    content = b"the content" * 10_000
    sent = gzip.compress(content) if encoded else content
    pieces = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in (sent[:100], sent[100:]))
    coding = b"Content-Encoding: gzip\r\n" if encoded else b""
    host.answers["/x"] = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n%s\r\n%s0\r\n\r\n" % (
        coding,
        pieces,
    )
    assert body(host.root.replace("simple/", "x")) == content


def test_a_fault_of_the_server_is_tried_again(host: Host) -> None:
    host.answers["/simple/"] = http("", status="503 Service Unavailable")
    with pytest.raises(NoAnswer, match="503 Service Unavailable") as raised:
        body(host.root)
    assert raised.value.passing
    assert len(host.asked) == 3


# ---------------------------------------------------------------- certificates


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a self-signed certificate of 127.0.0.1, and its key, in one file."""
    pem = tmp_path_factory.mktemp("tls") / "own.pem"
    name = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    run(
        [
            "openssl",
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-keyout",
            pem,
            "-out",
            f"{pem}.crt",
            *name,
        ]
    )
    pem.write_bytes(pem.read_bytes() + Path(f"{pem}.crt").read_bytes())
    return pem


@contextmanager
def over_tls(certificate: Path) -> Iterator[str]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with hosted() as host:
        host.socket = context.wrap_socket(host.socket, server_side=True)
        yield host.root.replace("http:", "https:")


@pytest.mark.usefixtures("bare")
def test_a_certificate_that_nobody_knows_is_named_with_its_remedy(certificate: Path) -> None:
    with (
        over_tls(certificate) as url,
        pytest.raises(NoAnswer, match=r"not trusted \(self-signed.*SSL_CERT_FILE") as raised,
    ):
        body(url)
    assert not raised.value.passing


@pytest.mark.parametrize("variable", VARIABLES)
@pytest.mark.parametrize("also", [None, *VARIABLES])
def test_any_of_the_variables_sets_the_trust_of_all_clients(
    bare: pytest.MonkeyPatch, certificate: Path, variable: str, also: str | None
) -> None:
    """Two that differ are both trusted."""
    if also:
        bare.setenv(also, DEFAULT_CA_BUNDLE_PATH)
    bare.setenv(variable, f"{certificate}.crt")
    with over_tls(certificate) as url:
        assert b"demo" in body(url)
    assert set(trust_variables().values()) == {trusted()}


def test_a_bundle_of_aws_adds_to_the_default(bare: pytest.MonkeyPatch, certificate: Path) -> None:
    assert trusted() is None
    bare.setenv("AWS_CA_BUNDLE", f"{certificate}.crt")
    together = Path(trusted() or "").read_text(encoding="utf-8")
    assert Path(f"{certificate}.crt").read_text(encoding="utf-8") in together
    assert together.count("BEGIN CERTIFICATE") > 50


def test_a_file_of_certificates_that_is_missing_is_a_fault_of_the_settings(bare: pytest.MonkeyPatch) -> None:
    bare.setenv("AWS_CA_BUNDLE", "/nowhere.pem")
    with pytest.raises(SettingsError, match=r"AWS_CA_BUNDLE=/nowhere\.pem: there is no such file"):
        body("http://127.0.0.1:1/")
