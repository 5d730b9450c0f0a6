"""The Pythons that upstream supports, as its source says: kept in the cache once the source was unpacked.

So a plan knows them without unpacking anything. A patch may change them: the patches of files that say them count too.
"""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from workbench.files import write_whole
from workbench.recipe.model import Git, Sdist
from workbench.source.quote import Quote
from workbench.source.setup_script import read_scripts
from workbench.source.stated import WRITTEN, read_stated

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from workbench.patches.series import PatchFile
    from workbench.recipe.model import Source
    from workbench.source.setup_script import Scripts


def keep_pythons(source: Source, patches: Sequence[PatchFile], tree: Path, cache: Path) -> None:
    """Keep what the patched tree of a source says. Raises OSError."""
    if path := _path(source, patches, cache):
        told = stated_pythons(tree, read_scripts(tree), patches)
        write_whole(path, json.dumps([told.text, told.where] if told else None))


def recall_pythons(source: Source, patches: Sequence[PatchFile], cache: Path) -> Quote | None:
    """Return the Requires-Python of a source that was unpacked here once; None where nothing is known."""
    path = _path(source, patches, cache)
    with suppress(OSError, ValueError, TypeError):
        if path and (held := json.loads(path.read_text(encoding="utf-8"))):
            return Quote(*held)
    return None


def stated_pythons(tree: Path, scripts: Scripts, patches: Sequence[PatchFile]) -> Quote | None:
    """Return the Requires-Python that a patched tree states; None where a patched file may say another one.

    `scripts` is what the tree's ``setup.py`` says.
    """
    changed = bool(_of_metadata(patches))
    told = read_stated(tree, scripts, written_first=changed).first("Requires-Python")
    return None if told is None or (changed and told.where.startswith("PKG-INFO")) else told


def excludes(told: Quote, python: str) -> bool:
    """Say whether a Requires-Python leaves out every release of a Python (X.Y)."""
    try:
        wanted = SpecifierSet(told.text)
    except InvalidSpecifier:
        return False
    return not any(wanted.contains(f"{python}.{patch}", prereleases=True) for patch in (0, 99))


def _of_metadata(patches: Sequence[PatchFile]) -> list[str]:
    return [patch.sha256 for patch in patches if any(change.path in WRITTEN for change in patch.changes)]


def _path(source: Source, patches: Sequence[PatchFile], cache: Path) -> Path | None:
    match source:
        case Sdist(sha256=pin) | Git(commit=pin):
            name = hashlib.sha256(" ".join([pin, *_of_metadata(patches)]).encode()).hexdigest()
            return cache / "pythons" / f"{name}.json"
    return None
