"""``fleet.*``: what builds share."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

from workbench import console
from workbench.errors import UsageError, nearest
from workbench.text import file_size
from workbench.verb import Verb
from workbench.verbs.flags import DryRun, Json, here


@Verb
def cache(
    *,
    clean: Annotated[str, "remove the objects of this recipe, of a list of them, or of all"] = "",
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Show the object cache, recipe by recipe; or clean it."""
    from workbench.builders.objects import kept_objects, objects_root, remove_objects

    paths, settings = here()
    root = objects_root(paths)
    found = kept_objects(root)
    names = [each.recipe for each in found]
    chosen = names if clean == "all" else [name.strip() for name in clean.split(",") if name.strip()]
    for name in chosen:
        if name not in names:
            raise UsageError(f"--clean {name}: the object cache has nothing of it{nearest(name, names)}")
    freed = sum(each.size for each in found if each.recipe in chosen)
    if not dry_run:
        remove_objects(root, chosen)
    if json:
        shown = [{**asdict(each), "removed": each.recipe in chosen and not dry_run} for each in found]
        console.answer_json({"folder": str(root), "limit": settings.cache.limit, "recipes": shown})
        return
    if clean:
        verb = "would remove" if dry_run else "removed"
        console.answer(f"{verb} the objects of {', '.join(chosen) or 'no recipe'}: {file_size(freed)}")
        return
    rows = []
    for each in found:
        units = each.hits + each.misses
        rate = f"{100 * each.hits // units} % of {units}" if units else ""
        used = f"{datetime.fromtimestamp(each.used, UTC):%Y-%m-%d}" if each.used else ""
        rows.append((each.recipe, file_size(each.size), str(each.files), rate, used))
    if rows:
        console.answer_table(("recipe", "size", "files", "units found", "used"), rows)
    total = file_size(sum(each.size for each in found))
    console.answer(f"{total} of at most {settings.cache.size} in {root}")
