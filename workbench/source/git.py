"""Commits of Git repositories: exactly the pinned one, through a bare cache for each URL."""

from __future__ import annotations

import hashlib
import re
import shlex
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Literal

from workbench.errors import SourceError, nearest
from workbench.events import note, step
from workbench.files import locked, temporary
from workbench.process import run

if TYPE_CHECKING:
    from workbench.events import Step
    from workbench.process import Completed
    from workbench.recipe.model import Git

Kind = Literal["branch", "tag"]

PREFIX: dict[Kind, str] = {"branch": "refs/heads/", "tag": "refs/tags/"}
SHA256_DIGITS = 64
_SHOWN_NAMES = 8

ENVIRONMENT: dict[str, str | None] = {
    "GIT_TERMINAL_PROMPT": "0",  # a build that waits for a password in the night waits for ever
    "LC_ALL": "C.UTF-8",
    "GIT_LFS_SKIP_SMUDGE": None,
}

SETTINGS = (
    *("-c", "core.autocrlf=false"),  # the same bytes on every machine
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "advice.detachedHead=false"),
    *("-c", "init.defaultBranch=main"),
)

_NO_LFS = {"filter.lfs.process": "", "filter.lfs.smudge": "", "filter.lfs.required": "false"}
LFS = {
    "filter.lfs.process": "git-lfs filter-process",
    "filter.lfs.clean": "git-lfs clean -- %f",
    "filter.lfs.smudge": "git-lfs smudge -- %f",
    "filter.lfs.required": "true",
    "lfs.fetchexclude": "",  # a repository may leave content out for those who only read its code
}
"""How Git LFS turns pointers into content, whatever this user's Git is set to."""

_POINTER = b"version https://git-lfs.github.com/spec/"

_PREFIX = re.compile(r"\s*(?:(?:remote|fatal|error|ERROR): )*")
_PROGRESS = re.compile(r"(?:Enumerating|Counting|Compressing|Receiving|Resolving|Total)\b")
_NO_REASON = "Could not read from remote repository."
"""What git says after the one who knows better has: ssh, or the server."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A commit and the branch or the tag, one of the two, that points to it."""

    commit: str
    branch: str | None = None
    tag: str | None = None


def resolve(url: str, *, branch: str | None = None, tag: str | None = None) -> Found:
    """Return the commit that a branch or a tag points to, the default branch's without either. Raises SourceError."""
    refs, default = _list_refs(url)
    if not refs:
        raise SourceError(f"{url}: the repository is empty: push a commit to it first")
    kind: Kind = "tag" if tag else "branch"
    if not (name := branch or tag or default):
        raise SourceError(f"{url}: the repository has no default branch: name a branch or a tag")
    if not (commit := _commit_of(refs, kind, name)):
        raise SourceError(f"{url}: no {kind} {name!r}{_what_instead(refs, kind, name)}")
    return Found(commit=commit, branch=None if tag else name, tag=tag)


def tags_of(url: str) -> dict[str, str]:
    """Return the tags of a repository, each with its commit. Raises SourceError."""
    refs, _ = _list_refs(url)
    names = {
        ref.removesuffix("^{}").removeprefix(PREFIX["tag"]) for ref in refs if ref.startswith(PREFIX["tag"])
    }
    return {name: commit for name in sorted(names) if (commit := _commit_of(refs, "tag", name))}


def store_of(url: str, cache: Path) -> Path:
    """Return the bare repository that keeps what was fetched from a URL."""
    return cache / "git" / _cache_name(url)


def fetch_all(url: str, cache: Path) -> Path:
    """Fetch all branches and tags of a repository with their history, and return the store that has them.

    They have their own names there. Raises SourceError.
    """
    with step(f"fetch {url}") as at:
        refs, _ = _list_refs(url)
        store = store_of(url, cache)
        with locked(store.with_suffix(".lock")):
            if not (store / "HEAD").exists():
                some = next(iter(refs.values()), "")
                _git("init", "--quiet", "--bare", _object_format(some), store, doing=f"make {store}")
            kinds = [f"+{prefix}*:{prefix}*" for prefix in PREFIX.values()]
            fetch = ("fetch", "--prune", "--no-tags", "--progress", "--", url, *kinds)
            _git("--git-dir", store, *fetch, doing=f"fetch {url}", at=at)
    return store


