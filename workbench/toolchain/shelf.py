"""Folders that are made once and shared by all processes: whole, or not there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from workbench.events import step
from workbench.files import locked, scratch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def made_once(home: Path, title: str, make: Callable[[Path], Path]) -> Path:
    """Return the folder `home`, made first where it is not there.

    `make` gets a scratch folder beside `home` and returns the finished tree below it, which is then renamed into
    place. Of several processes one makes it, and the others wait.
    `title` names the step to a person.
    """
    if home.is_dir():
        return home
    with locked(home.with_name(f"{home.name}.lock")):
        if not home.is_dir():
            with step(title) as at, scratch(home.parent, f".making-{home.name}-") as folder:
                make(folder).rename(home)
                at.outcome = str(home)
    return home
