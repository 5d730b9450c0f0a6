"""A git repository of the workbench's own: snapshots of sources, patches as commits, three-way merges in memory.

It knows nothing of this user's git configuration, and the source's ``.gitattributes`` do not count: the same files make
the same commits and the same diffs everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import CommandFailed, ToolMissing, UsageError
from workbench.files import temporary
from workbench.patches.message import COMMENT
from workbench.patches.writing import normal_diff
from workbench.process import run

if TYPE_CHECKING:
    from workbench.process import Completed

WORKBENCH = "The wheel workbench"

_ENVIRONMENT: dict[str, str | None] = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_EDITOR": "true",
    "GIT_DIFF_OPTS": None,
    "GIT_EXTERNAL_DIFF": None,
    "GIT_COMMITTER_NAME": WORKBENCH,
    "GIT_COMMITTER_EMAIL": "",
    "LC_ALL": "C.UTF-8",
}

_SETTINGS = {
    "core.autocrlf": "false",
    "core.safecrlf": "false",
    "core.fileMode": "true",
    "core.commentChar": COMMENT,
    "core.hooksPath": "/dev/null",
    "core.quotePath": "true",
    "core.excludesFile": "/dev/null",
    "commit.gpgSign": "false",
    "diff.suppressBlankEmpty": "false",
    "gc.auto": "0",
    "merge.renames": "true",
    "advice.skippedCherryPicks": "false",
}
"""What is set in the repository itself, so that it also holds for whoever works in its tree by hand."""

_ATTRIBUTES = "* !text !eol !crlf !filter !ident !diff !merge !working-tree-encoding\n"

_DIFF = (
    *("diff-tree", "-p", "--no-color", "--no-ext-diff", "--no-textconv", "--no-relative"),
    *("-U3", "--inter-hunk-context=0", "--diff-algorithm=histogram", "--indent-heuristic"),
    *("-M50%", "-l1000", "--src-prefix=a/", "--dst-prefix=b/"),
)

_IDENTITY = re.compile(r"\s*([^<>]*?)\s*(?:<([^<>]*)>.*)?")
_ODD = re.compile(r"[\x00-\x1f<>]")
_LEAST_GIT = (2, 38)
_LONG_AGO = "2000-01-01"
"""The date of what tells none: commits are the same whenever they are made."""


class MergeConflict(Exception):
    """A commit does not go onto another by itself; `files` are those that a person must look at."""

    def __init__(self, files: Sequence[str]) -> None:
        super().__init__(", ".join(files))
        self.files = tuple(files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit: its hash, its tree's, its parents', and what it says."""

    hash: str
    tree: str
    parents: tuple[str, ...]
    author: str
    date: str
    message: str

    @property
    def parent(self) -> str:
        """The first parent, or nothing."""
        return self.parents[0] if self.parents else ""


