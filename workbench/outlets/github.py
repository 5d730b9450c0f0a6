"""Releases of a GitHub repository as an outlet: a draft, all files, their digests checked, then published.

Nothing that is published is replaced. What a release that is immutable, or full, lacks goes into one of the next tag.
"""

from __future__ import annotations

import hashlib
import os
import re
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from workbench.errors import OutletError, UsageError
from workbench.events import note
from workbench.http import NoAnswer
from workbench.outlets.credentials import github_login
from workbench.outlets.github_api import GitHubApi
from workbench.outlets.outlet import Held, Subject, taken
from workbench.outlets.release_notes import Attached, with_install_lines
from workbench.outlets.tags import USUAL, expect_template, following, tag_of
from workbench.process import run
from workbench.simple.github import API, digest_of, releases_url
from workbench.text import file_size

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from workbench.outlets.credentials import Login
    from workbench.outlets.outlet import Parcel
    from workbench.store.protocol import Progress

MOST_ASSETS = 1000
LARGEST = 2 << 30
TRIES = 3

_KEPT_NAME = re.compile(r"[A-Za-z0-9._+-]+")
"""Names that GitHub keeps as they are; in others it puts dots."""
_REMOTE = re.compile(r"(?:https?://[^/]+/|ssh://[^/]+/|[^@/]+@[^:/]+:)([^/]+/[^/]+?)(?:\.git)?/?")

Release = dict[str, Any]
Asset = dict[str, Any]


def repository_of(root: Path) -> str:
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


