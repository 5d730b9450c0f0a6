"""A registry of the older form, taken into ours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import RegistryError
from workbench.events import step
from workbench.publish.amend import amend, current, refuse_to_forget
from workbench.publish.drawing import draw_pages
from workbench.registry.file import put_aside
from workbench.registry.importing import import_older, merge

if TYPE_CHECKING:
    from workbench.registry.importing import Remark
    from workbench.registry.model import Registry
    from workbench.store.opening import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Import:
    """What an import took in, or would take in.

    `packages` are those of the file that could be accepted, `new` the wheels of it that were not here before and
    `already` those that were. `kept` is where the old content of the site's own registry was put aside, if it is that.
    """

    packages: tuple[str, ...]
    new: tuple[str, ...]
    already: tuple[str, ...]
    remarks: tuple[Remark, ...]
    kept: Path | None
    dry_run: bool


def import_registry(file: Path, site: Site, *, dry_run: bool) -> Import:
    """Take what a registry of the older form holds into ours. With `dry_run`, only say what that would do.

    The file may be the site's own ``packages.json``: its old content is put aside then, and it is replaced.
    Raises RegistryError.
    """
    paths, _, store = site
    document = file.read_bytes()
    with step(f"read {file}"):
        registry, remarks = import_older(document, where=str(file))
    kept = None
    if file.resolve() == paths.registry.resolve():
        kept = put_aside(paths.registry, dry_run=dry_run)
    ours = current(store, older=document)
    merged = merge(ours, registry)
    if not dry_run:

        def change(ours: Registry) -> Registry:
            nonlocal merged
            merged = merge(ours, registry)
            return merged.registry

        refuse_to_forget(site, ours)
        store.prepare()
        amend(store, change, "import a registry", older=document)
        draw_pages(site)
    return Import(
        packages=tuple(registry.packages),
        new=merged.new,
        already=merged.already,
        remarks=(*remarks, *merged.remarks),
        kept=kept,
        dry_run=dry_run,
    )


def expect_taken(done: Import) -> None:
    """Raise RegistryError where the file had wheels and every one was refused."""
    refused = sum(remark.outcome == "refused" and "/" in remark.entry for remark in done.remarks)
    if refused and not (done.new or done.already):
        raise RegistryError(f"no wheel was taken in: {refused} refused, for the reasons above")
