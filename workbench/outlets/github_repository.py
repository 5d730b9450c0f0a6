"""A repository on GitHub whose releases are made: drafted, filled, published, whatever goes wrong on the way."""

from __future__ import annotations

import hashlib
import os
import re
from contextlib import contextmanager
from functools import cached_property
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from workbench.errors import OutletError, UsageError
from workbench.events import note
from workbench.http import NoAnswer
from workbench.outlets.credentials import github_login
from workbench.outlets.github_api import GitHubApi
from workbench.outlets.outlet import statement_name, taken
from workbench.outlets.release_notes import Attached, with_install_lines
from workbench.process import run
from workbench.simple.github import API, digest_of, releases_url

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from workbench.outlets.credentials import Login
    from workbench.outlets.outlet import Parcel
    from workbench.store.protocol import Progress

TRIES = 3

_REMOTE = re.compile(r"(?:https?://[^/]+/|ssh://[^/]+/|[^@/]+@[^:/]+:)([^/]+/[^/]+?)(?:\.git)?/?")

Release = dict[str, Any]
Asset = dict[str, Any]


def _repository_of(root: Path) -> str:
    """Return ``OWNER/NAME`` of the repository that releases go to: GITHUB_REPOSITORY, or that of the remote origin.

    Raises UsageError where neither says it.
    """
    name = os.environ.get("GITHUB_REPOSITORY", "")
    if not name:
        told = run(["git", "-C", root, "remote", "get-url", "origin"], check=False, stdout_only=True)
        found = _REMOTE.fullmatch(told.output.strip()) if told.status == 0 else None
        name = found[1] if found else ""
    try:
        releases_url(name)
    except ValueError as error:
        raise UsageError(
            "--to github: which repository? Set GITHUB_REPOSITORY=OWNER/NAME, or give the site's checkout a remote "
            f"'origin' at GitHub: {error}"
        ) from error
    return name