class GitHubReleases:
    """The releases of a repository, whose tags a template says."""

    how = "a draft, every wheel with its statement, the digests checked, then published"

    def __init__(self, template: str, root: Path) -> None:
        self._template = expect_template(template or USUAL)
        self._root = root
        self._repository_name = repository_of(root)
        self._at = os.environ.get("GITHUB_API_URL") or API
        self._held: dict[str, Mapping[str, Held]] = {}
        self.name = f"github:{self._template}"
        self.place = f"releases of {self._repository_name} on GitHub"

    @cached_property
    def _releases(self) -> tuple[Release, ...]:
        """All releases as they were before anything was sent."""
        return tuple(self._listed())

    @cached_property
    def _login(self) -> Login:
        return github_login(self._root, self._at)

    @cached_property
    def _api(self) -> GitHubApi:
        return GitHubApi(self._at, self._login.bearer)

    @cached_property
    def _repository(self) -> dict[str, Any]:
        """The repository as the API tells of it, by the name that it has now. Raises OutletError."""
        url = f"{self._api.url}/repos/{self._repository_name}"
        found: dict[str, Any] = self._called("GET", url)
        if found.get("archived"):
            raise OutletError(f"{self._repository_name} is archived: GitHub takes no release for it")
        return found

    @property
    def access(self) -> str:
        """Where its token comes from. Raises OutletError where there is none."""
        return self._login.origin

    def refuse(self, subject: Subject, filename: str = "", size: int = 0) -> None:
        """Raise UsageError for a wheel that no tag is for, or that GitHub takes not at all, or under another name."""
        tag_of(self._template, subject)
        if filename and not _KEPT_NAME.fullmatch(filename):
            raise UsageError(
                f"{filename}: GitHub writes such a name otherwise, so nobody would find the wheel"
            )
        if size >= LARGEST:
            raise UsageError(f"{filename} has {file_size(size)}: GitHub takes less than 2 GiB a file")

    def held(self, subject: Subject) -> Mapping[str, Held]:
        """Return the files that the tag's release has, and those of the tags after it; asked once until one is sent.

        A draft has none yet.
        """
        tag = tag_of(self._template, subject)
        if tag not in self._held:
            self._held[tag] = self._public_files(tag)
        return self._held[tag]

    def _public_files(self, tag: str) -> Mapping[str, Held]:
        found: dict[str, Held] = {}
        for release in self._chain(tag):
            for asset in () if release["draft"] else self._assets(release):
                if asset.get("state") == "uploaded":
                    found.setdefault(asset["name"], _held(asset, self._final_url(release, asset["name"])))
        return found

    def sha256_of(self, held: Held) -> str:
        """Read a file through that is older than GitHub's digests."""
        try:
            return self._api.sha256_of(held.api_url)
        except NoAnswer as error:
            raise OutletError(f"{held.url}: {error}") from error

    def send(self, parcels: Sequence[Parcel], moved: Progress) -> Mapping[str, str]:
        """Send wheels to the releases of their tags, and publish each of these once it is whole."""
        self._held.clear()
        by_tag: dict[str, list[Parcel]] = {}
        for parcel in parcels:
            by_tag.setdefault(tag_of(self._template, parcel.subject), []).append(parcel)
        urls: dict[str, str] = {}
        for tag, wanted in by_tag.items():
            urls |= self._send(tag, wanted, moved)
        return urls

    def _send(self, tag: str, parcels: Sequence[Parcel], moved: Progress) -> Mapping[str, str]:
        vars(self).pop("_releases", None)
        stated = [parcel for parcel in parcels if parcel.statement is not None]
        names = {parcel.filename for parcel in parcels} | {_statement_name(parcel) for parcel in stated}
        release = self._room(tag, self._chain(tag), names)
        for parcel in parcels:
            if parcel.statement is not None:
                self._put(release, parcel, parcel.statement, moved)
            parcel.expect_unchanged()
            self._put(release, parcel, parcel.path, moved)
            parcel.expect_unchanged()
        release = self._published(release, parcels)
        return {parcel.filename: self._final_url(release, parcel.filename) for parcel in parcels}

    def _chain(self, tag: str) -> list[Release]:
        """Return the releases of a tag and of those after it, as far as there are any, drafts last of their tag."""
        by_tag: dict[str, Release] = {}
        for each in self._releases:
            known = by_tag.get(each["tag_name"])
            if known is None or (known["draft"] and not each["draft"]):
                by_tag[each["tag_name"]] = each
        chain: list[Release] = []
        for name in following(tag):
            if name not in by_tag:
                return chain
            chain.append(by_tag[name])
        return chain

    def _listed(self) -> Iterator[Release]:
        yield from self._each(f"{self._repository['url']}/releases")

    def _assets(self, release: Release) -> list[Asset]:
        """Return all files of a release, those among them whose upload broke off: only this list has them."""
        return list(self._each(f"{release['url']}/assets"))

    def _room(self, tag: str, chain: Sequence[Release], wanted: Collection[str]) -> Release:
        """Return the first release of a chain that has, or takes, files of these names, or a new draft of the next tag.

        Raises UsageError where no release takes so many.
        """
        if len(wanted) > MOST_ASSETS:
            raise UsageError(
                f"--to {self.name}: the release {tag} would have {len(wanted)} files, wheels and statements, and "
                f"GitHub takes {MOST_ASSETS}: send fewer wheels at a time, or write a tag that divides them, as "
                f"github:{USUAL}"
            )
        for release in chain:
            if release["draft"] or not release.get("immutable"):
                if len({each["name"] for each in self._assets(release)} | {*wanted}) <= MOST_ASSETS:
                    return release
                note(f"· {release['html_url']} is full: {MOST_ASSETS} files are the most")
            else:
                note(
                    f"· {release['html_url']} is immutable: what it lacks goes into a release of the next tag"
                )
        names = following(tag)
        return self._drafted(next(name for name in names if name not in {each["tag_name"] for each in chain}))

    def _drafted(self, tag: str) -> Release:
        """Make a draft, once: where GitHub fails in answering, the list tells whether it was made."""
        document = {"tag_name": tag, "name": tag, "draft": True, "body": ""}
        if commit := os.environ.get("GITHUB_SHA"):
            document["target_commitish"] = commit
        for attempt in range(TRIES):
            try:
                made: Release = self._api.call("POST", f"{self._repository['url']}/releases", document)
            except NoAnswer as error:
                if not error.passing or attempt == TRIES - 1:
                    raise OutletError(
                        f"{self.place}: no draft for {tag} could be made: {self._refused(error)}"
                    ) from error
                found = [each for each in self._listed() if each["tag_name"] == tag and each["draft"]]
                if not found:
                    continue
                made = found[0]
            return made
        raise AssertionError

    def _put(self, release: Release, parcel: Parcel, content: Path | bytes, moved: Progress) -> None:
        """See that a release has a wheel, or its statement, whatever an upload's status says.

        The list of its files tells what is there.
        """
        name = parcel.filename if isinstance(content, Path) else _statement_name(parcel)
        failed: NoAnswer | None = None
        for _ in range(TRIES + 1):
            if self._has(release, parcel, name):
                return
            failed = None
            try:
                self._api.upload(release["upload_url"], name, content, moved)
            except NoAnswer as error:
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

        Of what is public, a statement is left as it is. Raises FilenameTaken for a wheel with other bytes.
        """
        found = next((each for each in self._assets(release) if each["name"] == name), None)
        if found is None:
            return False
        if found.get("state") == "uploaded":
            wheel = name == parcel.filename
            wanted = parcel.sha256 if wheel else hashlib.sha256(parcel.statement or b"").hexdigest()
            if not (wheel or release["draft"]) or self._digest(found) == wanted:
                return True
            if not release["draft"]:
                raise taken(self._final_url(release, name), parcel)
            note(f"· {name}: the draft {release['html_url']} has other bytes: it is sent again")
        else:
            note(f"· {name}: an upload broke off in {release['html_url']}: it is sent again")
        self._deleted(found["url"])
        return False

    def _digest(self, asset: Asset) -> str:
        try:
            return digest_of(asset) or self._api.sha256_of(asset["url"])
        except NoAnswer as error:
            raise OutletError(f"{asset['url']}: {error}") from error

    def _refused(self, error: NoAnswer) -> str:
        """Return what GitHub says of a refusal: whoever may read is told only then that they may not write."""
        if error.status not in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
            return str(error)
        return f"{error}: the token from {self._login.origin} needs the permission to write contents"

    def _published(self, release: Release, parcels: Sequence[Parcel]) -> Release:
        """Publish a draft that is whole, with lines that install what is in it; one that is public gets the lines."""
        wheels = [
            Attached(
                filename=each["name"],
                url=self._final_url(release, each["name"]),
                size=each["size"],
                sha256=digest_of(each) or next((p.sha256 for p in parcels if p.filename == each["name"]), ""),
            )
            for each in self._assets(release)
            if each["name"].endswith(".whl")
        ]
        body = with_install_lines(release.get("body") or "", wheels)
        if not release["draft"] and body == release.get("body"):
            return release
        for attempt in range(TRIES):
            try:
                made: Release = self._api.call("PATCH", release["url"], {"draft": False, "body": body})
            except NoAnswer as error:
                if not error.passing or attempt == TRIES - 1:
                    raise OutletError(
                        f"{release['html_url']} has all its files and could not be published: {error}. Run this "
                        "again: it goes on from there"
                    ) from error
                made = self._called("GET", release["url"])
                if made["draft"]:
                    continue
            return made
        raise AssertionError

    def _final_url(self, release: Release, name: str) -> str:
        """Return the URL that a file has once its release is published; a draft's own is for its authors."""
        tag = quote(release["tag_name"], safe="")
        return f"{self._repository['html_url']}/releases/download/{tag}/{quote(name)}"

    def _called(self, method: str, url: str) -> Any:  # noqa: ANN401 - any document
        try:
            return self._api.call(method, url)
        except NoAnswer as error:
            raise OutletError(f"{self.place}: {error}") from error

    def _each(self, url: str) -> Iterator[Any]:
        try:
            yield from self._api.pages(url)
        except NoAnswer as error:
            raise OutletError(f"{self.place}: {error}") from error

    def _deleted(self, url: str) -> None:
        try:
            self._api.delete(url)
        except NoAnswer as error:
            raise OutletError(f"{self.place}: {error}") from error


def _held(asset: Asset, url: str) -> Held:
    digest = digest_of(asset)
    return Held(
        filename=asset["name"], url=url, api_url=asset["url"], hashes={"sha256": digest} if digest else {}
    )


def _statement_name(parcel: Parcel) -> str:
    return f"{parcel.filename}.statement.json"
