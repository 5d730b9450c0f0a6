"""The one door to the network, on hosts of loopback that do everything wrong."""

from __future__ import annotations

import gzip
import itertools
import select
import socket
import socketserver
import ssl
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.index.hosts import Host, hosted, http
from tests.serving import serving
from workbench import http as door
from workbench.certificates import default_bundle, trust_variables, trusted
from workbench.errors import SettingsError
from workbench.http import NoAnswer, Web
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


def test_a_login_in_a_redirect_is_for_that_request_alone(host: Host) -> None:
    with hosted() as other:
        there = f"http://127.0.0.1:{other.server_address[1]}/x"
        other.answers["/x"] = http("here")
        host.answers["/a"] = http("", status="302 Found", Location=there.replace("://", "://eve:hers@"))
        web = Web()
        for url in (host.root.replace("simple/", "a"), there):
            with web.ask(url, headers={"Authorization": "Bearer t0ken"}) as answer:
                assert answer.body() == b"here"
        assert [sent["authorization"] for sent in other.sent] == ["Basic ZXZlOmhlcnM=", "Bearer t0ken"]


def test_a_redirect_to_a_file_of_this_machine_is_not_followed(host: Host) -> None:
    host.answers["/a"] = http("", status="302 Found", Location="file:///etc/passwd")
    with pytest.raises(NoAnswer, match="it redirects to what is not an http or https URL"):
        body(host.root.replace("simple/", "a"))


def test_a_redirect_is_followed_whatever_its_body_is(host: Host) -> None:
    whole = http("only this", status="302 Found", Location="/simple/")
    host.answers["/a"] = whole.replace(b"Content-Length: 9", b"Content-Length: 1000000000000")
    assert b"demo" in body(host.root.replace("simple/", "a"))


def test_redirects_go_by_one_connection() -> None:
    connections = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            connections.append(self.client_address)
            self.send_response(HTTPStatus.FOUND if self.path == "/a" else HTTPStatus.OK)
            self.send_header("Location", "/b")
            self.send_header("Content-Length", "4")
            self.end_headers()
            self.wfile.write(b"body")

        def log_message(self, *_: object) -> None:
            pass

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        assert body(f"http://127.0.0.1:{server.server_address[1]}/a") == b"body"
    assert len(connections) == 2
    assert len(set(connections)) == 1


@pytest.mark.parametrize(("usual", "asked"), [(0.2, None), (10, 0.2)], ids=["usual", "asked"])
def test_a_server_that_falls_silent_is_given_up(
    usual: float, asked: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "SECONDS", usual)
    silent = socket.create_server(("127.0.0.1", 0))
    with silent, pytest.raises(NoAnswer, match=r"no answer for 0.2 s") as raised:
        Web().ask(f"http://127.0.0.1:{silent.getsockname()[1]}/", seconds=asked)
    assert raised.value.status is None
    assert raised.value.passing
    assert "(read timeout=0.2)" in str(raised.value.__cause__)


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


def test_a_url_is_told_as_it_is_sent(host: Host) -> None:
    host.answers["/a%20b/"] = http("", status="302 Found", Location="/b%C3%BCcher")
    host.answers["/b%C3%BCcher"] = http("here")
    with Web().ask(host.root.replace("http://", " HTTP://").replace("simple/", "a b/")) as answer:
        assert answer.url == host.root.replace("simple/", "b%C3%BCcher")


@pytest.mark.parametrize(
    "url", ["127.0.0.1:{port}/simple/", "//127.0.0.1:{port}/simple/", "file:///etc/passwd"]
)
def test_what_is_not_a_url_of_http_is_not_asked(host: Host, url: str) -> None:
    with pytest.raises(NoAnswer, match="is not an http or https URL") as raised:
        body(url.format(port=host.server_address[1]))
    assert not raised.value.passing
    assert not host.asked