@dataclass(frozen=True, slots=True)
class Repository:
    """The repository whose work tree is `folder`."""

    folder: Path

    @classmethod
    def create(cls, folder: Path) -> Repository:
        """Make an empty one at `folder`, which may have files already. Raises ToolMissing for a git that is too old."""
        _require_git()
        folder.mkdir(parents=True, exist_ok=True)
        made = cls(folder)
        made.git("init", "--quiet", "--template=", "--initial-branch=series")
        for key, value in _SETTINGS.items():
            made.git("config", key, value)
        (folder / ".git" / "info").mkdir(exist_ok=True)
        (folder / ".git" / "info" / "attributes").write_text(_ATTRIBUTES, encoding="ascii")
        return made

    @property
    def private(self) -> Path:
        """The repository's own folder."""
        return self.folder / ".git"

    def git(self, *words: str | Path, env: Mapping[str, str] | None = None) -> str:
        """Run git and return what it answers, without the last line's end. Raises CommandFailed."""
        return self.ask(*words, env=env, check=True).output.rstrip("\n")

    def ask(self, *words: str | Path, env: Mapping[str, str] | None = None, check: bool = False) -> Completed:
        """Run git, and return what it says and its status."""
        command = ("git", "-C", self.folder, "--git-dir", self.private, "--work-tree", self.folder, *words)
        return run(command, env={**_ENVIRONMENT, **(env or {})}, stdout_only=True, check=check)

    def borrow(self, store: Path) -> None:
        """Have the commits of another repository at hand, as long as that stays where it is.

        Raises UsageError for one whose hashes are sha256: a work tree's are sha1.
        """
        if self.git("--git-dir", store, "rev-parse", "--show-object-format") != "sha1":
            raise UsageError(
                f"{store}: a repository with sha256 hashes: its commits cannot be taken as patches"
            )
        alternates = self.private / "objects" / "info" / "alternates"
        with alternates.open("a", encoding="utf-8") as file:
            file.write(f"{(store / 'objects').resolve()}\n")

    def snapshot(self, tree: Path, message: str, parent: str = "") -> str:
        """Return a commit of all files below a folder that holds no repositories, also of those that it ignores."""
        with self.index() as index:
            index.git("--work-tree", tree, "add", "--all", "--force", ".")
            written = index.git("write-tree")
        return self.commit(written, parent, message)

    @contextmanager
    def index(self) -> Iterator[Index]:
        """Yield an index of its own, gone afterwards."""
        with temporary() as folder:
            yield Index(self, folder / "index")

    def commit(self, tree: str, parent: str, message: str, *, author: str = "", date: str = "") -> str:
        """Return a commit of a tree. `author` is ``Name <mail>``, `date` begins with ``YYYY-MM-DD``."""
        name, mail = _person(author)
        when = date if re.match(r"\d{4}-\d\d-\d\d", date) else _LONG_AGO
        when = f"{when}T00:00:00Z" if len(when) == len(_LONG_AGO) else when
        env = {
            "GIT_AUTHOR_NAME": name,
            "GIT_AUTHOR_EMAIL": mail,
            "GIT_AUTHOR_DATE": when,
            "GIT_COMMITTER_DATE": when,
        }
        parents = ("-p", parent) if parent else ()
        with temporary() as folder:
            file = folder / "message"
            file.write_text(message, encoding="utf-8")
            return self.git("commit-tree", tree, *parents, "-F", file, env=env)

    def read(self, name: str) -> Commit:
        """Return a commit by its name. Raises CommandFailed where there is none."""
        form = "%H%n%T%n%P%n%an <%ae>%n%aI%n%B"
        given, tree, parents, author, date, message = self.git(
            "log", "-1", f"--format={form}", name, "--"
        ).split("\n", 5)
        return Commit(
            hash=given, tree=tree, parents=tuple(parents.split()), author=author, date=date, message=message
        )

    def between(self, base: str, head: str) -> tuple[Commit, ...]:
        """Return the commits that `head` has and `base` does not, the oldest first."""
        found = self.git("rev-list", "--reverse", "--topo-order", f"{base}..{head}").split()
        return tuple(map(self.read, found))

    def pick(self, commit: Commit, onto: str) -> str:
        """Return a commit that does onto `onto` what another does to its parent; `onto` itself where that is nothing.

        Nothing in the work tree changes. Raises MergeConflict.
        """
        there = self.tree(onto)
        tree = commit.tree if self.tree(commit.parent) == there else self._merged(commit, there)
        if tree == there:
            return onto
        return self.commit(tree, onto, commit.message, author=commit.author, date=commit.date)

    def _merged(self, commit: Commit, tree: str) -> str:
        """Return the tree of a three-way merge whose base is the commit's parent."""
        ours = self.commit(tree, commit.parent, "ours")
        done = self.ask("merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", ours, commit.hash)
        merged, *files = done.output.rstrip("\0").split("\0")
        if done.status == 1:
            raise MergeConflict(list(dict.fromkeys(files)))
        if done.status:
            raise CommandFailed(f"{done.command}\nfailed with {done.status}:\n{done.tail}")
        return merged

    def tree(self, commit: str) -> str:
        """Return the tree of a commit."""
        return self.git("rev-parse", "--verify", f"{commit}^{{tree}}")

    def diff(self, old: str, new: str) -> bytes:
        """Return what leads from one commit or tree to another, in normal form; nothing where they are alike."""
        with temporary() as folder:
            file = folder / "diff"
            self.git(*_DIFF, f"--output={file}", old, new)
            return normal_diff(file.read_bytes())

    def summary(self, commit: str) -> frozenset[str]:
        """Return what a commit does beside changing lines, as git says it: modes, renames, new and deleted files."""
        lines = self.git("diff-tree", "-r", "-M", "--summary", "--no-commit-id", commit).splitlines()
        return frozenset(line.strip() for line in lines)

    def changes(self, old: str, new: str) -> tuple[str, ...]:
        """Return the paths that differ between two commits or trees."""
        return tuple(filter(None, self.git("diff-tree", "-r", "-z", "--name-only", old, new).split("\0")))

    def export(self, commit: str, into: Path) -> None:
        """Write the files of a commit into a folder."""
        into.mkdir(parents=True, exist_ok=True)
        with self.index() as index:
            index.git("read-tree", commit)
            index.git("--work-tree", into, "checkout-index", "--all", "--force")


class Index:
    """An index that stands in for the work tree's own, in a file that git makes."""

    def __init__(self, repository: Repository, file: Path) -> None:
        self._repository = repository
        self._file = file

    def git(self, *words: str | Path) -> str:
        """Run git with this index. Raises CommandFailed."""
        return self._repository.git(*words, env={"GIT_INDEX_FILE": str(self._file)})

    def update(self, tree: Path, paths: Iterable[str]) -> str:
        """Take some files as they are below a folder, or are not there any more, and return the tree that is made."""
        if named := tuple(paths):
            self.git("--work-tree", tree, "update-index", "--add", "--remove", "--", *named)
        return self.git("write-tree")


@cache
def _require_git() -> None:
    """Raise ToolMissing where git cannot merge in memory."""
    said = run(["git", "--version"]).output
    found = tuple(map(int, re.findall(r"\d+", said)[:2]))
    if found < _LEAST_GIT:
        raise ToolMissing(
            f"git {'.'.join(map(str, found))} is too old: patches are worked on with git "
            f"{'.'.join(map(str, _LEAST_GIT))} or newer; install a newer one"
        )


def _person(text: str) -> tuple[str, str]:
    """Return the name and the mail address of ``Name <mail>``, as git takes them."""
    found = _IDENTITY.fullmatch(text.partition(",")[0])
    name, mail = (found[1] or "", found[2] or "") if found else ("", "")
    return _ODD.sub(" ", name).strip(" .,:;\"'") or WORKBENCH, _ODD.sub("", mail).strip()