def fetch_git(source: Git, into: Path, *, cache: Path) -> None:
    """Check out exactly the pinned commit at `into`, which must not exist, with submodules where asked.

    A commit that the cache has needs no network; a branch or tag that has moved on is reported but ignored.
    Raises SourceError when the URL does not answer, or does not have the commit any more.
    """
    with step(f"fetch {source.commit[:12]} from {source.url}") as at:
        store = store_of(source.url, cache)
        with locked(store.with_suffix(".lock")):
            _ensure_commit(source, store, at)
        _check_out(source, store, into, at)


def has_commit(source: Git, cache: Path) -> bool:
    """Say whether the cache has the pinned commit, and the pinned tag."""
    return not _missing(source, store_of(source.url, cache))


def keep_described(tree: Path, changed: Iterable[str]) -> None:
    """Have a checkout answer ``git describe``, ``status`` and their kin as if `changed` files were its commit's own.

    `changed` are paths below `tree`. In each repository there (submodules too) ``git replace`` lays a commit with the
    files as they are now over the one that is checked out: HEAD and tags keep their names, and nothing is dirty.
    """
    for folder, paths in _by_repository(tree, changed).items():
        here, doing = ("-C", folder), f"record the patched files of {folder}"
        _git(*here, *_lfs(), "update-index", "--add", "--remove", "--replace", "--", *paths, doing=doing)
        written = _git(*here, "write-tree", doing=doing).output.strip()
        before, _, rest = _git(*here, "cat-file", "commit", "HEAD", doing=doing).output.partition("\n")
        if before == f"tree {written}":
            continue
        with temporary() as place:
            commit = place / "commit"
            commit.write_text(f"tree {written}\n{rest}", encoding="utf-8")
            made = _git(*here, "hash-object", "-t", "commit", "-w", commit, doing=doing).output.strip()
        _git(*here, "replace", "--force", "HEAD", made, doing=doing)


def _by_repository(tree: Path, paths: Iterable[str]) -> dict[Path, list[str]]:
    """Sort paths below a tree by the repository that has them, the tree's own or a submodule's."""
    repositories: dict[Path, list[str]] = {}
    for path in paths:
        folder = (tree / path).parent
        while folder != tree and not (folder / ".git").exists():
            folder = folder.parent
        repositories.setdefault(folder, []).append(str((tree / path).relative_to(folder)))
    return repositories


def _keep_content(tree: Path, in_lfs: Sequence[str]) -> None:
    """Have Git take what Git LFS brought as the files of the commit: a build may run where there is no git-lfs.

    There every such file would be changed, for Git knows it as the pointer to its content.
    """
    for folder in _by_repository(tree, in_lfs):
        asked = ("rev-parse", "--git-path", "info/attributes")
        attributes = folder / _git("-C", folder, *asked, doing=f"look into {folder}").output.strip()
        attributes.parent.mkdir(exist_ok=True)
        attributes.write_text("* -filter\n", encoding="ascii")  # above every .gitattributes
    keep_described(tree, in_lfs)


