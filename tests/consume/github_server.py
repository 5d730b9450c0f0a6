"""A server that answers as GitHub's REST API is documented to, for the releases of repositories; and their files.

with github() as server:
    server.repository("ada/wheels").release("v1", ["demo-1.0-py3-none-any.whl"])
    source = f'kind = "github"\nrepository = "ada/wheels"\napi = "{server.api}"'
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import parse_qs, unquote, urlsplit

from tests.serving import serving

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

UPDATED = "2026-11-20T10:00:00Z"
MOST_A_PAGE = 100


@dataclass
class Repository:
    """A repository: `releases` as the API lists them, newest first. A private one is 404 to whoever has no token.

    A browser's address of a private one's files is 404 to every program: those ask for `assets`, by their number.
    """

    name: str
    number: int
    web: str
    private: bool = False
    releases: list[dict[str, Any]] = field(default_factory=list)
    files: dict[str, bytes] = field(default_factory=dict)
    assets: dict[int, bytes] = field(default_factory=dict)

    def release(
        self,
        tag: str,
        names: Iterable[str],
        *,
        contents: Mapping[str, bytes] | None = None,
        draft: bool = False,
        state: str = "uploaded",
        digests: bool = True,
        updated: str = UPDATED,
    ) -> dict[str, Any]:
        """Add a release before the others, with files of these names; those in `contents` can be downloaded.

        The digest of another is that of its tag and name. A `state` of ``starter`` is an upload that broke off.
        """
        assets: list[dict[str, Any]] = []
        for name in names:
            path = f"/{self.name}/releases/download/{tag}/{name}"
            content = (contents or {}).get(name)
            number = sum(len(each["assets"]) for each in self.releases) + len(assets) + 1
            if content is not None:
                self.files[path] = self.assets[number] = content
            sha256 = hashlib.sha256(f"{tag}/{name}".encode() if content is None else content).hexdigest()
            assets.append(
                {
                    "id": number,
                    "name": name,
                    "state": state,
                    "size": 1234 if content is None else len(content),
                    "digest": f"sha256:{sha256}" if digests else None,
                    "updated_at": updated,
                    "url": f"{self.web}/repos/{self.name}/releases/assets/{number}",
                    "browser_download_url": f"{self.web}{path.replace('+', '%2B')}",
                }
            )
        made = {"id": len(self.releases) + 1, "tag_name": tag, "draft": draft, "assets": assets}
        self.releases.insert(0, made)
        return made

    def release_paths(self, paths: Iterable[str]) -> None:
        """Add releases with the files of paths that end in ``TAG/NAME``, each tag in the order of its first."""
        by_tag: dict[str, list[str]] = {}
        for path in paths:
            *_, tag, name = path.split("/")
            by_tag.setdefault(tag, []).append(name)
        for tag, names in by_tag.items():
            self.release(tag, names)


@dataclass(frozen=True)
class Asked:
    """A request that came: its path with its query, its headers by name in lower case, and what was answered."""

    path: str
    headers: dict[str, str]
    status: int


class GitHub(ThreadingHTTPServer):
    """See `github`. What it does otherwise than well is set by a test.

    `remaining` are the requests before the limit, which then is answered with `limit_status`; `reset` is when it ends.
    `retry_after` makes it a secondary limit, which is reached at once. `tokens` are those that are valid. `moved` sends
    the old name of a repository to the new one's by 301. `instead` answers a path with a status, headers and a body.
    """

    daemon_threads = True
    block_on_close = False
    handler: type[GitHubHandler]

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.repositories: dict[str, Repository] = {}
        self.tokens: set[str] = set()
        self.remaining: int | None = None
        self.limit_status = 403
        self.reset = 0
        self.retry_after: int | None = None
        self.moved: dict[str, str] = {}
        self.instead: dict[str, tuple[int, dict[str, str], bytes]] = {}
        super().__init__(("127.0.0.1", 0), self.handler)

    @property
    def api(self) -> str:
        """The base of the API."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def repository(self, name: str, *, private: bool = False) -> Repository:
        """Add a repository, ``OWNER/NAME``."""
        number = 1000 + len(self.repositories)
        made = self.repositories[name] = Repository(name, number, self.api, private)
        return made

    def by_path(self, path: str) -> Repository | None:
        """Return the repository whose releases are at a path, by its name or, as in GitHub's links, its number."""
        words = path.strip("/").split("/")
        if words[0] == "repos" and words[3:] == ["releases"]:
            return self.repositories.get("/".join(words[1:3]))
        if words[0] == "repositories" and words[2:] == ["releases"]:
            return next((each for each in self.repositories.values() if str(each.number) == words[1]), None)
        return None


