"""Folders that are made once and shared by all processes: whole, or not there."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from workbench import console
from workbench.files import locked, remove_tree

if TYPE_CHECKING:
    from collections.abc import Callable


def made_once(home: Path, title: str, make: Callable[[Path], Path]) -> Path:
    """Return the folder `home`, made first where it is not there.

    `make` gets a scratch folder beside `home` and returns the finished tree below it, which is then renamed into
    place. Of several processes one makes it, and the others wait. What one that was killed has left of it is removed.
    `title` names the step to a person.
    """
    if home.is_dir():
        return home
    prefix = f".making-{home.name}-"
    with locked(home.with_name(f"{home.name}.lock")):
        if not home.is_dir():
            for left in home.parent.glob(f"{prefix}*"):
                remove_tree(left)
            with (
                console.step(title) as at,
                tempfile.TemporaryDirectory(dir=home.parent, prefix=prefix) as scratch,
            ):
                make(Path(scratch)).rename(home)
                at.outcome = str(home)
    return home
