"""Against pypiserver and devpi, which want a password, and answer the same uploads in different ways."""

from __future__ import annotations

import json
import os
import re
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urljoin

import pytest

from tests.forked import invoke
from tests.outlets.conftest import wheel
from tests.outlets.indexes import PASSWORD, USER, asked, devpi, pypiserver
from tests.outlets.parcels import parcel, sending, sent
from workbench.errors import FilenameTaken, OutletError, SettingsError, UsageError, VerificationFailed
from workbench.make.verification import verified
from workbench.outlets.credentials import index_login, variables_for
from workbench.outlets.delivery import advise
from workbench.outlets.outlet import Held
from workbench.outlets.package_index import PackageIndex
from workbench.outlets.places import open_outlets, places
from workbench.pipeline.sending import send

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from workbench.paths import Paths


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Return the URLs that take uploads: of pypiserver, and of a devpi's two indexes."""
    folder = tmp_path_factory.mktemp("indexes")
    with pypiserver(folder / "pypi") as plain, devpi(folder / "devpi") as other:
        yield {
            "pypiserver": plain,
            "stable": f"{other}{USER}/stable/",
            "volatile": f"{other}{USER}/volatile/",
        }


@pytest.fixture(params=["pypiserver", "stable", "volatile"])
def url(servers: dict[str, str], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of an index that takes uploads; this process has the login for it."""
    found = servers[request.param]
    monkeypatch.setenv(variables_for(found, found)[0], f"{USER}:{PASSWORD}")
    return found


def listed(url: str, project: str) -> dict[str, bytes]:
    """Return what an index has of a project, by filename."""
    root = f"{url}simple/" if url.count("/") == 3 else f"{url}+simple/"
    text = asked(f"{root}{project}/").decode()
    links = [urljoin(f"{root}{project}/", href) for href in re.findall(r'href="([^"#]+)', text)]
    return {link.rpartition("/")[2]: asked(link) for link in links if link.endswith(".whl")}


def test_the_same_bytes_count_as_sent_and_others_are_never_taken(
    url: str, paths: Paths, tmp_path: Path
) -> None:
    wheels = [wheel(paths.wheels, version, name="same") for version in ("1.0", "1.1")]
    first = invoke("upload", *wheels, "--to", url, "--json")
    assert first.status == 0, first.stderr
    (outlet,) = json.loads(first.stdout)["outlets"]
    assert outlet["sent"] == [each.name for each in wheels]
    assert listed(url, "same") == {each.name: each.read_bytes() for each in wheels}
    assert PASSWORD not in first.stdout + first.stderr

    assert sent([parcel(each) for each in wheels], url, paths.root).sent == ()
    other = parcel(wheel(tmp_path / "other", name="same", content=b"answer = 43\n"))
    with pytest.raises(FilenameTaken, match="other bytes"):
        sent([other], url, paths.root)
    # and where somebody was quicker, after it was asked what is there
    (outlet,) = open_outlets([url], paths.root).values()
    assert outlet.send([parcel(wheels[0])], lambda _: None).keys() == {wheels[0].name}
    if "volatile" not in url:
        with pytest.raises(FilenameTaken, match="other bytes"):
            outlet.send([other], lambda _: None)
        assert listed(url, "same") == {each.name: each.read_bytes() for each in wheels}


def test_a_wrong_password_is_told_and_nothing_is_sent(
    url: str, paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variables_for(url, url)[0], f"{USER}:wr0ng-wr0ng")
    done = invoke("upload", wheel(paths.wheels, name="wrong"), "--to", url)
    assert done.status == 23, done.stderr
    assert f"refuses the login from the variable {variables_for(url, url)[0]}" in done.stderr
    assert "wr0ng" not in done.stdout + done.stderr


def test_killed_while_it_sends_the_same_command_comes_to_the_same_end(url: str, paths: Paths) -> None:
    wheels = [
        wheel(paths.wheels, version, name="killed", size=2_000_000) for version in ("1.0", "1.1", "1.2")
    ]
    parcels = [parcel(each) for each in wheels]
    process = sending(parcels, url, paths.root, os.environ)
    process.start()
    while process.is_alive():
        there = set(open_outlets([url], paths.root)[url].held(parcels[0].subject))
        if wheels[0].name in there:
            process.kill()
            break
    process.join()
    sent(parcels, url, paths.root)
    assert listed(url, "killed") == {each.name: each.read_bytes() for each in wheels}


def test_what_is_no_index_is_told_before_anything_is_sent(servers: dict[str, str], paths: Paths) -> None:
    parcels = [parcel(wheel(paths.wheels))]
    with pytest.raises(OutletError, match="nobody knows what is there, so nothing is sent"):
        sent(parcels, f"{servers['pypiserver']}nowhere/", paths.root)


def test_a_simple_api_elsewhere_is_named_behind_the_url(
    servers: dict[str, str], paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = servers["pypiserver"]
    monkeypatch.setenv(variables_for(plain, plain)[0], f"{USER}:{PASSWORD}")
    made = parcel(wheel(paths.wheels, name="apart"))
    for simple in ("simple/", f"{plain}simple/"):
        done = sent([made], f"{plain}#simple={simple}", paths.root)
        assert (done.place, list(done.urls)) == (plain, [made.filename])
    other = parcel(wheel(paths.wheels, "1.1", name="apart"))
    with pytest.raises(OutletError, match="nobody knows what is there"):
        sent([other], f"{plain}#simple=../nowhere/", paths.root)
    with pytest.raises(OutletError, match="no login is sent over plain http"):
        sent([other], f"{plain}#simple=http://example.com/simple/", paths.root)
    assert other.filename not in listed(plain, "apart")


class _Moved(BaseHTTPRequestHandler):
    """An index that has nothing, and takes uploads elsewhere."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(307)
        self.send_header("Location", "/legacy/")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def test_an_index_that_moved_is_told_with_the_url(paths: Paths) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Moved)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/"
    try:
        with pytest.raises(OutletError, match=f"307, it redirects to {url}legacy/: write that URL"):
            sent([parcel(wheel(paths.wheels))], url, paths.root)
    finally:
        server.shutdown()
        server.server_close()


