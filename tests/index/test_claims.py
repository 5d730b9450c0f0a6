"""What check-index says of pip and uv, tried on both: an error stops one of them, a warning stops neither."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.index.hosts import (
    ANCHOR,
    FILENAME,
    METADATA,
    METADATA_SHA256,
    SHA256,
    WHEEL,
    Host,
    document,
    html,
    http,
)
from workbench.environment import Environment
from workbench.process import environment
from workbench.simple import JSON
from workbench.simple.check import check_index

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture(scope="module")
def pip(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Return an environment with the pip of today, which may not be the one that Python brings."""
    made = Environment.create(tmp_path_factory.mktemp("pip") / "env", python=sys.executable)
    made.install(["pip>=26"])
    return made


def installs(*argv: str | Path, target: Path) -> bool:
    """Say whether an installer puts demo into a folder, by no configuration but its arguments."""
    env = {key: value for key, value in environment().items() if not key.startswith(("PIP_", "UV_"))}
    env["PIP_CONFIG_FILE"] = os.devnull
    done = subprocess.run([*argv, "--target", target, "demo"], capture_output=True, check=False, env=env)
    return done.returncode == 0 and (target / "demo.py").is_file()


def stopped(root: str, pip: Environment, tmp_path: Path) -> tuple[bool, bool]:
    """Say which of pip and uv do not install demo from an index."""
    as_pip = ["-m", "pip", "install", "--quiet", "--no-cache-dir", "--index-url"]
    as_uv = ["pip", "install", "--quiet", "--no-cache", "--no-config", "--python"]
    return (
        not installs(pip.python, *as_pip, root, target=tmp_path / "pip"),
        not installs("uv", *as_uv, pip.python, "--default-index", root, target=tmp_path / "uv"),
    )


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What is said of an index, and who does not install from it.

    `page` stands instead of the project's own; `change` changes other answers of the host.
    """

    says: str
    stops: tuple[bool, bool]
    page: str = ""
    change: Callable[[Host], object] | None = None


PIP, UV, BOTH, NONE = (True, False), (False, True), (True, True), (False, False)
FILE = f"/files/{FILENAME}"
WRONG = "0" * 64


def changed(old: str, new: str) -> str:
    """Return the project's page with its anchor changed."""
    assert old in ANCHOR
    return html(ANCHOR.replace(old, new))


def served_as(kind: str | None, page: str | bytes) -> Callable[[Host], object]:
    return lambda host: host.answers.update({"/simple/demo/": http(page, kind)})


def without(path: str) -> Callable[[Host], object]:
    return lambda host: host.answers.pop(path)


def elsewhere(host: Host) -> None:
    host.answers["/other/demo/"] = host.answers.pop("/simple/demo/")
    host.answers["/simple/"] = http(html('<a href="../other/demo/">demo</a>'))


