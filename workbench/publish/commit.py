"""The checkout's copy of the registry, committed with a message that names the wheels."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.errors import UsageError
from workbench.process import run
from workbench.registry.file import load

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.site import Site

SUBJECT = 72
"""The columns of a commit's first line, by custom."""


def commit_registry(site: Site) -> bool:
    """Commit ``packages.json``, and nothing else; return False where it is committed already.

    The message is what the registry says of its last change. Raises UsageError for a site that is no Git
    checkout, CommandFailed where Git refuses.
    """
    git: list[str | Path] = ["git", "-C", site.root]
    if run([*git, "rev-parse", "--is-inside-work-tree"], check=False).status:
        raise UsageError(f"--commit: {site.root} is no Git checkout")
    run([*git, "add", "--", site.registry])
    if not run([*git, "diff", "--cached", "--quiet", "--", site.registry], check=False).status:
        return False
    run([*git, "commit", "--quiet", "--message", message(load(site.registry).change), "--", site.registry])
    return True


def message(change: str) -> str:
    """Return the commit message for a registry's change: a short first line, and all of it below if it is long."""
    if len(change) <= SUBJECT:
        return change
    verb, _, names = change.partition(" ")
    wheels = names.split(", ")
    what = f"{verb} {len(wheels)} wheels" if len(wheels) > 1 else f"{verb} a wheel"
    return "\n".join([what, "", *wheels])