def _ensure_commit(source: Git, store: Path, at: Step) -> None:
    """Have the pinned commit and its history in the bare repository `store`, as ``refs/pins/<commit>``.

    A pinned tag is there as well, below ``refs/pinned-tags/<commit>/``.
    """
    if not (store / "HEAD").exists():
        _git("init", "--quiet", "--bare", _object_format(source.commit), store, doing=f"make {store}")
    if not _missing(source, store):
        return
    in_store = ("--git-dir", store)
    pin, tag = _refs(source)
    url, name = source.url, source.branch or source.tag or ""
    kind: Kind = "branch" if source.branch else "tag"
    now = _commit_of(_list_refs(url)[0], kind, name)
    if now not in (None, source.commit):
        note(f"{kind} {name} of {url} is now at {now}; the recipe stays at its pin {source.commit}")
    fetch = (*in_store, "fetch", "--no-tags", "--progress", "--", url)
    by_hash = _try_git(*fetch, f"{source.commit}:{pin}", at=at)
    seen = f"refs/seen/{kind}/{name}"
    if now is not None and (by_hash.status or (source.tag and now == source.commit)):
        # not every server hands out a commit by its hash alone; and a tag may be an object of its own
        _git(*fetch, f"+{PREFIX[kind]}{name}:{seen}", doing=f"fetch {kind} {name} of {url}", at=at)
    if _try_git(*in_store, "cat-file", "-e", f"{source.commit}^{{commit}}").status == 0:
        _git(*in_store, "update-ref", pin, source.commit, doing=f"keep {source.commit}")
        if source.tag:
            named = seen if now == source.commit else source.commit
            _git(*in_store, "update-ref", tag, named, doing=f"keep {source.tag}")
        return
    where = "is not there any more" if now is None else f"is now at {now}"
    raise SourceError(
        f"{url} does not have the pinned commit {source.commit}: {kind} {name} {where}, and the server does "
        f"not give the commit by its hash: {_reason(by_hash)}\n"
        f"Its history was rewritten, or the pin is wrong: look what changed, then pin a commit that is there"
    )


def _refs(source: Git) -> tuple[str, str]:
    """Return the names under which a cache keeps a pinned commit, and its tag."""
    return f"refs/pins/{source.commit}", f"refs/pinned-tags/{source.commit}/{source.tag}"


def _missing(source: Git, store: Path) -> bool:
    if not (store / "HEAD").exists():
        return True
    pin, tag = _refs(source)
    wanted = (pin, tag) if source.tag else (pin,)
    found = ("--git-dir", store, "rev-parse", "--quiet", "--verify")
    return any(_try_git(*found, ref).status for ref in wanted)


def _check_out(source: Git, store: Path, into: Path, at: Step) -> None:
    doing, here = f"check out {source.commit} of {source.url}", ("-C", into)
    _git("init", "--quiet", _object_format(source.commit), into, doing=doing)
    # relative submodule URLs start from origin, and Git LFS asks there
    _git(*here, "remote", "add", "--", "origin", source.url, doing=doing)
    wanted = [f"refs/pins/{source.commit}"]
    if source.tag:  # for packages that ask 'git describe'
        wanted.append(f"refs/pinned-tags/{source.commit}/{source.tag}:refs/tags/{source.tag}")
    _git(*here, "fetch", "--quiet", "--no-tags", store.resolve(), *wanted, doing=doing, at=at)
    with_lfs: tuple[str | Path, ...] = (*here, *_lfs())
    _git(*here, "config", "lfs.storage", store.resolve() / "lfs", doing=doing)
    _git(*with_lfs, "checkout", "--quiet", "--detach", source.commit, doing=doing, at=at)
    listing = ("ls-files", "-z", "--", ":(attr:filter=lfs)")
    in_lfs = _git(*here, *listing, doing=doing).output
    if source.submodules:
        update = ("submodule", "update", "--init", "--recursive", "--progress")
        _git(*with_lfs, *update, doing=f"fetch the submodules of {source.url}", at=at)
        each = f'git {shlex.join(listing)} | sed -z "s|^|$displaypath/|"'
        in_lfs += _git(*here, "submodule", "--quiet", "foreach", "--recursive", each, doing=doing).output
    kept_there = [path for path in in_lfs.split("\0") if path]
    _expect_content(kept_there, source, into)
    _keep_content(into, kept_there)
    head = _git(*here, "rev-parse", "HEAD", doing=doing).output.strip()
    if head != source.commit:
        raise SourceError(f"cannot {doing}: HEAD is at {head}")


