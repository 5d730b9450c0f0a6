"""The site's own index in a build: what this site publishes comes from there, and from nowhere else."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from workbench.errors import SettingsError
from workbench.files import content_of
from workbench.paths import SIMPLE

if TYPE_CHECKING:
    from workbench.paths import Paths
    from workbench.settings import Settings


def own_index(requirements: Iterable[str], paths: Paths, settings: Settings) -> str | None:
    """Return the URL of the site's own index where it publishes one of some requirements (PEP 508), or None.

    Raises SettingsError where builds cannot see that index.
    """
    ours = sorted({canonicalize_name(Requirement(each).name) for each in requirements} & _published(paths))
    if not ours:
        return None
    if settings.public_url:
        return f"{settings.public_url}/{SIMPLE}"
    if settings.store.s3:
        raise SettingsError(
            f"workbench.yaml: public_url: missing: the build requires {', '.join(ours)}, which this site publishes, "
            "and installs it from there"
        )
    return (paths.root / (settings.store.folder or "") / SIMPLE).absolute().as_uri() + "/"


def joined_index(index: str | None) -> list[str]:
    """Return uv's options that join an index: a name that it has is never looked for in another."""
    return [f"--index={index}", "--index-strategy=first-index"] if index else []


def _published(paths: Paths) -> frozenset[str]:
    """Return the projects of the site's registry. One that cannot be read is told by those who change it."""
    try:
        return frozenset(json.loads(content_of(paths.registry) or b"{}").get("packages", ()))
    except (ValueError, RecursionError, AttributeError):
        return frozenset()