def test_a_login_goes_to_the_index_alone(
    servers: dict[str, str], paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not to whatever host it names for a file, of which it tells no hash."""
    plain = servers["pypiserver"]
    monkeypatch.setenv(variables_for(plain, plain)[0], f"{USER}:{PASSWORD}")
    (outlet,) = open_outlets([plain], paths.root).values()
    told: list[dict[str, str]] = []

    def read_through(*_: object, headers: dict[str, str]) -> tuple[str, int]:
        told.append(headers)
        return "0" * 64, 1

    monkeypatch.setattr("workbench.outlets.package_index.Fetcher.read_through", read_through)
    for url in (f"{plain}packages/demo.whl", "http://files.example.com/demo.whl"):
        outlet.sha256_of(Held(filename="demo.whl", url=url))
    assert [list(each) for each in told] == [["Authorization"], []]


def test_no_login_goes_over_plain_http(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    url = "http://wheels.example.com/"
    monkeypatch.setenv("WORKBENCH_TOKEN_WHEELS_EXAMPLE_COM", "ada:secret-secret")
    with pytest.raises(OutletError, match="no login is sent over plain http"):
        index_login(paths.root, url, url)


def test_pypi_is_not_sent_what_it_refuses(paths: Paths, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYPI_API_TOKEN", "pypi-token-token")
    local = parcel(wheel(paths.wheels, "1.0+cu130"))
    with pytest.raises(UsageError, match="takes no local version"):
        sent([local], "pypi", paths.root)
    bare = parcel(wheel(paths.wheels, tag="cp311-cp311-linux_x86_64"))
    with pytest.raises(UsageError, match="repair"):
        sent([bare], "testpypi", paths.root)


def test_where_logins_come_from(paths: Paths, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A variable comes before ``.pypirc``, that before ``.env``, which others must not be able to read."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("PYPI_API_TOKEN", raising=False)
    dotenv, pypirc = paths.root / ".env", tmp_path / ".pypirc"
    dotenv.write_text('# mine\nexport PYPI_API_TOKEN="pypi-of-$dotenv"  # the token\n')
    dotenv.chmod(0o644)

    def login() -> tuple[str, str, str]:
        found = index_login(paths.root, "pypi", "https://upload.pypi.org/legacy/")
        assert found is not None
        assert found.secret not in repr(found)
        return found.user, found.secret, found.origin

    with pytest.raises(SettingsError, match="chmod 600"):
        login()
    dotenv.chmod(0o600)
    assert login() == ("__token__", "pypi-of-$dotenv", f"{dotenv}: PYPI_API_TOKEN")
    pypirc.write_text("[pypi]\nusername = ada\npassword = 100%-mine\n")
    assert login() == ("ada", "100%-mine", f"{pypirc} [pypi]")
    pypirc.write_text("[pypi]\nrepository = https://pypi.example.com/\npassword = for-example-com\n")
    assert login()[1] == "pypi-of-$dotenv", "what is for another index goes to that alone"
    pypirc.write_text("[mine]\nrepository = https://upload.pypi.org/legacy\npassword = mine-mine\n")
    assert login() == ("__token__", "mine-mine", f"{pypirc} [mine]")
    monkeypatch.setenv("PYPI_API_TOKEN", "pypi-of-variable")
    assert login() == ("__token__", "pypi-of-variable", "the variable PYPI_API_TOKEN")
    monkeypatch.delenv("PYPI_API_TOKEN")
    pypirc.unlink()
    dotenv.write_text("PYPI_API_TOKEN=ada:a#b #c\n")
    assert login()[:2] == ("ada", "a#b")
    dotenv.write_text("PYPI_API_TOKEN=ada:\xe9", encoding="latin-1")
    with pytest.raises(SettingsError, match="not UTF-8"):
        login()
    dotenv.write_text("PYPI_API_TOKEN=a b\n")
    with pytest.raises(SettingsError, match=r"\.env:1: write NAME=VALUE"):
        login()
    # as editors of Windows write it
    dotenv.write_text("PYPI_API_TOKEN=behind-a-mark\n", encoding="utf-8-sig")
    assert login()[1] == "behind-a-mark"
    dotenv.unlink()
    dotenv.mkdir()
    with pytest.raises(SettingsError, match=r"\.env is a folder"):
        login()


def test_an_index_that_cannot_be_asked_for_a_cis_token_is_told_in_plain_words(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(paths.root))
    monkeypatch.delenv("PYPI_API_TOKEN", raising=False)
    monkeypatch.setenv("PYPI_ID_TOKEN", "an-identity")
    with pytest.raises(OutletError, match=r"no token \(trusted publishing\): Connection refused$"):
        index_login(paths.root, "pypi", "https://127.0.0.1:1/legacy/")


def test_a_failure_stops_the_places_behind_it(
    servers: dict[str, str], paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, volatile = servers["pypiserver"], servers["volatile"]
    for each in (plain, volatile):
        monkeypatch.setenv(variables_for(each, each)[0], f"{USER}:{PASSWORD}")
    made = wheel(paths.wheels, name="order")
    done = invoke("upload", made, "--to", f"{volatile},{plain}", "--json")
    assert [each["outlet"] for each in json.loads(done.stdout)["outlets"]] == [volatile, plain]
    other = wheel(paths.wheels, "1.1", name="order")
    monkeypatch.setenv(variables_for(plain, plain)[0], f"{USER}:wr0ng-wr0ng")
    before = listed(volatile, "order")
    assert invoke("upload", other, "--to", f"{volatile},{plain}").status == 23
    assert listed(volatile, "order") == before, "all are asked before anything is sent to any"


def test_what_an_index_does_not_list_yet_is_not_registered(
    servers: dict[str, str], paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = servers["pypiserver"]
    monkeypatch.setenv(variables_for(url, url)[0], f"{USER}:{PASSWORD}")
    made = wheel(paths.wheels, name="late")
    monkeypatch.setattr(PackageIndex, "_upload", lambda *_: None)  # taken, and listed some time later
    reports = verified([made], paths, recipes=False)
    with pytest.raises(OutletError, match=f"does not list {made.name} yet: run the same command again"):
        send(
            reports, (url, "index"), open_outlets([url], paths.root), site=lambda _: pytest.fail("registered")
        )
    (delivered,) = send(
        reports, (url,), open_outlets([url], paths.root), site=lambda _: pytest.fail("registered")
    ).delivered
    assert (delivered.urls, delivered.lines()[0]) == ({}, f"{url}: 1 wheel sent")


@pytest.mark.parametrize(
    "to",
    [
        "https://host:port/legacy/",
        "https://[::1/legacy/",
        "https:///legacy/",
        "https://host/#simple=https://host:port/",
        "https://host/#simple=ftp://host/",
    ],
)
def test_what_is_no_url_is_told(to: str) -> None:
    with pytest.raises(UsageError, match="not a URL"):
        places(to)


@pytest.mark.parametrize(
    ("to", "told"),
    [
        ("ftp://x/", "unknown place: write site, github"),
        ("pypii", "did you mean 'pypi'"),
        ("site:v1", "did you mean 'site'"),
        ("pypi,index:v1", "did you mean 'index'"),
        ("github:{foo}", "--to github:{foo}: unknown field {foo}"),
        ("github:a..b", "--to github:a..b: it cannot be a tag"),
        ("pypi:x", "pypi takes nothing behind a colon"),
        ("https://x/#what", "behind the URL for uploads stands nothing"),
        ("https://x/#simple=", "behind the URL for uploads stands nothing"),
    ],
)
def test_an_unknown_place_is_told_before_a_wheel_is_looked_at(to: str, told: str, paths: Paths) -> None:
    refused = invoke("upload", paths.wheels / "not-there.whl", "--to", to)
    assert (refused.status, told in refused.stderr) == (2, True), refused.stderr


def test_places_are_read_as_they_are_written() -> None:
    assert places("") == ("site",)
    assert places("pypi, github:v1,pypi") == ("pypi", "github:v1")
    assert places("github,site", skip_github=True) == ("site",)
    with pytest.raises(UsageError, match="leaves nothing"):
        places("github:v1", skip_github=True)


def test_what_an_index_would_show_badly_is_advice_unless_it_is_strict(
    paths: Paths, capfd: pytest.CaptureFixture[str]
) -> None:
    made = parcel(wheel(paths.wheels))
    bare = replace(made, metadata=b"Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n")
    untyped = replace(made, metadata=bare.metadata + b"\nHello\n")
    advise([bare, untyped], strict=False)
    said = capfd.readouterr().err
    assert "it has no description" in said
    assert "no content type" in said
    with pytest.raises(VerificationFailed, match="it has no description"):
        advise([bare], strict=True)
