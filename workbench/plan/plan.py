"""The plan: a draft, and who builds it with what. It is complete when it exists.

A dry run prints the plan that the real run would execute, and the build key is a hash of it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Literal

from workbench.plan.draft import Draft
from workbench.recipe.model import LocalFolder

Builder = Literal["host", "cross", "container"]
"""This machine for its own architecture, this machine for another one, or cibuildwheel in a container."""

KEY_FORMAT, CUDA_KEY_FORMAT = 3, 4
"""Raised when the way of building changes so that the same inputs give another wheel; the second is for CUDA."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """A build requirement, resolved: a file by its `sha256`, or a `commit` of the Git repository at `url`.

    A file with a `url` is from there, one without from the package index.
    """

    name: str
    version: str = ""
    sha256: str = ""
    url: str = ""
    commit: str = ""

    @property
    def line(self) -> str:
        """The requirement as a line of ``requirements.txt``."""
        if self.commit:
            return f"{self.name} @ git+{self.url}@{self.commit}"
        wanted = f"{self.name} @ {self.url}" if self.url else f"{self.name}=={self.version}"
        return f"{wanted} --hash=sha256:{self.sha256}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Needed:
    """A wheel that a build requires and that has a recipe of the site: of which package, and its build key."""

    package: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolkitPins:
    """What a CUDA toolkit is laid out from: NVIDIA's `version` (``13.0.3``), and lines of ``requirements.txt``."""

    version: str
    requirements: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(Draft):
    """A draft that `builder` makes into a wheel, in `image` where that is a container; `why` says why it was chosen.

    A name may stand for something else tomorrow, so these say what it stands for now: `image_pin` which image,
    `toolkit` which CUDA toolkit (None without, or where the image brings one). `create_args` are the site's. `pins` are
    the build requirements as they were resolved for another build, and `toolkit_pins` what its toolkit was laid out
    from; None where today's are taken. `needs` are the wheels of the site's own recipes that it requires, as these
    recipes are now.
    """

    builder: Builder
    why: str
    image: str | None = None
    image_pin: str | None = None
    create_args: tuple[str, ...] = ()
    toolkit: str | None = None
    pins: tuple[Pin, ...] | None = None
    toolkit_pins: ToolkitPins | None = None
    needs: tuple[Needed, ...] = ()

    @property
    def key(self) -> str | None:
        """The build key: SHA-256 (hex) of what docs/recipes.md lists. None where the source has no pin.

        The smoke test, the description and the like are not in it: changing them changes no wheel.
        """
        if isinstance(self.source, LocalFolder):
            return None
        inputs = {
            "format": CUDA_KEY_FORMAT if self.target.cuda else KEY_FORMAT,
            "name": self.project,
            "version": str(self.version),
            "source": {"kind": type(self.source).__name__, **asdict(self.source)},
            "patches": [[patch.name, patch.sha256, *patch.options] for patch in self.patches],
            "target": asdict(self.target),
            "builder": self.builder,
            "image": self.image,
            "image_pin": self.image_pin,
            "create_args": self.create_args,
            "toolkit": self.toolkit,
            "glibc": self.glibc,
            "build_requires": self.build_requires,
            "before_all": self.before_all if self.builder == "container" else (),
            "before_build": self.before_build,
            "cuda_libraries": sorted(set(self.recipe.cuda_libraries)),  # a toolkit has them in no order
            "environment": self.environment,
            "repair_exclude": self.repair_exclude,
            "requires": self.requires,
            **({"network": True} if self.recipe.network else {}),
            **({"needs": [[each.package, each.key] for each in self.needs]} if self.needs else {}),
        }
        return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()