class GitHubRepository:
    """The repository ``OWNER/NAME``, of which the API at a URL tells. It is asked when something is first needed."""

    def __init__(self, name: str, root: Path, api: str) -> None:
        self._name = name
        self._root = root
        self._at = api
        self._known: dict[str, dict[str, Asset]] = {}
        self.place = f"releases of {name} on GitHub"

    @classmethod
    def of(cls, root: Path) -> GitHubRepository:
        """Return the repository of a site, at the API that GITHUB_API_URL names. Raises as `_repository_of`."""
        return cls(_repository_of(root), root, os.environ.get("GITHUB_API_URL") or API)

    @cached_property
    def login(self) -> Login:
        """The login for it. Raises OutletError where there is none."""
        return github_login(self._root, self._at)

    @cached_property
    def _api(self) -> GitHubApi:
        return GitHubApi(self._at, self.login.bearer)

    @cached_property
    def _described(self) -> dict[str, Any]:
        """The repository as the API tells of it, by the name that it has now. Raises OutletError."""
        try:
            found: dict[str, Any] = self._api.call("GET", f"{self._api.url}/repos/{self._name}")
        except NoAnswer as error:
            raise OutletError(f"{self.place}: {self._refused(error)}") from error
        if found.get("archived"):
            raise OutletError(f"{self._name} is archived: GitHub takes no release for it")
        return found

    def listed(self) -> Iterator[Release]:
        """Yield all releases, drafts among them. Raises OutletError."""
        with _plainly(self.place):
            yield from self._api.pages(f"{self._described['url']}/releases")

    def assets(self, release: Release) -> list[Asset]:
        """Return all files of a release, those among them whose upload broke off: only this list has them."""
        with _plainly(self.place):
            return list(self._api.pages(f"{release['url']}/assets"))

    def final_url(self, release: Release, name: str) -> str:
        """Return the URL that a file has once its release is published; a draft's own is for its authors."""
        tag = quote(release["tag_name"], safe="")
        return f"{self._described['html_url']}/releases/download/{tag}/{quote(name)}"

    def sha256_of(self, api_url: str, url: str) -> str:
        """Read a file through, by its URL in the API; an error names the other one. Raises OutletError."""
        with _plainly(url):
            return self._api.sha256_of(api_url)

    def draft(self, tag: str) -> Release:
        """Make a draft, once. Raises OutletError."""
        document = {"tag_name": tag, "name": tag, "draft": True, "body": ""}
        if commit := os.environ.get("GITHUB_SHA"):
            document["target_commitish"] = commit
        return self._changed(
            "POST",
            f"{self._described['url']}/releases",
            document,
            lambda: next((each for each in self.listed() if each["tag_name"] == tag and each["draft"]), None),
            lambda error: f"{self.place}: a draft for {tag} could not be made: {self._refused(error)}",
        )

    def put(
        self, release: Release, parcel: Parcel, name: str, content: Path | bytes, moved: Progress
    ) -> None:
        """See that a release has a wheel, or what lies beside it, under a name, whatever an upload's status says.

        The list of its files tells what is there: it is asked once, and again after each failure, for GitHub counts
        requests. Raises OutletError, and FilenameTaken for a wheel with other bytes.
        """
        failed: NoAnswer | None = None
        for _ in range(TRIES + 1):
            if self._has(release, parcel, name):
                return
            failed = None
            try:
                taken_in: Asset = self._api.upload(release["upload_url"], name, content, moved)
                self._known[release["url"]][taken_in["name"]] = taken_in
            except NoAnswer as error:
                del self._known[release["url"]]
                if not (error.passing or error.status == HTTPStatus.UNPROCESSABLE_ENTITY):
                    raise OutletError(
                        f"{name} was not taken by {release['html_url']}: {self._refused(error)}"
                    ) from error
                failed = error
        if self._has(release, parcel, name):
            return
        if failed:
            raise OutletError(f"{name} was not taken by {release['html_url']}: {failed}") from failed
        raise OutletError(
            f"{name} is not in {release['html_url']}, though GitHub said that it took it; run this again"
        )

    def _has(self, release: Release, parcel: Parcel, name: str) -> bool:
        """Say whether a release has a parcel's file; what else a draft has under its name is deleted.

        Of what is public, what lies beside a wheel is left as it is. Raises FilenameTaken for a wheel with other bytes.
        """
        if release["url"] not in self._known:
            self._known[release["url"]] = {each["name"]: each for each in self.assets(release)}
        files = self._known[release["url"]]
        if (found := files.get(name)) is None:
            return False
        if found.get("state") == "uploaded":
            wheel = name == parcel.filename
            wanted = parcel.sha256 if wheel else hashlib.sha256(parcel.beside[name]).hexdigest()
            if not (wheel or release["draft"]) or self._sha256(found) == wanted:
                return True
            if not release["draft"]:
                raise taken(self.final_url(release, name), parcel)
            note(f"· {name}: the draft {release['html_url']} has other bytes: it is sent again")
        else:
            note(f"· {name}: an upload broke off in {release['html_url']}: it is sent again")
        with _plainly(self.place):
            self._api.delete(found["url"])
        del files[name]
        return False

    def _sha256(self, asset: Asset) -> str:
        return digest_of(asset) or self.sha256_of(asset["url"], asset["url"])

    def _refused(self, error: NoAnswer) -> str:
        """Return what GitHub says of a refusal: whoever may read is told only then that they may not write."""
        if error.status == HTTPStatus.UNAUTHORIZED:
            return f"401: GitHub does not know the token from {self.login.origin}, or no longer: is it still valid?"
        if error.status not in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
            return str(error)
        return f"{error}: the token from {self.login.origin} needs the permission to write contents"

    def publish(self, release: Release, parcels: Sequence[Parcel]) -> Release:
        """Publish a draft that is whole, with lines that install what is in it; one that is public gets the lines.

        Raises OutletError, also for one that is not whole.
        """
        assets = {each["name"]: each for each in self.assets(release) if each.get("state") == "uploaded"}
        sent = (name for each in parcels for name in (each.filename, *each.beside))
        if lost := next((name for name in sent if name not in assets), None):
            raise OutletError(
                f"{lost} is not in {release['html_url']}, though GitHub said that it took it; run this again"
            )
        known = {each.filename: each.sha256 for each in parcels}
        wheels = [
            Attached(
                filename=name,
                url=self.final_url(release, name),
                size=asset["size"],
                sha256=digest_of(asset) or known.get(name, ""),
                statement=self.final_url(release, stated)
                if (stated := statement_name(name)) in assets
                else "",
            )
            for name, asset in assets.items()
            if name.endswith(".whl")
        ]
        body = with_install_lines(release.get("body") or "", wheels)
        if not release["draft"] and body == release.get("body"):
            return release
        return self._changed(
            "PATCH",
            release["url"],
            {"draft": False, "body": body},
            lambda: self._public(release),
            lambda error: (
                f"{release['html_url']} has all its files and could not be published: {error}. Run this again: it "
                "goes on from there"
            ),
        )

    def _public(self, release: Release) -> Release | None:
        """Return a release as it is now; None while it is a draft."""
        with _plainly(self.place):
            now: Release = self._api.call("GET", release["url"])
        return None if now["draft"] else now

    def _changed(
        self,
        method: str,
        url: str,
        document: object,
        made: Callable[[], Release | None],
        failed: Callable[[NoAnswer], str],
    ) -> Release:
        """Return the release that a request makes: where GitHub fails in answering, see first whether it was `made`.

        Raises OutletError with what `failed` says.
        """
        for attempt in range(TRIES):
            try:
                answer: Release = self._api.call(method, url, document)
            except NoAnswer as error:
                if not error.passing or attempt == TRIES - 1:
                    raise OutletError(failed(error)) from error
                if found := made():
                    return found
            else:
                return answer
        raise AssertionError


@contextmanager
def _plainly(what: str) -> Iterator[None]:
    """Raise an OutletError that says what was asked, for an answer that is not the one asked for."""
    try:
        yield
    except NoAnswer as error:
        raise OutletError(f"{what}: {error}") from error