def _lfs() -> list[str]:
    settings = LFS if shutil.which("git-lfs") else _NO_LFS
    return [word for key, value in settings.items() for word in ("-c", f"{key}={value}")]


def _expect_content(paths: Sequence[str], source: Git, tree: Path) -> None:
    """Raise SourceError where a file of Git LFS is still the pointer to its content."""
    files = [path for path in paths if not (tree / path).is_symlink() and (tree / path).is_file()]
    pointers = [path for path in files if (tree / path).read_bytes()[: len(_POINTER)] == _POINTER]
    if pointers:
        more = f" and {len(pointers) - 1} more" if len(pointers) > 1 else ""
        raise SourceError(
            f"{source.url} keeps {pointers[0]}{more} in Git LFS, and only pointers to the content were checked "
            "out: install git-lfs ('apt install git-lfs') and run the same command again"
        )


def _object_format(commit: str) -> str:
    return f"--object-format={'sha256' if len(commit) == SHA256_DIGITS else 'sha1'}"


def _list_refs(url: str) -> tuple[dict[str, str], str | None]:
    """Return what a repository has: refs with their commits, and the default branch."""
    done = _try_git("ls-remote", "--symref", "--", url)
    if done.status:
        raise SourceError(
            f"{url}: no Git repository answers there: {_reason(done)}\n"
            f"Look at the URL; a private repository needs a credential helper or an SSH key that asks nothing"
        )
    refs: dict[str, str] = {}
    default = None
    for line in done.output.splitlines():
        target, _, ref = line.partition("\t")
        if not target.startswith("ref: "):
            refs[ref] = target
        elif ref == "HEAD":
            default = target.removeprefix("ref: ").removeprefix(PREFIX["branch"])
    return refs, default


def _commit_of(refs: dict[str, str], kind: Kind, name: str) -> str | None:
    # an annotated tag is an object of its own; ^{} is the commit that it names
    ref = f"{PREFIX[kind]}{name}"
    return refs.get(f"{ref}^{{}}") or refs.get(ref)


def _what_instead(refs: dict[str, str], kind: Kind, name: str) -> str:
    other: Kind = "tag" if kind == "branch" else "branch"
    if f"{PREFIX[other]}{name}" in refs:
        return f"; there is a {other} of that name: --{other} {name}"
    of_kind = [ref for ref in refs if ref.startswith(PREFIX[kind]) and "^" not in ref]
    known = [ref.removeprefix(PREFIX[kind]) for ref in of_kind]
    shown = ", ".join(known[:_SHOWN_NAMES]) + (", …" if len(known) > _SHOWN_NAMES else "")
    return nearest(name, known) or f"; it has {shown or 'none'}"


def _cache_name(url: str) -> str:
    """Name a URL's cache so that a person can tell it and no two URLs share one."""
    readable = re.sub(r"[^A-Za-z0-9._-]", "-", PurePosixPath(url).name.removesuffix(".git"))
    return f"{readable}-{hashlib.sha256(url.encode()).hexdigest()[:16]}.git"


def _git(*argv: str | Path, doing: str, at: Step | None = None) -> Completed:
    done = _try_git(*argv, at=at)
    if done.status:
        raise SourceError(f"cannot {doing}:\n{done.tail}")
    return done


def _try_git(*argv: str | Path, at: Step | None = None) -> Completed:
    """Run git, for its progress where a step shows that, else for its answer."""
    on_line = at.detail if at else None
    argv = ("git", *SETTINGS, *argv)
    return run(argv, env=ENVIRONMENT, on_line=on_line, check=False, stdout_only=at is None)


def _reason(done: Completed) -> str:
    """Return git's own words on one line, without its progress and without the advice that it always adds."""
    said, _, _ = done.said.partition("\n\nPlease make sure you have")
    lines = [_PREFIX.sub("", line, count=1) for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if not _PROGRESS.match(line) and line != _NO_REASON]
    return "; ".join(telling or lines or ["it says nothing"])