QUARANTINED = '<meta name="pypi:project-status" content="quarantined">'
SHA1 = f"sha1={hashlib.sha1(WHEEL, usedforsecurity=False).hexdigest()}"
ERRORS = [
    # pages
    Fault(says="demo is listed, but could not be downloaded: 404", change=elsewhere, stops=BOTH),
    Fault(says="JSON as application/json", change=served_as("application/json", document()), stops=BOTH),
    Fault(says="JSON as text/html", change=served_as("text/html", document()), stops=BOTH),
    Fault(says="a page as text/plain", change=served_as("text/plain", html(ANCHOR)), stops=BOTH),
    Fault(says="cannot be read", change=served_as(JSON, html(ANCHOR)), stops=BOTH),
    Fault(says="is not utf-8", change=served_as("text/html", html(f"{ANCHOR}é").encode("latin-1")), stops=PIP),
    Fault(says="is not absolute", page=html(ANCHOR.replace("../../", ""), head='<base href="/">'), stops=BOTH),
    Fault(says="is not a URL: pip stops", page=html(f'{ANCHOR}<a href="http://[bad/">x</a>'), stops=PIP),
    Fault(says="has a hash by sha1: uv", page=changed(f"sha256={SHA256}", SHA1), stops=UV),
    Fault(says="is quarantined", page=html(ANCHOR, head=QUARANTINED), stops=NONE),
    Fault(says="not what PEP 792 defines", page=document(keys={"project-status": "active"}), stops=UV),
    Fault(says="listed twice", page=html(ANCHOR + ANCHOR.replace(SHA256, WRONG)), stops=PIP),
    Fault(says="listed twice", page=html(ANCHOR.replace(SHA256, WRONG) + ANCHOR), stops=UV),
    # what they say of a file
    Fault(says="filename is missing", page=document(without=("filename",)), stops=UV),
    Fault(says="hashes is missing", page=document(without=("hashes",)), stops=UV),
    Fault(says="yanked is None", page=document(file={"yanked": None}), stops=UV),
    Fault(says="requires-python is 5", page=document(file={"requires-python": 5}), stops=BOTH),
    Fault(says="is not a URL: pip stops", page=document(file={"url": "http://[bad/"}), stops=BOTH),
    Fault(says="pip uses that name", page=document(file={"filename": "demo-2.0-py3-none-any.whl"}), stops=UV),
    Fault(says="sha256 is not 64", page=changed(SHA256, SHA256[:20]), stops=BOTH),
    Fault(says="not a valid specifier", page=changed("<a ", '<a data-requires-python="three" '), stops=UV),
    Fault(says="not a time with a zone", page=document(file={"upload-time": "2026-11-20T10:00:00"}), stops=UV),
    # the files
    Fault(says="dead link: 404", change=without(FILE), stops=BOTH),
    Fault(says="does not have the sha256 that the page says: installers", page=changed(SHA256, WRONG), stops=BOTH),
    Fault(says="404 Not Found: pip and uv stop", change=without(f"{FILE}.metadata"), stops=BOTH),
    Fault(says="page says: pip and uv stop", page=html(ANCHOR.replace(METADATA_SHA256, WRONG)), stops=BOTH),
]  # fmt: skip


def test_they_install_from_a_sound_index(host: Host, pip: Environment, tmp_path: Path) -> None:
    assert check_index(host.root, hashes=True).findings == ()
    assert stopped(host.root, pip, tmp_path) == NONE


@pytest.mark.parametrize("fault", ERRORS, ids=lambda fault: fault.says)
def test_an_error_stops_whom_it_says(host: Host, pip: Environment, tmp_path: Path, fault: Fault) -> None:
    if fault.page:
        host.page(fault.page)
    if fault.change:
        fault.change(host)
    found = check_index(host.root, hashes=True).findings
    assert [each for each in found if fault.says in each.what and each.severity == "error"], found
    assert stopped(host.root, pip, tmp_path) == fault.stops


def html_with_warnings(host: Host) -> set[str]:
    """Make a site of HTML on which nothing is as it should be, and return what must be said of it."""
    root = html('<a href="demo/index.html">demo</a><a href="x">a word</a>')
    host.answers["/simple/"] = http(root, "text/plain")
    anchors = (
        ANCHOR.replace(f">{FILENAME}", ">something else")
        .replace("<a ", '<a data-upload-time="yesterday" data-provenance="http://example.com/x" ')
        .replace(f'dist-info-metadata="sha256={METADATA_SHA256}', 'dist-info-metadata="sha256=1'),
        '<a href="../../files/demo.tar.bz2">demo.tar.bz2</a>',
        '<a href="../../files/other-1.0-py3-none-any.whl">other-1.0-py3-none-any.whl</a>',
        '<a href="../../files/demo-0.1+local-py3-none-any.whl">demo-0.1+local-py3-none-any.whl</a>',
    )
    status = '<meta name="pypi:project-status" content="sleeping">'
    page = html("".join(anchors), head=status).replace('content="1.4"', 'content="2.0"')
    host.answers["/real/demo/"] = http(page.removeprefix("<!DOCTYPE html>"))
    host.answers["/simple/demo/"] = http("", status="302 Found", Location="/real/demo/")
    for name in ("demo.tar.bz2", "other-1.0-py3-none-any.whl", "demo-0.1+local-py3-none-any.whl"):
        host.answers[f"/files/{name}"] = http(WHEEL, "application/octet-stream")
    return {
        "a page as text/plain",
        "its link demo/index.html does not lead to demo/",
        "'a word', a link to x, is not a project",
        "redirects to",
        "no <!DOCTYPE",
        "API version 2.0",
        "project-status 'sleeping'",
        "the name that installers use",
        "upload-time 'yesterday'",
        "not an absolute https URL",
        "differ (PEP 714)",
        "no hash",
        "no metadata file",
        "pip may take it",
        "belongs to the project other",
        "unquoted +",
    }


