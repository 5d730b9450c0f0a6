"""``add-package``, ``source``, ``list`` and ``show``: what there is to build, and what of it is published."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from workbench import console
from workbench.paths import PROGRAM, Paths
from workbench.plan.axes import Axes
from workbench.verb import Verb
from workbench.verbs.flags import DryRun, Json, Package, StoreFlags, here

if TYPE_CHECKING:
    from workbench.maintain.addition import Addition
    from workbench.recipe.model import Recipe
    from workbench.registry.model import PublishedWheel, Registry
    from workbench.store.opening import Site


@Verb
def add_package(
    name: Annotated[str, "the project's name"],
    *,
    source: Annotated[
        str,
        "a Git URL, or pypi:NAME==VERSION for an sdist of the package index (default: the newest of NAME)",
    ] = "",
    upstream: Annotated[str, "the URL of the project that the source derives from"] = "",
    branch: Annotated[str, "the branch to pin (default: the repository's own default branch)"] = "",
    tag: Annotated[str, "the tag to pin"] = "",
    description: Annotated[str, "one line that says what it is"] = "",
    as_patches: Annotated[
        bool, "the source is a fork: pin upstream, and make a patch of each of the fork's commits"
    ] = False,
    base: Annotated[
        str, "with --as-patches: the tag of upstream to start from (default: where the fork left upstream)"
    ] = "",
    store: StoreFlags,
    dry_run: DryRun = False,
    json: Json = False,
) -> None:
    """Fetch and read a source, and write a recipe from what it tells."""
    from workbench.errors import UsageError
    from workbench.maintain.addition import NewPackage, plan_addition, written
    from workbench.publish.projects import declare, package_facts

    paths, *_ = site = store.opened()
    if base and not as_patches:
        raise UsageError("--base goes with --as-patches")
    new = NewPackage(
        name=name,
        source=source,
        upstream=upstream or None,
        branch=branch or None,
        tag=tag or None,
        description=description,
        as_patches=as_patches,
        base=base or None,
    )
    addition = plan_addition(new, paths)
    if not dry_run:
        with written(addition):
            declare(site, addition.recipe.name, package_facts(addition.recipe))
    if json:
        _answer_addition_json(addition, paths)
    else:
        _answer_addition(addition, site, dry_run=dry_run)


def _answer_addition_json(addition: Addition, paths: Paths) -> None:
    from workbench.verbs.summary import source_facts

    recipe = addition.recipe
    console.answer_json(
        {
            "name": recipe.name,
            "version": recipe.version,
            "source": source_facts(recipe.source),
            **addition.proposal.as_dict(),
            "files": {str(path.relative_to(paths.root)): _text(content) for path, content in addition.files},
        }
    )


def _text(content: str | bytes) -> str:
    return content if isinstance(content, str) else content.decode(errors="replace")


def _axes(recipe: Recipe) -> str:
    """Return the flags without which a new recipe would be built for no target."""
    from packaging.specifiers import SpecifierSet

    from workbench.plan.target import this_python

    supported = SpecifierSet(recipe.python).contains(f"{this_python()}.0")
    axes = "" if supported else f" --python {recipe.python.partition(',')[0].removeprefix('>=')}"
    axes += " --compute cu130" if recipe.compute[-1].startswith("cu") else ""
    return axes + (f" --torch {recipe.torch.removeprefix('>=')}" if recipe.torch else "")


def _answer_addition(addition: Addition, site: Site, *, dry_run: bool) -> None:
    """Print what was written, or would be, and what remains for a person."""
    from workbench.index.brief import people_path
    from workbench.store.layout import INDEX, REGISTRY

    recipe, paths = addition.recipe, site.paths
    for path, _ in addition.files:
        console.answer(f"{'would write' if dry_run else 'wrote'} {path.relative_to(paths.root)}")
    page = f", {INDEX}{people_path(recipe.name)}" if site.settings.index.people else ""
    registered = "would register it" if dry_run else "registered it"
    console.answer(f"{registered} in {site.store.place}: {REGISTRY}{page}")
    if dry_run:
        console.answer(f"\n{_text(addition.files[0][1])}")
        return
    console.answer(f"\nWhat remains for you, in {addition.files[0][0].relative_to(paths.root)}:")
    for line in addition.proposal.remaining:
        console.answer(f"  - {line}")
    axes = _axes(recipe)
    console.answer(
        f"\nTo change the source: {PROGRAM} patch.new {recipe.name} TITLE (docs/patches.md). Then:\n"
        f"  {PROGRAM} build {recipe.name}{axes}\n"
        f"  {PROGRAM} release {recipe.name}{axes}"
    )


@Verb
def source(
    name: Package,
    *,
    to: Annotated[str, "the folder that it becomes (default: NAME-VERSION here)"] = "",
    plain: Annotated[bool, "as upstream has it: without the patch series"] = False,
    axes: Axes,
    json: Json = False,
) -> None:
    """Fetch a package's source, check it against its pin, unpack and patch it.

    Patches that only some targets get are those of the first target that the axes name.
    """
    from workbench.make.source_folder import unpack_source
    from workbench.verbs.summary import source_facts, source_line

    unpacked = unpack_source(name, axes, Path(to) if to else None, *here(), plain=plain)
    facts = source_facts(unpacked.source)
    if json:
        console.answer_json({"path": str(unpacked.path), "source": facts, "patches": list(unpacked.patches)})
        return
    applied = ", ".join(unpacked.patches) or ("none: --plain" if plain else "none")
    rows = [("source", source_line(facts)), ("patches", applied)]
    if unpacked.left_out:
        rows.append(
            ("left out", f"{', '.join(unpacked.left_out)}: only some targets get them (--compute, ...)")
        )
    console.answer_summary(str(unpacked.path), rows)


@Verb
def list_(*, json: Json = False) -> None:
    """List the packages: version, patches, what is published."""
    from workbench.recipe.load import maker_of, names
    from workbench.registry.file import load as load_registry

    paths = Paths.here()
    registry = load_registry(paths.registry)
    rows = [
        _row(name, maker_of(paths.recipes, name), registry, paths)
        for name in sorted({*names(paths.recipes), *registry.packages})
    ]
    if json:
        console.answer_json(rows)
        return
    if not rows:
        console.answer(f"no packages yet: {PROGRAM} add-package NAME begins one")
        return
    cells = []
    for row in rows:
        version = "\n".join(row["versions"]) or row["version"] or "no recipe"
        published = "\n".join(row["published"]) or "–"
        cells.append((row["name"], version, str(row["patches"]), published, row["description"]))
    console.answer_table(("package", "version", "patches", "published", "description"), cells)


@Verb
def show(name: Annotated[str, "the package, as list names it"], *, json: Json = False) -> None:
    """Show one package: source and pin, patches, published wheels."""
    facts = _package(name, Paths.here())
    if json:
        console.answer_json(facts)
        return
    title = f"{facts['name']} {facts['version'] or '(no recipe)'}"
    if facts["description"]:
        title += f": {facts['description']}"
    console.answer_summary(title, _summary(facts))


def _package(name: str, paths: Paths) -> dict[str, Any]:
    """Return all that is known of one package, in plain form. Raises RecipeError, PatchError."""
    from packaging.utils import canonicalize_name

    from workbench.make.foresight import rewritten_line
    from workbench.patches.series import read_series
    from workbench.recipe.load import load, maker_of
    from workbench.recipe.model import Git, source_of
    from workbench.registry.file import load as load_registry
    from workbench.verbs.summary import source_facts

    registry = load_registry(paths.registry)
    name = canonicalize_name(name)
    published = registry.packages.get(name)
    recipe = maker_of(paths.recipes, name)
    if recipe is None and not published:
        load(paths.recipes, name)  # its error names the nearest
    return {
        **_row(name, recipe, registry, paths),
        "upstream": getattr(recipe or published, "upstream", None),
        "license": getattr(recipe or published, "license", None),
        "source": source_facts(recipe.source) if recipe else None,
        "force_pushed": rewritten_line(recipe.source, paths.cache)
        if recipe and isinstance(recipe.source, Git)
        else None,
        "versions": {
            version: source_facts(source)
            for version, pinned in (recipe.versions.items() if recipe else ())
            if (source := source_of(pinned))
        },
        "variants": {each: recipe.project(each) for each in recipe.variants} if recipe else {},
        **{key: getattr(recipe, key, unknown) for key, unknown in _MADE.items()},
        "patches": [
            {"name": patch.name, "sha256": patch.sha256, "description": patch.description}
            for patch in (read_series(paths.patches / recipe.patches) if recipe else ())
        ],
        "wheels": [
            {
                "filename": wheel.filename,
                "size": wheel.size,
                "sha256": wheel.sha256,
                "yanked": wheel.yanked,
                "patches": wheel.build.patches if wheel.build else None,
                "patches_changed": _changed_since(name, wheel, paths),
            }
            for wheel in registry.wheels_of(name)
        ],
    }


def _changed_since(name: str, wheel: PublishedWheel, paths: Paths) -> list[str]:
    """Return the patches of a published wheel that are others now, or gone, at the version that it was made of."""
    from workbench.patches.series import read_series
    from workbench.recipe.load import maker_of
    from workbench.wheel.filename import parse_wheel

    patches = wheel.build.patches if wheel.build else ()
    recipe = maker_of(paths.recipes, name, parse_wheel(wheel.filename).version) if patches else None
    now = {each.sha256 for each in read_series(paths.patches / recipe.patches)} if recipe else set()
    return [each.name for each in patches if each.sha256 not in now]


_MADE = {"python": None, "arch": (), "compute": (), "torch": None, "modules": ()}
"""What a recipe says of how a package is made, and what is said of one that others imported or published."""


def _row(name: str, recipe: Recipe | None, registry: Registry, paths: Paths) -> dict[str, Any]:
    from workbench.patches.series import read_series

    described = recipe or registry.packages.get(name)
    return {
        "name": name,
        "version": recipe.version if recipe else None,
        "versions": list(recipe.versions) if recipe else [],
        "description": described.description if described else "",
        "patches": len(read_series(paths.patches / recipe.patches)) if recipe else 0,
        "published": [
            f"{wheel.filename.split('-')[1]} {wheel.python_version} {wheel.platform}"
            + (" (yanked)" if wheel.yanked is not None else "")
            for wheel in registry.wheels_of(name)
        ],
    }


def _summary(facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the lines that show a package to a person."""
    from workbench.verbs.summary import source_line

    lines = [("upstream", facts["upstream"] or "–"), ("licence", facts["license"] or "–")]
    if facts["source"]:
        lines += [("source", source_line(facts["source"])), ("python", facts["python"])]
    if facts["versions"]:
        lines.append(("versions", ", ".join(facts["versions"])))
    lines += [
        ("variant", each if project == facts["name"] else f"{each}: {project}")
        for each, project in facts["variants"].items()
    ]
    if facts["force_pushed"]:
        lines.append(("note", facts["force_pushed"]))
    lines += [("patch", f"{patch['name']}: {patch['description']}") for patch in facts["patches"]]
    for wheel in facts["wheels"]:
        why = f": {wheel['yanked']}" if wheel["yanked"] else ""
        yanked = f" (yanked{why})" if wheel["yanked"] is not None else ""
        lines.append(("wheel", f"{wheel['filename']}{yanked}"))
        if wheel["patches"]:
            changed = wheel["patches_changed"]
            listed = [
                each.name + (" (another than now)" if each.name in changed else "")
                for each in wheel["patches"]
            ]
            lines.append(("", f"  with {', '.join(listed)}"))
    return lines if facts["wheels"] else [*lines, ("wheel", "none published yet")]
