"""The registry as values. ``schema.json`` beside this module is the same shape for other programs.

Keys are those of the older registries that this one continues (``source_repo``, ``upload_date`` ...), plus what
an index needs by the Simple Repository API (PEP 503, 592, 658, 700, 740, 792).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from workbench.evidence.facts import BuildFacts  # noqa: TC001 - `strict` reads the types of fields
from workbench.wheel.library_facts import LibraryFacts  # noqa: TC001 - likewise

SCHEMA = 2
"""The version of the file's shape. 1 is the older form, which only ``store.import`` reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedWheel:
    """One published file.

    `url` is relative to the store's root (``files/<project>/<filename>``, unquoted), or absolute for a file that
    lies elsewhere. `sha256` and `metadata_sha256` are hex, `size` is bytes, `upload_time` is UTC in RFC 3339 with
    ``Z``. `yanked` is None, or the reason (PEP 592; may be empty). `gpu_architectures` are those of the code that was
    found in its binaries (``sm_121``, ``compute_120``), and `libraries` says more of them. `build_key` names the
    plan that made it; `provenance` is the absolute https URL of its attestations (PEP 740).
    """

    filename: str
    url: str
    python_version: str
    platform: str
    upload_date: str
    sha256: str
    size: int
    upload_time: str
    requires_python: str | None = None
    metadata_sha256: str | None = None
    yanked: str | None = None
    gpu_architectures: tuple[str, ...] = ()
    libraries: LibraryFacts | None = None
    build_key: str | None = None
    provenance: str | None = None
    build: BuildFacts | None = None

    def fills(self, each: Unavailable) -> bool:
        """Say whether it is for the one target that is told of; what is told of many holds for the others still."""
        build = self.build
        return (
            build is not None
            and build.variant is None  # a variant is beside the usual build, and not in its place
            and self.yanked is None
            and each.arch is not None
            and self.platform.endswith(f"_{each.arch}")
            and (self.python_version, build.compute) == (each.python, each.compute)
            and (build.torch or "").split(".")[:2] == (each.torch or "").split(".")[:2]
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Unavailable:
    """Why there is no wheel for a target: it failed (`log` says where that can be read), or upstream forbids it.

    `arch` is as ``uname -m`` says it; a target's key that is None stands for all.
    """

    reason: str
    python: str | None = None
    arch: str | None = None
    compute: str | None = None
    torch: str | None = None
    log: str | None = None

    @property
    def target(self) -> tuple[str | None, ...]:
        """What tells it from others of the same project."""
        return self.python, self.arch, self.compute, self.torch


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One project and its published wheels, in the order of their filenames.

    `status` is PEP 792's project status. `unavailable` says of targets without a wheel why they have none.
    """

    source_repo: str
    source_branch: str | None = None
    upstream: str | None = None
    description: str = ""
    license: str | None = None
    status: Literal["active", "archived", "quarantined", "deprecated"] = "active"
    status_reason: str | None = None
    unavailable: tuple[Unavailable, ...] = ()
    wheels: tuple[PublishedWheel, ...] = ()

    def with_reasons(self, told: Iterable[Unavailable]) -> Package:
        """Return this project with what is told, in place of what was told of the same targets before."""
        known = {each.target: each for each in (*self.unavailable, *told)}
        ordered = sorted(known.values(), key=lambda each: tuple(part or "" for part in each.target))
        return replace(self, unavailable=tuple(ordered)).filled()

    def filled(self) -> Package:
        """Return this project without the reasons for targets that have a wheel by now."""
        left = tuple(each for each in self.unavailable if not any(wheel.fills(each) for wheel in self.wheels))
        return self if left == self.unavailable else replace(self, unavailable=left)

    def described_by(self, facts: Package) -> Package:
        """Return this project with what its recipe says of it as in `facts`; the rest is what was published."""
        return replace(
            facts,
            status=self.status,
            status_reason=self.status_reason,
            unavailable=self.unavailable,
            wheels=self.wheels,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """A file that was published and is not any more.

    It can come back only with the bytes it had (`sha256`). It lies in the store until `delete_after` (UTC, RFC 3339),
    or for good where that is None, as after a rollback. Once its `state` is ``deleting`` it cannot be published until
    it is ``deleted``. What was never published and is deleted has an empty `sha256`, and is forgotten when it is gone.
    """

    project: str
    filename: str
    sha256: str
    removed: str
    delete_after: str | None = None
    state: Literal["unlisted", "deleting", "deleted"] = "unlisted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """All that is published.

    `generation` counts the changes that led here; `updated` (UTC, RFC 3339) and `change` say when the last of
    them was made and what it was. `removed` is in the order of the filenames.
    """

    generation: int = 0
    updated: str | None = None
    change: str = ""
    packages: dict[str, Package] = field(default_factory=dict)
    removed: tuple[Removal, ...] = ()

    def wheels(self) -> Iterator[tuple[str, PublishedWheel]]:
        """Yield every published wheel with the normalised name of its project."""
        for name, package in self.packages.items():
            for wheel in package.wheels:
                yield name, wheel

    def wheels_of(self, project: str) -> tuple[PublishedWheel, ...]:
        """Return what is published of a project, by its normalised name."""
        package = self.packages.get(project)
        return package.wheels if package else ()

    @property
    def filenames(self) -> frozenset[str]:
        """The filenames of all published wheels."""
        return frozenset(wheel.filename for _, wheel in self.wheels())

    @property
    def removed_filenames(self) -> frozenset[str]:
        """The filenames of what was published once."""
        return frozenset(gone.filename for gone in self.removed)

    def find(self, filename: str) -> tuple[str, PublishedWheel] | None:
        """Return the wheel of this filename with its project's name, or None."""
        return next(((name, wheel) for name, wheel in self.wheels() if wheel.filename == filename), None)

    def with_package(self, name: str, package: Package) -> Registry:
        """Return a registry in which this project is as given; its wheels are put in order."""
        ordered = replace(package, wheels=tuple(sorted(package.wheels, key=lambda wheel: wheel.filename)))
        return replace(self, packages=dict(sorted({**self.packages, name: ordered}.items())))

    def with_wheel(self, name: str, wheel: PublishedWheel) -> Registry:
        """Return a registry in which this file is published as given, in place of one of the same name."""
        package = self.packages[name]
        others = tuple(w for w in package.wheels if w.filename != wheel.filename)
        return self.with_package(name, replace(package, wheels=(*others, wheel)))

    def without_wheel(self, name: str, filename: str) -> Registry:
        """Return a registry in which this file is not published. The project stays."""
        package = self.packages[name]
        return self.with_package(
            name, replace(package, wheels=tuple(w for w in package.wheels if w.filename != filename))
        )
