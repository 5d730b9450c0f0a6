"""A site: the folder that holds recipes, patches, wheels, registry and index, and its settings.

The site is the checkout itself unless ``WORKBENCH_SITE`` names another folder. ``workbench.yaml`` is optional:
without it the builder is this machine and the store is the site's own folder.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal

from workbench.errors import SettingsError
from workbench.strict import Mismatch, parse

CHECKOUT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """Where published files go. `folder` is relative to the site; the default is the site itself."""

    folder: str = "."


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSettings:
    """How the index is drawn.

    `urls` says whether pages link to files relatively or by `public_url`. `title` heads the pages for people,
    which are drawn unless `people` is off.
    """

    urls: Literal["relative", "absolute"] = "relative"
    title: str = "Wheels"
    people: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """``workbench.yaml``, every key of it optional.

    `public_url` is where the world finds the store's root, without a trailing slash.
    """

    public_url: str | None = None
    store: StoreSettings = field(default_factory=StoreSettings)
    index: IndexSettings = field(default_factory=IndexSettings)


@dataclass(frozen=True)
class Site:
    """The paths and the settings of one site."""

    root: Path

    @classmethod
    def here(cls) -> Site:
        """Return the site of this run: ``WORKBENCH_SITE``, or the checkout."""
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
            return Path(chosen)
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        return Path(base) / "wheel-workbench"

    @cached_property
    def settings(self) -> Settings:
        """``workbench.yaml``, or the defaults where there is none. Raises SettingsError."""
        path = self.root / "workbench.yaml"
        if not path.exists():
            return Settings()
        import yaml

        try:
            return parse(Settings, yaml.safe_load(path.read_text(encoding="utf-8")) or {})
        except Mismatch as error:
            raise SettingsError(f"{path}: {error}") from error
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise SettingsError(f"{path}: not YAML: {error}") from error
