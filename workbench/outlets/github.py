"""Releases of a GitHub repository as an outlet: a draft, all files, their digests checked, then published.

Nothing that is published is replaced. What a release that is immutable, or full, lacks goes into one of the next tag.
"""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING

from workbench.errors import UsageError
from workbench.events import note
from workbench.outlets.github_repository import GitHubRepository
from workbench.outlets.outlet import Held, metadata_name
from workbench.outlets.tags import USUAL, following, tag_of
from workbench.simple.github import digest_of
from workbench.text import file_size

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from workbench.outlets.github_repository import Release
    from workbench.outlets.outlet import Parcel, Subject
    from workbench.store.protocol import Progress

MOST_ASSETS = 1000
_LARGEST = 2 << 30

_KEPT_NAME = re.compile(r"[A-Za-z0-9._+-]+")
"""Names that GitHub keeps as they are; in others it puts dots."""


class GitHubReleases:
    """The releases of a repository, whose tags a template says."""

    how = "a draft, every wheel with its METADATA and its statement, the digests checked, then published"

    def __init__(self, template: str, root: Path) -> None:
        self._template = template or USUAL
        self._repository = GitHubRepository.of(root)
        self._held: dict[str, Mapping[str, Held]] = {}
        self.name = f"github:{self._template}"
        self.place = self._repository.place

    @cached_property
    def _releases(self) -> tuple[Release, ...]:
        """All releases as they were before anything was sent."""
        return tuple(self._repository.listed())

    @property
    def access(self) -> str:
        """Where its token comes from. Raises OutletError where there is none."""
        return self._repository.login.origin

    def refuse(self, subject: Subject, filename: str = "", size: int = 0) -> None:
        """Raise UsageError for a wheel that has no tag, or that GitHub refuses or would rename."""
        tag_of(self._template, subject)
        if filename and not _KEPT_NAME.fullmatch(filename):
            raise UsageError(f"{filename}: GitHub changes such a name, so nobody would find the wheel")
        if size >= _LARGEST:
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
            if not release["draft"]:
                found = {**self._files(release), **found}
        return found

    def _files(self, release: Release) -> dict[str, Held]:
        """Return what a release has, each wheel with the METADATA that this program sent with it."""
        assets = {
            each["name"]: each for each in self._repository.assets(release) if each.get("state") == "uploaded"
        }
        digests = {name: digest_of(asset) for name, asset in assets.items()}
        return {
            name: Held(
                filename=name,
                url=self._repository.final_url(release, name),
                api_url=asset["url"],
                hashes={"sha256": digest} if (digest := digests[name]) else {},
                metadata_sha256=digests.get(metadata_name(name)) or None,
            )
            for name, asset in assets.items()
        }

    def sha256_of(self, held: Held) -> str:
        """Read a file through that is older than GitHub's digests."""
        return self._repository.sha256_of(held.api_url, held.url)

    def send(self, parcels: Sequence[Parcel], moved: Progress) -> Mapping[str, Held]:
        """Send wheels to the releases of their tags, and publish each of these once it is whole."""
        self._held.clear()
        by_tag: dict[str, list[Parcel]] = {}
        for parcel in parcels:
            by_tag.setdefault(tag_of(self._template, parcel.subject), []).append(parcel)
        there: dict[str, Held] = {}
        for tag, wanted in by_tag.items():
            there |= self._send(tag, wanted, moved)
        return there

    def _send(self, tag: str, parcels: Sequence[Parcel], moved: Progress) -> Mapping[str, Held]:
        vars(self).pop("_releases", None)
        names = {name for parcel in parcels for name in (parcel.filename, *parcel.beside)}
        release = self._room(tag, self._chain(tag), names)
        for parcel in parcels:
            for name, content in parcel.beside.items():
                self._repository.put(release, parcel, name, content, moved)
            parcel.expect_unchanged()
            self._repository.put(release, parcel, parcel.filename, parcel.path, moved)
            parcel.expect_unchanged()
        release = self._repository.publish(release, parcels)
        files = self._files(release)
        return {parcel.filename: files[parcel.filename] for parcel in parcels}

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

    def _room(self, tag: str, chain: Sequence[Release], wanted: Collection[str]) -> Release:
        """Return the first release of a chain that has, or takes, files of these names, or a new draft of the next tag.

        Raises UsageError where no release takes so many.
        """
        if len(wanted) > MOST_ASSETS:
            raise UsageError(
                f"--to {self.name}: the release {tag} would have {len(wanted)} files, wheels and what lies beside "
                f"them, and GitHub takes {MOST_ASSETS}: send fewer wheels at a time, or write a tag that divides them, "
                f"as github:{USUAL}"
            )
        for release in chain:
            if release.get("immutable") and not release["draft"]:
                note(
                    f"· {release['html_url']} is immutable: what it lacks goes into a release of the next tag"
                )
                continue
            names = {each["name"] for each in self._repository.assets(release)}
            if len(names | {*wanted}) <= MOST_ASSETS:
                return release
            note(f"· {release['html_url']} is full: {MOST_ASSETS} files are the most")
        tags = {each["tag_name"] for each in chain}
        return self._repository.draft(next(each for each in following(tag) if each not in tags))