def json_with_warnings(host: Host) -> set[str]:
    host.answers["/simple/"] = http(html('<a href="demo">demo</a><a href="demo/">Demo</a>'))
    host.page(
        document(
            keys={
                "meta": {"api-version": "1.9"},
                "name": "Demo",
                "versions": ["bad version"],
                "project-status": {"status": "sleeping"},
            },
            file={
                "hashes": {"sha1": SHA1.partition("=")[2]},
                "core-metadata": {"sha1": hashlib.sha1(METADATA, usedforsecurity=False).hexdigest()},
                "upload-time": "2026-11-20T10:00:00+02:00",
                "size": 3,
            },
        )
    )
    return {
        "lacks the slash",
        "are the same project",
        "name is 'Demo'",
        "versions has 'bad version'",
        "versions lacks 1.0",
        "hashed by sha1 instead of sha256",
        "core-metadata is not hashed by sha256",
        "upload-time '2026-11-20T10:00:00+02:00'",
        "and the page says 3",
        "project-status 'sleeping'",
    }


def json_that_lacks(host: Host) -> set[str]:
    host.page(document(keys={"meta": {"api-version": 1.4}}, without=("versions", "size")))
    return {"API version 1.4 is not a string", "versions is missing", "size is missing"}


@pytest.mark.parametrize("spoil", [html_with_warnings, json_with_warnings, json_that_lacks])
def test_a_warning_stops_neither(
    host: Host, pip: Environment, tmp_path: Path, spoil: Callable[[Host], set[str]]
) -> None:
    expected = spoil(host)
    found = check_index(host.root, hashes=True).findings
    assert {each.severity for each in found} == {"warning"}, found
    assert not {text for text in expected if not any(text in each.what for each in found)}, found
    assert stopped(host.root, pip, tmp_path) == NONE


def test_what_dumb_pypi_makes_installs_and_costs_a_warning(
    host: Host, pip: Environment, tmp_path: Path
) -> None:
    """Its root links to ``demo/index.html``, where no installer looks; they look at ``demo/``, and there it is."""
    pip.install(["dumb-pypi"])
    listed = tmp_path / "packages.json"
    listed.write_text(json.dumps({"filename": FILENAME, "hash": f"sha256={SHA256}"}))
    site = tmp_path / "site"
    program: list[str | Path] = [pip.path / "bin" / "dumb-pypi", "--package-list-json", listed]
    subprocess.run([*program, "--output-dir", site, "--packages-url", "../../files/"], check=True)
    for page in ("simple/", "simple/demo/"):
        host.answers[f"/{page}"] = http((site / page / "index.html").read_bytes())
    report = check_index(host.root, hashes=True)
    assert (report.projects, report.files, report.errors) == (1, 1, 0)
    assert any("demo/index.html does not lead to demo/" in each.what for each in report.findings)
    assert stopped(host.root, pip, tmp_path) == NONE
