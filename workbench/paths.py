"""A site's paths: the folder that holds recipes, patches, wheels, registry and index.

The site is the checkout itself unless ``WORKBENCH_SITE`` names another folder.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import SettingsError

SIMPLE = "index/simple/"
"""Where installers begin, below a store's root."""

CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Paths:
    """Where a site keeps what: below its root, and in the user's cache."""

    root: Path

    @classmethod
    def here(cls) -> Paths:
        """Return those of this run's site: ``WORKBENCH_SITE``, or the checkout."""
        chosen = os.environ.get("WORKBENCH_SITE")
        root = Path(chosen).expanduser().resolve() if chosen else CHECKOUT
        if not root.is_dir():
            raise SettingsError(f"WORKBENCH_SITE={chosen}: no such folder")
        return cls(root)

    @property
    def recipes(self) -> Path:
        """One module a package."""
        return self.root / "recipes"

    @property
    def patches(self) -> Path:
        """One folder a package: ``series`` and its patches."""
        return self.root / "patches"

    @property
    def wheels(self) -> Path:
        """Built and repaired wheels, not yet published."""
        return self.root / "wheels"

    @property
    def registry(self) -> Path:
        """What is published."""
        return self.root / "packages.json"

    @property
    def index(self) -> Path:
        """The generated pages."""
        return self.root / "index"

    @property
    def state(self) -> Path:
        """The checkout's own working files: build trees, logs, reports on wheels."""
        return self.root / ".workbench"

    @property
    def cache(self) -> Path:
        """Fetched sources, named by their hash and shared by all sites of this user.

        ``WORKBENCH_CACHE``, or the XDG base directory for caches.
        """
        if chosen := os.environ.get("WORKBENCH_CACHE"):
            return Path(chosen).expanduser().resolve()
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return Path(base) / "wheel-workbench"
