"""The checkout's copy of the registry, committed with a message that names the wheels, and with what proves it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from workbench.errors import RegistryError, UsageError, WorkbenchError
from workbench.events import note
from workbench.evidence.keys import KEYS
from workbench.evidence.root import ROOT
from workbench.files import content_of, locked, write_whole
from workbench.index.draw import STATE
from workbench.index.tree import LOCK
from workbench.process import run
from workbench.publish.drawing import COPYING
from workbench.publish.wheel_files import is_ours, proofs
from workbench.registry.file import load, loads
from workbench.registry.model import Registry
from workbench.settings import read_settings
from workbench.store.layout import FILES, INDEX, is_text, wheel_of
from workbench.text import counted

if TYPE_CHECKING:
    from workbench.paths import Paths

_NOT_PAGES = (f":(exclude)index/{LOCK}", f":(exclude)index/{STATE}")
"""What lies among the pages for the next drawing in this folder."""

_SUBJECT = 72
"""The columns of a commit's first line, by custom."""


@contextmanager
def committing(paths: Paths, *, wanted: bool) -> Iterator[None]:
    """Commit the registry after a change, where that was asked for, and say so.

    Where the change fails halfway, what it has published is committed as well. Raises UsageError before anything is
    changed where the site is not a Git checkout, CommandFailed where Git refuses.
    """
    if not wanted:
        yield
        return
    if run(["git", "-C", paths.root, "rev-parse", "--is-inside-work-tree"], check=False).status:
        raise UsageError(f"--commit: {paths.root} is not a Git checkout")
    before = content_of(paths.registry)
    try:
        yield
    except BaseException:
        if content_of(paths.registry) != before:
            try:
                commit_registry(paths)
            except (WorkbenchError, OSError) as error:  # the one that is on its way counts more
                note(f"packages.json is not committed: {error}")
        raise
    commit_registry(paths)


def commit_registry(paths: Paths) -> bool:
    """Commit ``packages.json`` and what proves it, and say so; False where there is none, or all is committed already.

    That is, ignored or not, the signed root, the list of keys, and the statements and other texts of wheels that lie
    elsewhere: who serves the checkout's pages has these from nowhere else. Nothing else of ``trust/`` is committed,
    where somebody may keep a private key. Where the site's settings say that its index is committed, the pages are
    committed too.

    The message names what changed since it was committed last, by whomever. Raises CommandFailed where Git refuses.
    """
    if not paths.registry.exists():
        return False
    git = ("git", "-C", paths.root)
    pages = read_settings(paths).index.committed and paths.index.is_dir()
    told = [paths.registry.name, *([INDEX] if pages else [])]
    what = [*told, *(_NOT_PAGES if pages else ())]
    with locked(paths.state / COPYING):
        signed = [each for each in (ROOT, KEYS) if (paths.root / each).is_file()]
        run([*git, "add", "--force", "--", *what, *signed])
        registry = load(paths.registry)
        _add_texts(paths, registry)
        # of a folder, a commit takes what was added once
        added = [each for each in (ROOT, KEYS, FILES) if run([*git, "ls-files", "--", each]).output]
        what += added
        if not run([*git, "diff", "--cached", "--quiet", "--", *what], check=False).status:
            return False
        committed = run([*git, "show", f"HEAD:./{paths.registry.name}"], check=False, stdout_only=True)
        before = Registry()
        with suppress(RegistryError):  # one of the older form, or damaged: all that is published now is news
            before = loads(committed.output if committed.status == 0 else "", where="HEAD")
        # a thousand filenames are too many for a line of arguments
        text = paths.state / "commit-message"
        write_whole(text, message(before, registry))
        run([*git, "commit", "--quiet", "--file", text, "--", *what])
        text.unlink()
    note(f"committed {', '.join(told + added)}")
    return True


def _add_texts(paths: Paths, registry: Registry) -> None:
    """Add to Git what the registry links to of wheels that lie elsewhere, as far as it is here.

    The logs of builds that failed are among it, where a package has such a wheel: its page links to them too. A link
    that is not a key of such a text is passed over: the registry may be somebody else's, and lead to a secret.
    """
    keys = list[str]()
    for name, package in registry.packages.items():
        elsewhere = [wheel for wheel in package.wheels if not is_ours(wheel)]
        keys += [key for wheel in elsewhere for key in proofs(name, wheel)]
        keys += [why.log for why in package.unavailable if elsewhere and why.log]
    there = [key for key in keys if (is_text(key) or wheel_of(key)) and (paths.root / key).is_file()]
    if not there:
        return
    listed = paths.state / "commit-texts"  # a thousand wheels have too many for a line of arguments
    write_whole(listed, "\0".join(there))
    git = ("git", "--literal-pathspecs", "-C", paths.root)
    run([*git, "add", "--force", f"--pathspec-from-file={listed}", "--pathspec-file-nul"])
    listed.unlink()


def message(before: Registry, after: Registry) -> str:
    """Return a commit's message: the last change, or counts where that is too long, and the wheels it does not name."""
    changed = list(changed_wheels(before, after))
    if before == after:
        return f"draw or sign the index of generation {after.generation} anew"
    subject = after.change
    if len(subject) > _SUBJECT and changed:
        verbs = dict.fromkeys(verb for verb, _ in changed)
        counts = {verb: sum(each == verb for each, _ in changed) for verb in verbs}
        subject = ", ".join(f"{verb} {counted(count, 'wheel')}" for verb, count in counts.items())
    if all(filename in subject for _, filename in changed):
        return subject
    alike = {verb for verb, _ in changed} == {subject.partition(" ")[0]}
    return "\n".join([subject, "", *(name if alike else f"{verb} {name}" for verb, name in changed)])


def changed_wheels(before: Registry, after: Registry) -> Iterator[tuple[str, str]]:
    """Yield what was done with which wheel, in the order of the filenames."""
    old = {wheel.filename: wheel for _, wheel in before.wheels()}
    new = {wheel.filename: wheel for _, wheel in after.wheels()}
    for filename in sorted(old.keys() | new.keys()):
        if filename not in old:
            yield "publish", filename
        elif filename not in new:
            yield "remove", filename
        elif old[filename].yanked != new[filename].yanked:
            yield "yank" if new[filename].yanked is not None else "unyank", filename
        elif old[filename] != new[filename]:
            yield "change", filename
