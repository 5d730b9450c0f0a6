"""A site's paths: the folder that holds recipes, patches, wheels, registry and index.

``WORKBENCH_SITE`` names it. Without that it is the checkout itself; for an installed program it is the folder, of this
one and those above it, that holds ``workbench.yaml`` or ``packages.json``, or else one of the user's own.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import SettingsError
from workbench.events import note
from workbench.files import scratch

SIMPLE = "index/simple/"
"""Where installers begin, below a store's root."""

CHECKOUT = Path(__file__).resolve().parent.parent

_INSTALLED = Path(__file__).resolve().parent / "shipped"
"""What a checkout has beside this package, an installed one has within it: recipes, patches, ``tasks.py``."""

SHIPPED = _INSTALLED if _INSTALLED.is_dir() else CHECKOUT

PROGRAM = "invoke" if SHIPPED == CHECKOUT else "workbench"
"""The program that runs the commands, as messages name it."""


class _Below:
    """A path of this name below a site's root."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, paths: Paths, kind: type) -> Path:
        return paths.root / self._name


@dataclass(frozen=True)
class Paths:
    """Where a site keeps what: below its root, and in the user's cache."""

    root: Path
    dist: Path | None = None
    recipes = _Below("recipes")  # one module a package
    patches = _Below("patches")  # one folder a package: ``series`` and its patches
    registry = _Below("packages.json")  # what is published
    index = _Below("index")  # the generated pages
    state = _Below(".workbench")  # the site's own working files: build trees, logs, reports on wheels

    @classmethod
    def here(cls) -> Paths:
        """Return those of this run's site. Raises SettingsError."""
        if chosen := os.environ.get("WORKBENCH_SITE"):
            root = Path(chosen).expanduser().resolve()
            if not root.is_dir():
                raise SettingsError(f"WORKBENCH_SITE={chosen}: no such folder")
            return cls(root)
        return cls(CHECKOUT if SHIPPED == CHECKOUT else _site_around() or _own_site())

    @property
    def wheels(self) -> Path:
        """Where built and repaired wheels lie: ``wheels/``, or `dist` where that is given."""
        return self.dist or self.root / "wheels"

    @property
    def cache(self) -> Path:
        """``WORKBENCH_CACHE``, or in the user's own: fetched sources by their hash, shared by all sites."""
        if chosen := os.environ.get("WORKBENCH_CACHE"):
            return Path(chosen).expanduser().resolve()
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return Path(base) / "wheel-workbench"


def _site_around() -> Path | None:
    """Return the nearest folder, from the current one upwards, that is a site."""
    here = Path.cwd()
    marks = ("workbench.yaml", "packages.json")
    return next(
        (each for each in (here, *here.parents) if any((each / mark).exists() for mark in marks)), None
    )


def _own_site() -> Path:
    """Return the user's own site; the first time, it is laid out with the recipes and patches that are shipped."""
    base = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    site = base / "wheel-workbench"
    if not site.exists():
        base.mkdir(parents=True, exist_ok=True)
        with scratch(base, ".wheel-workbench") as fresh:
            for each in ("recipes", "patches"):
                shutil.copytree(SHIPPED / each, fresh / "site" / each)
            with contextlib.suppress(OSError):  # another process was first
                (fresh / "site").rename(site)
        note(f"{site}: a site of your own, with the recipes that are shipped (WORKBENCH_SITE names another)")
    return site
