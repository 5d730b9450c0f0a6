"""GitHub's REST API for releases as it is documented, to be written to: drafts, uploads on another host, their faults.

with serving(WritableGitHub()) as server:
    server.repository("ada/wheels")
    server.tokens = {"t0ken"}
    server.faults.append(Fault("POST", "/assets", "502 after"))

``python -m tests.outlets.github_server OWNER/NAME TOKEN`` serves one until Ctrl-C, and prints the base of its API.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import threading
from contextlib import suppress
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qs, quote, urlsplit

from tests.consume.github_server import MOST_A_PAGE, UPDATED, GitHub, GitHubHandler, Repository

if TYPE_CHECKING:
    from collections.abc import Callable

Way = Literal["502 before", "502 after", "half", "cut", "limit"]
"""How a request goes wrong: not done, done and not said, half of a file taken, the line cut, a limit of rates."""


@dataclass
class Fault:
    """The next request of this method whose path has these words goes wrong, but for `skip` before it."""

    method: str
    words: str
    way: Way
    skip: int = 0


class WritableGitHub(GitHub):
    """See above. `immutable` makes what is published immutable; `most_a_page` is GitHub's 100, or a test's.

    `readers` are tokens that may not write. Of none it is told that it may push: of an installation's, as Actions gives
    them, that is never told. `meanwhile` is called before each request that writes: a test may end the program there.
    """

    def __init__(self) -> None:
        super().__init__()
        self.immutable = False
        self.most_a_page = MOST_A_PAGE
        self.digests = True
        self.faults: list[Fault] = []
        self.readers: set[str] = set()
        self.meanwhile: Callable[[str, str], object] = lambda _method, _path: None
        self.numbers = 0
        self.alone = threading.Lock()

    def number(self) -> int:
        """Return a number that nothing else has."""
        self.numbers += 1
        return self.numbers

    def names(self, repository: str, tag: str, *, state: str = "uploaded") -> list[str]:
        """Return the names of the files of what is published as a tag."""
        found = [each for each in self.repositories[repository].releases if each["tag_name"] == tag]
        return sorted(
            asset["name"]
            for each in found
            if not each["draft"]
            for asset in each["assets"]
            if asset["state"] == state
        )


def _alone(answer: Callable[[_Writer], None]) -> Callable[[_Writer], None]:
    """Answer one request at a time: what a killed program asked for is done, or never is, when the next one looks."""

    @wraps(answer)
    def one(self: _Writer) -> None:
        with self.server.alone:
            answer(self)

    return one


class _Writer(GitHubHandler):
    server: WritableGitHub

    @_alone
    def do_GET(self) -> None:  # noqa: N802 - http.server's name
        if self._fails("GET"):
            return
        url = urlsplit(self.path)
        query = parse_qs(url.query)
        found = self._released(url.path)
        if not self._knows():
            self._say(401, "Bad credentials")
        elif found and url.path.endswith("/assets"):
            self._page(found[0], found[1]["assets"], url.path, query)
        elif found:
            self._answer(200, {}, json.dumps(found[1]).encode())
        elif self._repository(url.path, "/releases"):
            repository = self._repository(url.path, "/releases")
            assert repository
            seen = [each for each in repository.releases if self._token() or not each["draft"]]
            self._page(repository, seen, url.path, query)
        else:
            super().do_GET()

    @_alone
    def do_POST(self) -> None:  # noqa: N802 - http.server's name
        body = self._body("POST")
        if body is None:
            return
        url = urlsplit(self.path)
        found = self._released(url.path.removeprefix("/uploads"))
        if not self._writes():
            return
        repository = self._repository(url.path, "/releases")
        if repository:
            self._done("POST", 201, self._release(repository, json.loads(body)))
        elif found and url.path.startswith("/uploads/"):
            self._asset_of(*found, name=parse_qs(url.query)["name"][0], body=body)
        else:
            self._say(404, "Not Found")

    @_alone
    def do_PATCH(self) -> None:  # noqa: N802 - http.server's name
        body = self._body("PATCH")
        if body is None or not self._writes():
            return
        found = self._released(urlsplit(self.path).path)
        if found is None:
            self._say(404, "Not Found")
            return
        repository, release = found
        document = json.loads(body)
        twins = [each for each in repository.releases if each["tag_name"] == release["tag_name"]]
        if document.get("draft") is False and any(not each["draft"] for each in twins if each is not release):
            self._say(422, "Validation Failed: tag_name already_exists")
            return
        published = release["draft"] and document.get("draft") is False
        release.update(document)
        if published:
            release["immutable"] = self.server.immutable
            for asset in release["assets"]:
                path = f"/{repository.name}/releases/download/{quote(release['tag_name'], safe='')}/{asset['name']}"
                asset["browser_download_url"] = f"{self.server.api}{path.replace('+', '%2B')}"
                repository.files[path] = repository.assets[asset["id"]]
        self._done("PATCH", 200, release)

    @_alone
    def do_DELETE(self) -> None:  # noqa: N802 - http.server's name
        if self._body("DELETE") is None or not self._writes():
            return
        number = int(self.path.rpartition("/")[2])
        for repository in self.server.repositories.values():
            for release in repository.releases:
                kept = [each for each in release["assets"] if each["id"] != number]
                if len(kept) < len(release["assets"]):
                    if release.get("immutable"):
                        self._say(422, "Cannot delete asset from an immutable release")
                        return
                    release["assets"] = kept
                    self._answer(204, {}, b"")
                    return
        self._say(404, "Not Found")

    def _release(self, repository: Repository, document: dict[str, Any]) -> dict[str, Any]:
        number = self.server.number()
        base, web = f"{self.server.api}/repos/{repository.name}", f"{self.server.api}/{repository.name}"
        made = {
            "id": number,
            "draft": False,
            "body": "",
            "immutable": False,
            **document,
            "assets": [],
            "url": f"{base}/releases/{number}",
            "html_url": f"{web}/releases/tag/{document['tag_name']}",
            # GitHub has another host for what is uploaded
            "upload_url": f"http://localhost:{self.server.server_address[1]}/uploads/repos/{repository.name}"
            f"/releases/{number}/assets{{?name,label}}",
        }
        repository.releases.insert(0, made)
        return made

    def _asset_of(self, repository: Repository, release: dict[str, Any], *, name: str, body: bytes) -> None:
        """Take a file; of a half one its name is taken."""
        if release["immutable"]:
            self._say(422, "Cannot upload assets to an immutable release.")
            return
        if any(each["name"] == name for each in release["assets"]):
            self._say(422, "Validation Failed: already_exists")
            return
        whole = len(body) == int(self.headers["Content-Length"])
        number = self.server.number()
        tag = quote(release["tag_name"], safe="")
        path = f"/{repository.name}/releases/download/{tag}/{name}"
        asset = {
            "id": number,
            "name": re.sub(r"[^A-Za-z0-9._+-]", ".", name),
            "state": "uploaded" if whole else "starter",
            "size": len(body),
            "digest": f"sha256:{hashlib.sha256(body).hexdigest()}" if whole and self.server.digests else None,
            "updated_at": UPDATED,
            "url": f"{self.server.api}/repos/{repository.name}/releases/assets/{number}",
            "browser_download_url": f"{self.server.api}{path.replace('+', '%2B')}",
        }
        release["assets"].append(asset)
        repository.assets[number] = body
        if whole and not release["draft"]:
            repository.files[path] = body
        if whole:
            self._done("POST", 201, asset)
        else:
            self.close_connection = True

    def _token(self) -> str:
        return str(self.headers.get("Authorization", "")).rpartition(" ")[2]

    def _knows(self) -> bool:
        return not self._token() or self._token() in self.server.tokens

    def _writes(self) -> bool:
        """Say whether whoever asks may write, after answering those who may not."""
        if self._token() not in self.server.tokens:
            self._say(401 if self._token() else 404, "Bad credentials" if self._token() else "Not Found")
            return False
        if self._token() in self.server.readers:
            self._say(403, "Resource not accessible by integration")
            return False
        return True

    def _about(self, repository: Repository | None, token: str) -> None:
        if repository is None or (repository.private and not token):
            self._say(404, "Not Found")
            return
        self._answer(
            200,
            {},
            json.dumps(
                {
                    "private": repository.private,
                    "url": f"{self.server.api}/repos/{repository.name}",
                    "html_url": f"{self.server.api}/{repository.name}",
                    "permissions": {"push": False},
                }
            ).encode(),
        )

    def _repository(self, path: str, behind: str) -> Repository | None:
        found = re.fullmatch(rf"/repos/([^/]+/[^/]+){behind}", path)
        number = re.fullmatch(rf"/repositories/(\d+){behind}", path)
        for each in self.server.repositories.values():
            if (found and each.name == found[1]) or (number and each.number == int(number[1])):
                return each
        return None

    def _released(self, path: str) -> tuple[Repository, dict[str, Any]] | None:
        found = re.fullmatch(r"/repos/([^/]+/[^/]+)/releases/(\d+)(?:/assets)?", path)
        repository = self.server.repositories.get(found[1]) if found else None
        if found is None or repository is None:
            return None
        release = next((each for each in repository.releases if each["id"] == int(found[2])), None)
        return (repository, release) if release else None

    def _page(
        self, repository: Repository, rows: list[dict[str, Any]], path: str, query: dict[str, list[str]]
    ) -> None:
        count = min(int(query.get("per_page", ["30"])[0]), self.server.most_a_page)
        page = int(query.get("page", ["1"])[0])
        headers = {}
        if page * count < len(rows):
            # as GitHub does, which tells its pages by number
            there = path.replace(f"/repos/{repository.name}/", f"/repositories/{repository.number}/")
            there = path if "assets" in path else there
            headers["Link"] = f'<{self.server.api}{there}?per_page={count}&page={page + 1}>; rel="next"'
        self._answer(200, headers, json.dumps(rows[(page - 1) * count : page * count]).encode())

    def _fails(self, method: str, *ways: Way) -> Way | None:
        for fault in self.server.faults:
            if (
                fault.method == method
                and fault.words in self.path
                and fault.way in (ways or ("502 before", "limit"))
            ):
                if fault.skip:
                    fault.skip -= 1
                    return None
                self.server.faults.remove(fault)
                if fault.way == "502 before":
                    self._say(502, "Server Error")
                if fault.way == "limit":
                    self._say(403, "You have exceeded a secondary rate limit.", {"retry-after": "1"})
                return fault.way
        return None

    def _body(self, method: str) -> bytes | None:
        """Return what was sent; None where that went wrong, and the answer is given."""
        self.server.meanwhile(method, self.path)
        length = int(self.headers.get("Content-Length") or 0)
        way = self._fails(method, "half", "cut")
        if way:
            body = self.rfile.read(length // 2)
            found = self._released(urlsplit(self.path).path.removeprefix("/uploads"))
            if way == "half" and found and self._token() in self.server.tokens:
                self._asset_of(*found, name=parse_qs(urlsplit(self.path).query)["name"][0], body=body)
            self.close_connection = True
            return None
        body = b""
        with suppress(OSError):
            body = self.rfile.read(length)
        if len(body) < length:
            found = self._released(urlsplit(self.path).path.removeprefix("/uploads"))
            if found and self._token() in self.server.tokens:  # the program was killed
                self._asset_of(*found, name=parse_qs(urlsplit(self.path).query)["name"][0], body=body)
            self.close_connection = True
            return None
        return None if self._fails(method) else body

    def _done(self, method: str, status: int, document: dict[str, Any]) -> None:
        if self._fails(method, "502 after"):
            self._say(502, "Server Error")
        else:
            self._answer(status, {}, json.dumps(document).encode())


WritableGitHub.handler = _Writer


def main() -> None:
    """Serve a repository until Ctrl-C."""
    name, token = sys.argv[1:]
    server = WritableGitHub()
    server.repository(name)
    server.tokens = {token}
    sys.stdout.write(f"{server.api}\n")
    sys.stdout.flush()
    with suppress(KeyboardInterrupt):
        server.serve_forever()


if __name__ == "__main__":
    main()