class GitHubHandler(BaseHTTPRequestHandler):
    server: GitHub
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        token = self.headers.get("Authorization", "").rpartition(" ")[2]
        if given := self.server.instead.get(url.path):
            self._answer(*given)
        elif token and token not in self.server.tokens:
            self._say(401, "Bad credentials")
        elif self.server.retry_after is not None:
            headers = {"retry-after": str(self.server.retry_after)}
            self._say(self.server.limit_status, "You have exceeded a secondary rate limit.", headers)
        elif self.server.remaining is not None and self.server.remaining <= 0:
            self._say(self.server.limit_status, "API rate limit exceeded for 127.0.0.1.")
        elif new := next(
            (new for old, new in self.server.moved.items() if url.path.startswith(f"/repos/{old}/")), ""
        ):
            number = self.server.repositories[new].number
            there = f"{self.server.api}/repositories/{number}/releases?{url.query}"
            self._say(301, "Moved Permanently", {"Location": there})
        elif content := self._content(unquote(url.path)):
            self._answer(200, {"Content-Type": "application/octet-stream"}, content)
        elif url.path.startswith("/signed/"):
            self._signed(*url.path.split("/")[2:])
        elif asset := re.fullmatch(r"/repos/(\S+/\S+)/releases/assets/(\d+)", url.path):
            self._asset(self.server.repositories.get(asset[1]), int(asset[2]), token)
        elif named := re.fullmatch(r"/repos/([^/]+/[^/]+)", url.path):
            self._about(self.server.repositories.get(named[1]), token)
        else:
            self._releases(self.server.by_path(url.path), token, parse_qs(url.query))

    do_HEAD = do_GET  # noqa: N815 - http.server's name

    def _content(self, path: str) -> bytes | None:
        found = (each.files.get(path) for each in self.server.repositories.values() if not each.private)
        return next((content for content in found if content is not None), None)

    def _about(self, repository: Repository | None, token: str) -> None:
        if repository is None or (repository.private and not token):
            self._say(404, "Not Found")
        else:
            self._answer(200, {}, json.dumps({"private": repository.private}).encode())

    def _asset(self, repository: Repository | None, number: int, token: str) -> None:
        """Answer for a file by its number: with facts, or where its bytes are for a while, on another host."""
        if repository is None or number not in repository.assets or (repository.private and not token):
            self._say(404, "Not Found")
        elif self.headers.get("Accept") != "application/octet-stream":
            self._answer(200, {}, json.dumps({"id": number}).encode())
        else:
            there = f"http://localhost:{self.server.server_address[1]}/signed/{repository.number}/{number}"
            self._answer(302, {"Location": there}, b"")

    def _signed(self, repository: str, number: str) -> None:
        """Give a file's bytes to whoever has its signed URL; with a login besides, as storage does, nothing."""
        (found,) = (each for each in self.server.repositories.values() if str(each.number) == repository)
        if "Authorization" in self.headers:
            self._say(400, "Only one auth mechanism allowed")
        else:
            content = found.assets[int(number)]
            self._answer(200, {"Content-Type": "application/octet-stream"}, content)

    def _releases(self, repository: Repository | None, token: str, query: dict[str, list[str]]) -> None:
        if repository is None or (repository.private and not token):
            self._say(404, "Not Found")
            return
        count = min(int(query.get("per_page", ["30"])[0]), MOST_A_PAGE)
        page = int(query.get("page", ["1"])[0])
        last = max(1, -(-len(repository.releases) // count))
        body = json.dumps(repository.releases[(page - 1) * count : page * count]).encode()
        etag = f'W/"{hashlib.sha256(body + token.encode()).hexdigest()}"'
        headers = {"ETag": etag}
        base = f"{self.server.api}/repositories/{repository.number}/releases?per_page={count}&page="
        if page < last:
            headers["Link"] = f'<{base}{page + 1}>; rel="next", <{base}{last}>; rel="last"'
        if self.headers.get("If-None-Match") == etag:
            self._answer(304, headers, b"", costs=not token)
        else:
            self._answer(200, headers, body)

    def _say(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        self._answer(status, headers or {}, json.dumps({"message": message}).encode())

    def _answer(self, status: int, headers: dict[str, str], body: bytes, *, costs: bool = True) -> None:
        server = self.server
        server.asked.append(
            Asked(self.path, {name.lower(): value for name, value in self.headers.items()}, status)
        )
        sent = {"Content-Type": "application/json; charset=utf-8", **headers}
        if server.remaining is not None:
            server.remaining -= costs and status < 400
            sent |= {
                "x-ratelimit-limit": "60",
                "x-ratelimit-remaining": str(max(0, server.remaining)),
                "x-ratelimit-reset": str(server.reset or int(time.time()) + 600),
                "x-ratelimit-resource": "core",
            }
        self.send_response(status)
        for name, value in sent.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


GitHub.handler = GitHubHandler

Server = TypeVar("Server", bound=GitHub)


@contextmanager
def github() -> Iterator[GitHub]:
    """Serve while the block runs."""
    with serving(GitHub()) as server:
        yield server
