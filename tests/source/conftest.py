"""What sources come from: Git repositories served by git's own daemon, and a package index with faults."""

from __future__ import annotations

import socketserver
import subprocess
from base64 import b64decode
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from tests.serving import held_port, serving
from workbench.process import environment, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

WHO = ("-c", "user.name=A", "-c", "user.email=a@example.invalid", "-c", "init.defaultBranch=main")


@dataclass(frozen=True)
class Repository:
    """A bare repository that is served at `url`, and a work tree that pushes to it."""

    url: str
    bare: Path
    work: Path

    def git(self, *argv: str) -> str:
        return run(["git", *WHO, "-C", self.work, *argv]).output.strip()

    def commit(self, path: str, text: str) -> str:
        """Write a file, commit it, push every branch and tag, and return the commit."""
        (self.work / path).parent.mkdir(parents=True, exist_ok=True)
        (self.work / path).write_text(text)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", f"{path}: {text}")
        self.push()
        return self.git("rev-parse", "HEAD")

    def push(self) -> None:
        self.git(
            "push",
            "-q",
            "--force",
            "--prune",
            "origin",
            "refs/heads/*:refs/heads/*",
            "refs/tags/*:refs/tags/*",
        )


@dataclass(frozen=True)
class GitServer:
    """Git's own server on a loopback port, for all below `root`."""

    root: Path
    port: int

    def url(self, name: str) -> str:
        return f"git://127.0.0.1:{self.port}/{name}.git"

    def repository(self, name: str) -> Repository:
        """Make a repository with one commit on main."""
        bare, work = self.root / f"{name}.git", self.root / "work" / name
        run(["git", *WHO, "init", "-q", "--bare", bare])
        run(["git", *WHO, "init", "-q", work])
        made = Repository(url=self.url(name), bare=bare, work=work)
        made.git("remote", "add", "origin", str(bare))
        made.commit("README", "first")
        return made


@pytest.fixture
def refusing() -> Iterator[int]:
    """Return a port of loopback that nobody listens at, and that nobody else gets meanwhile."""
    with held_port() as port:
        yield port


@pytest.fixture
def git_server(tmp_path: Path) -> Iterator[GitServer]:
    """Serve what is below a folder: ``git daemon`` answers each connection, as inetd has it."""
    root = tmp_path / "served"
    root.mkdir()
    argv = [
        "git",
        "daemon",
        "--inetd",
        "--log-destination=none",
        "--export-all",
        f"--base-path={root}",
        str(root),
    ]

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            subprocess.run(argv, stdin=self.request, stdout=self.request, env=environment(), check=False)

    with serving(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)) as server:
        yield GitServer(root=root, port=server.server_address[1])


@dataclass(frozen=True)
class Answer:
    """What the index says to one request. `length` stands in for the body's own, to break off early."""

    body: bytes = b""
    status: int = 200
    content_type: str = "text/html"
    length: int | None = None


@dataclass(frozen=True)
class Index:
    """A package index on loopback: `answers` by path; `asked` are the paths that were asked for,
    `logins` those that came with them."""

    url: str
    answers: dict[str, Answer] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    logins: list[str] = field(default_factory=list)

    def page(self, project: str, *links: str) -> None:
        """Serve a project's page. A link is ``filename`` or ``filename#sha256=…`` and more attributes."""
        anchors = []
        for link in links:
            target, _, attributes = link.partition(" ")
            anchors.append(f'<a href="/files/{target}" {attributes}>{target.partition("#")[0]}</a>')
        self.answers[f"/simple/{project}/"] = Answer("<br>".join(anchors).encode())

    def file(self, filename: str, body: bytes, **facts: int) -> None:
        self.answers[f"/files/{filename}"] = Answer(body, content_type="application/octet-stream", **facts)


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[Index]:
    """Serve an index, and have the workbench ask it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            if login := self.headers.get("Authorization"):
                served.logins.append(b64decode(login.removeprefix("Basic ")).decode())
            answer = served.answers.get(self.path, Answer(status=404))
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.content_type)
            self.send_header("Content-Length", str(answer.length or len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as server:
        served = Index(url=f"http://127.0.0.1:{server.server_port}/simple/")
        monkeypatch.setenv("UV_DEFAULT_INDEX", served.url)
        yield served
