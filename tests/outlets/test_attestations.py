"""A wheel's attestation goes to PyPI with it, in the field that PyPI has for it, where a CI's identity logs in."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import replace
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from threading import Thread
from typing import TYPE_CHECKING

import pytest
from twine.auth import Private

from tests.outlets.conftest import wheel
from tests.outlets.parcels import parcel, sent
from workbench.outlets import package_index

if TYPE_CHECKING:
    from collections.abc import Iterator

    from workbench.paths import Paths

ATTESTATION = {"version": 1, "verification_material": {}, "envelope": {}}


class PyPI(ThreadingHTTPServer):
    """Takes uploads at ``/legacy/`` as PyPI documents them, and lists them below ``/simple/``."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.forms: list[dict[str, bytes]] = []
        self.names: dict[str, str] = {}
        self.logins: list[str] = []


class Handler(BaseHTTPRequestHandler):
    server: PyPI

    def do_POST(self) -> None:
        self.server.logins.append(self.headers["Authorization"])
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        form = BytesParser(policy=HTTP).parsebytes(
            head + self.rfile.read(int(self.headers["Content-Length"]))
        )
        fields = dict[str, bytes]()
        for part in form.iter_parts():
            name = str(part.get_param("name", header="content-disposition"))
            content = part.get_payload(decode=True)
            assert isinstance(content, bytes)
            fields[name] = content
            if filename := part.get_filename():
                self.server.names[filename] = hashlib.sha256(fields[name]).hexdigest()
        self.server.forms.append(fields)
        self._answer(b"OK")

    def do_GET(self) -> None:
        links = (
            f'<a href="/{name}#sha256={sha256}">{name}</a>' for name, sha256 in self.server.names.items()
        )
        self._answer(f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode())

    def log_message(self, *_: object) -> None:
        pass

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving() -> Iterator[PyPI]:
    with PyPI() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def pypi(monkeypatch: pytest.MonkeyPatch) -> Iterator[PyPI]:
    """Return a stand-in for PyPI, which ``--to pypi`` means."""
    with serving() as server:
        host = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setattr(package_index, "PYPI", (f"{host}/legacy/", f"{host}/simple/"))
        for each in ("PYPI_API_TOKEN", "PYPI_ID_TOKEN"):
            monkeypatch.delenv(each, raising=False)
        yield server


def test_a_cis_identity_sends_it_along(pypi: PyPI, paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYPI_ID_TOKEN", "an identity")
    monkeypatch.setattr(Private, "make_trusted_publishing_token", lambda _: "t0ken")
    made = parcel(wheel(paths.wheels))
    sent([replace(made, attestation=ATTESTATION)], "pypi", paths.root)
    (form,) = pypi.forms
    assert json.loads(form["attestations"]) == [ATTESTATION]
    assert form["sha256_digest"].decode() == made.sha256


def test_a_cis_token_is_asked_for_anew_before_it_expires(
    pypi: PyPI, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYPI_ID_TOKEN", "an identity")
    tokens = (f"t0ken-{number}" for number in count())
    monkeypatch.setattr(Private, "make_trusted_publishing_token", lambda _: next(tokens))
    parcels = [parcel(wheel(paths.wheels, version)) for version in ("1.0", "1.1")]
    sent(parcels, "pypi", paths.root)
    assert len(set(pypi.logins)) == 1
    monkeypatch.setattr(package_index, "CI_TOKEN_SECONDS", -1)  # as if each answer took that long
    sent([parcel(wheel(paths.wheels, version)) for version in ("1.2", "1.3")], "pypi", paths.root)
    assert len(set(pypi.logins)) == 3


def test_a_token_cannot_and_that_is_said(
    pypi: PyPI, paths: Paths, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYPI_API_TOKEN", "pypi-t0ken")
    made = parcel(wheel(paths.wheels))
    sent([replace(made, attestation=ATTESTATION)], "pypi", paths.root)
    (form,) = pypi.forms
    assert "attestations" not in form
    said = capfd.readouterr().err
    assert f"{made.filename} goes without its attestation: PyPI takes one by trusted publishing" in said


def test_a_wheel_without_one_is_sent_as_ever(
    pypi: PyPI, paths: Paths, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PYPI_API_TOKEN", "pypi-t0ken")
    sent([parcel(wheel(paths.wheels))], "pypi", paths.root)
    assert ("attestations" in pypi.forms[0], "attestation" in capfd.readouterr().err) == (False, False)