@pytest.mark.parametrize(
    ("kind", "charset"),
    [
        ("text/html; charset=utf-8", "utf-8"),
        ("text/html;Charset='latin-1'; x=y", "latin-1"),
        ("text/html; charset=utf-8, text/html; charset=utf-8", "utf-8"),
        ("text/html; charset=", None),
        ("text/html", None),
    ],
)
def test_the_encoding_is_read_however_a_server_writes_it(host: Host, kind: str, charset: str | None) -> None:
    host.answers["/simple/"] = http("", kind)
    with Web().ask(host.root) as answer:
        assert answer.charset == charset


# ---------------------------------------------------------------- what the environment says of the way


@pytest.mark.parametrize(
    "proxy",
    [
        ":1",
        "ada:s3cret@127.0.0.1:1",
        "http://ada:s3cret@",
        "http://ada:s3cret/@host:1",
        "http://ada:s3cret@[::1",
    ],
)
def test_a_proxy_that_is_no_url_is_told_without_its_login(
    monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    monkeypatch.setenv("no_proxy", "")
    with pytest.raises(NoAnswer, match="names a proxy that is not a URL: write http://HOST:PORT") as raised:
        body("http://wheels.example/")
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize("home", ["~", "/nowhere/" + "x" * 300])
def test_without_a_home_there_is_no_netrc(host: Host, monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    monkeypatch.delenv("NETRC", raising=False)
    monkeypatch.setenv("HOME", home)
    assert b"demo" in body(host.root)


def test_a_proxy_is_asked_and_gets_its_login_alone(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", host.root.replace("://", "://ada:s3cret@").replace("simple/", ""))
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    host.answers["http://wheels.example/x"] = http("by proxy")
    assert body("http://wheels.example/x") == b"by proxy"
    (sent,) = host.sent
    assert sent["proxy-authorization"] == "Basic YWRhOnMzY3JldA=="
    assert "authorization" not in sent


def test_hosts_that_need_no_proxy_are_asked_themselves(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "example.com,127.0.0.0/8")
    assert b"demo" in body(host.root)


def test_a_login_of_netrc_goes_to_its_host_unless_another_is_given(
    host: Host, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login ada password s3cret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("NETRC", raising=False)
    body(host.root)
    body(host.root.replace("://", "://bob:other@"))
    with Web().ask(host.root, headers={"authorization": "Bearer t0ken"}):
        pass
    assert [sent["authorization"] for sent in host.sent] == [
        "Basic YWRhOnMzY3JldA==",
        "Basic Ym9iOm90aGVy",
        "Bearer t0ken",
    ]


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
        bare.setenv(also, str(default_bundle()))
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


@contextmanager
def tunnel(asked: list[str]) -> Iterator[str]:
    """Serve as a proxy that tunnels (CONNECT, RFC 9110, 9.3.6)."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            asked.append(there := self.rfile.readline().split()[1].decode())
            while self.rfile.readline().strip():
                pass
            name, _, port = there.partition(":")
            with socket.create_connection((name, int(port))) as server:
                self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                ways = {self.connection: server, server: self.connection}
                while ready := select.select([*ways], [], [])[0]:
                    for each in ready:
                        if not (piece := each.recv(1 << 16)):
                            return
                        ways[each].sendall(piece)

    class Tunnels(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with serving(Tunnels(("127.0.0.1", 0), Handler)) as server:
        yield f"http://127.0.0.1:{server.server_address[1]}"


def test_a_certificate_is_judged_through_a_proxy_too(bare: pytest.MonkeyPatch, certificate: Path) -> None:
    asked: list[str] = []
    with over_tls(certificate) as url, tunnel(asked) as proxy:
        bare.setenv("https_proxy", proxy.removeprefix("http://"))
        bare.setenv("no_proxy", "")
        with pytest.raises(NoAnswer, match="not trusted"):
            body(url)
        bare.setenv("SSL_CERT_FILE", f"{certificate}.crt")
        assert b"demo" in body(url)
    assert set(asked) == {url.split("/")[2]}
