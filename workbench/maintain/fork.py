"""A fork as a series: the upstream commit that it is based on, and each of its own commits as a patch."""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from workbench.errors import PatchError, SourceError, UsageError, nearest
from workbench.events import note
from workbench.files import temporary
from workbench.maintain.foreign import files_of, header_of, local_commit
from workbench.maintain.repository import MergeConflict, Repository
from workbench.maintain.saving import series_of
from workbench.maintain.taking import applied
from workbench.maintain.work import message_and_person
from workbench.patches.message import Message
from workbench.patches.series import PatchFile, read_series
from workbench.recipe.model import Git
from workbench.source.git import Found, fetch_all, resolve, tags_of
from workbench.text import counted

if TYPE_CHECKING:
    from workbench.patches.writing import WrittenPatch
    from workbench.paths import Paths

_WALK = ("rev-list", "--topo-order", "--reverse")

_QUILT_FOLDERS = ("debian/patches", "patches")
"""Where a fork may carry a quilt series of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork:
    """What a fork is: a pin of upstream's, and patches. `version` is the tag's, empty where that tells none."""

    source: Git
    version: str
    patches: tuple[WrittenPatch, ...]

    def files(self, folder: Path) -> tuple[tuple[Path, bytes], ...]:
        """Return the files of the series below a folder."""
        lines = "".join(f"{patch.line}\n" for patch in self.patches)
        texts = ((folder / patch.name, patch.text) for patch in self.patches)
        return (*texts, (folder / "series", lines.encode()))


def read_fork(url: str, upstream: str, paths: Paths, *, branch: str | None, base: str | None) -> Fork:
    """Return what a fork's branch has beyond upstream; `base` is the tag of upstream's that it is taken from.

    Without one that is the commit where the two part. Raises UsageError where they have nothing in common or nothing
    apart, SourceError, PatchError for a history that does not go into one line and for what a patch cannot hold.
    """
    found = resolve(url, branch=branch)
    stores = [fetch_all(each, paths.cache) for each in (url, upstream)]
    tags = tags_of(upstream)
    if base and base not in tags:
        raise SourceError(f"{upstream}: no tag {base!r}{nearest(base, tags)}")
    with temporary() as place:
        repository = Repository.create(place / "fork")
        for store in stores:
            repository.borrow(store)
        if base:
            start, own = _since(repository, found, tags[base], f"{url}: the tag {base} of {upstream}")
        else:
            start, own = _parted(repository, found, stores[1], f"{url} and {upstream}")
        if not own:
            raise UsageError(
                f"{url}: its tip {found.commit[:12]} is upstream's own: nothing to make patches of"
            )
        head = _in_line(repository, start, own, found, url)
        series = series_of(repository, start, repository.between(start, head), {})
    tag, version = _tag_of(start, tags)
    at_branch = None if tag else resolve(upstream).branch
    note(f"{url} is {counted(len(series), 'patch')} beyond {tag or start[:12]} of {upstream}")
    source = Git(url=upstream, commit=start, tag=tag, branch=at_branch)
    return Fork(source=source, version=version, patches=tuple(each.patch for each in series))


def _since(repository: Repository, found: Found, tag: str, named: str) -> tuple[str, list[str]]:
    """Return the commit of a tag, and a fork's commits since (no merges), the oldest first."""
    if repository.ask("merge-base", "--is-ancestor", tag, found.commit).status:
        raise UsageError(f"{named} is not in its history: name one that is")
    return tag, repository.git(*_WALK, "--no-merges", found.commit, "--not", tag).split()


def _parted(repository: Repository, found: Found, upstream: Path, both: str) -> tuple[str, list[str]]:
    """Return the commit where a fork leaves all of upstream, and the fork's own (no merges), the oldest first."""
    known = repository.git(
        "--git-dir", upstream, "for-each-ref", "--format=%(objectname)", "refs/heads", "refs/tags"
    ).split()
    own = repository.git(*_WALK, "--no-merges", found.commit, "--not", *known).split()
    walked = repository.git(*_WALK, "--boundary", found.commit, "--not", *known).split()
    edges = [line[1:] for line in walked if line.startswith("-")]
    if own and not edges:
        raise UsageError(f"{both} have no commit in common")
    # where upstream was merged now and then, the last of these merges counts
    last = repository.git("merge-base", "--independent", *edges).split() if edges else [found.commit]
    if len(last) > 1:
        raise UsageError(f"{both} part at several commits: say with --base which tag it is taken from")
    return last[0], own


def _in_line(repository: Repository, start: str, own: list[str], found: Found, url: str) -> str:
    """Put a fork's commits in one line onto the commit that it is based on, and return the last.

    A quilt series that the fork carries comes after them. Raises PatchError where that cannot be.
    """
    carried = next((each for each in _QUILT_FOLDERS if _carries(repository, each, start, found.commit)), "")
    aside, head, taken = carried.split("/")[0], start, set[str]()
    for commit in map(repository.read, own):
        there = files_of(repository, head) | files_of(repository, commit.parent)
        message = header_of(commit, f"other, {url}", taken)
        local = local_commit(repository, commit, message, there, left_out=aside)
        try:
            head = repository.pick(repository.read(local), head) if local else head
        except MergeConflict as conflict:
            raise PatchError(
                f"{url}: its history has merges, and {commit.hash[:12]} ({message.subject}) does not go into one "
                f"line: it conflicts in {', '.join(conflict.files)}\nMake one line of it there ('git rebase "
                f"{start[:12]}'), push that as a branch, and name it with --branch"
            ) from conflict
    head = _rest_of_merges(repository, head, found, aside, taken)
    if carried:
        for patch in _quilt_series(repository, found.commit, carried):
            said, author, date = message_and_person(patch)
            head = repository.commit(applied(repository, head, patch), head, said, author=author, date=date)
    return head


def _rest_of_merges(repository: Repository, head: str, found: Found, aside: str, taken: set[str]) -> str:
    """Return a last commit with what the fork's merges changed by themselves, if they did."""
    changed = repository.changes(head, found.commit)
    if not [path for path in changed if not (aside and path.startswith(f"{aside}/"))]:
        return head
    tip = repository.read(found.commit)
    subject = "What the merges of the fork changed besides"
    said = header_of(tip, "other,", taken, name="merges.patch")
    message = Message(subject=subject, fields=said.fields, name="merges.patch")
    with repository.index() as index:
        index.git("read-tree", found.commit)
        if aside:
            index.git("rm", "-r", "--cached", "--quiet", "--ignore-unmatch", "--", aside)
        tree = index.git("write-tree")
    return repository.commit(tree, head, str(message), author=tip.author, date=tip.date)


def _carries(repository: Repository, folder: str, start: str, tip: str) -> bool:
    """Say whether a fork has a quilt series in a folder that upstream does not have."""
    series = f"{folder}/series"
    return series in files_of(repository, tip) and series not in files_of(repository, start)


def _quilt_series(repository: Repository, tip: str, folder: str) -> tuple[PatchFile, ...]:
    with temporary() as place:
        repository.export(tip, place / "tip")
        return read_series(place / "tip" / folder)


def _tag_of(commit: str, tags: dict[str, str]) -> tuple[str | None, str]:
    """Return the tag that names a commit, and its version: of several the one that is a version."""
    named = sorted(tag for tag, there in tags.items() if there == commit)
    for tag in reversed(named):
        with suppress(InvalidVersion):
            return tag, str(Version(re.sub(r"^\D*", "", tag)))
    return (named[-1] if named else None), ""
