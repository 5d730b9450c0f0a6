"""What decides a wheel, by name: of a plan, and of a build that was; and in what the two differ."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from workbench.evidence.built_with import toolkit_of
from workbench.evidence.provenance import uri_of
from workbench.recipe.model import Git, LocalFolder, Sdist

if TYPE_CHECKING:
    from workbench.evidence.provenance import Provenance, Used
    from workbench.plan.plan import Plan
    from workbench.recipe.model import Source

_ORDER = "order of the patches"

_URL = "source_url"
"""The input that has a source's URL as the recipe has it, where a statement cannot name it by that: it is no URI."""

_HASH = re.compile(r"[0-9a-f]{40,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedInput:
    """An input that a build had and a plan has otherwise; empty where one of them has none of that name."""

    name: str
    had: str = ""
    has: str = ""

    def __str__(self) -> str:
        had, has = (_HASH.sub(lambda found: f"{found[0][:12]}…", each) for each in (self.had, self.has))
        if not self.had:
            return f"{self.name}: added: {has}"
        return f"{self.name}: {had} → {has}" if self.has else f"{self.name}: removed: {had}"


def parameters(plan: Plan) -> dict[str, str]:
    """Return what a plan's wheel is for."""
    target = {key: value for key, value in asdict(plan.target).items() if value}
    told = {key: value if isinstance(value, str) else ",".join(value) for key, value in target.items()}
    return {"package": plan.project, "version": str(plan.version), **told}


def recipe_inputs(plan: Plan) -> dict[str, tuple[str, ...]]:
    """Return what the recipe and the site say of a plan's target, as far as they say anything."""
    inputs = {
        "upstream_name": (plan.recipe.name,) if plan.project != plan.recipe.name else (),
        "upstream_version": (plan.recipe.version,),
        **{name: (value,) for name, value in _source_options(plan.source)},
        "network": ("yes",) if plan.recipe.network else (),
        "build_requires": plan.build_requires,
        "needs": tuple(f"{each.package} {each.key}" for each in plan.needs),
        "before_all": plan.before_all if plan.builder == "container" else (),
        "before_build": plan.before_build,
        "cuda_libraries": plan.recipe.cuda_libraries,
        "repair_exclude": plan.repair_exclude,
        "requires": plan.requires,
        "create_args": plan.create_args,
        "glibc": (plan.glibc,) if plan.glibc else (),
        "patch_options": tuple(
            f"{each.name} {' '.join(each.options)}" for each in plan.patches if each.options
        ),
    }
    return {key: value for key, value in inputs.items() if value}


def _source_options(source: Source) -> Iterator[tuple[str, str]]:
    """Yield what a recipe says of its source beside where it is and its pin."""
    match source:
        case Sdist(name=str(name)):
            yield "source_name", name
        case Git(url=url):
            if uri_of(f"git+{url}") != f"git+{url}":
                yield _URL, url
            yield ("branch", source.branch) if source.branch else ("tag", source.tag or "")
            if source.submodules:
                yield "submodules", "yes"


def repository_url(made: Provenance) -> str:
    """Return the URL of the Git repository that a build's source is of, as its recipe has it; "" where it has none."""
    source = next(iter(made.of_role("source")), None)
    if source is None or not source.uri.startswith("git+"):
        return ""
    return next(iter(made.inputs.get(_URL, ())), source.uri.removeprefix("git+"))


def changed_inputs(made: Provenance, plan: Plan) -> tuple[ChangedInput, ...]:
    """Return in what a build's inputs differ from a plan's: a patch, a pin, a flag, each by its name."""
    had, has = _of_build(made), _of_plan(plan)
    names = [name for name in {**had, **has} if had.get(name, "") != has.get(name, "")]
    if any(name.startswith("patch ") for name in names):
        names = [name for name in names if name != _ORDER]  # that says it already
    return tuple(ChangedInput(name=name, had=had.get(name, ""), has=has.get(name, "")) for name in names)


def _of_plan(plan: Plan) -> dict[str, str]:
    match plan.source:
        case Sdist(sha256=pin):
            url = ""
        case Git(url=url, commit=pin):
            pass
        case LocalFolder(path=path):
            pin, url = "", path.name
    return _flat(
        parameters(plan),
        builder=plan.builder,
        source=pin,
        url=url,
        patches={each.name: each.sha256 for each in plan.patches},
        image=f"{plan.image} {plan.image_pin or ''}".strip() if plan.image else "",
        toolkit=_toolkit(tuple(toolkit_of(plan))),
        inputs=recipe_inputs(plan),
        environment=plan.environment,
    )


def _of_build(made: Provenance) -> dict[str, str]:
    source = next(iter(made.of_role("source")), None)
    image = next((f"{each.name} {each.uri}".strip() for each in made.of_role("image")), "")
    digest = source.digest if source else {}
    return _flat(
        made.parameters,
        builder=made.builder,
        source=digest.get("gitCommit") or digest.get("sha256", ""),
        url=repository_url(made),
        patches={each.name: each.digest.get("sha256", "") for each in made.of_role("patch")},
        image=image,
        toolkit=_toolkit(made.of_role("toolkit")),
        inputs=made.inputs,
        environment=made.environment,
    )


def _flat(
    asked: Mapping[str, str],
    *,
    builder: str,
    source: str,
    url: str,
    patches: Mapping[str, str],
    image: str,
    toolkit: str,
    inputs: Mapping[str, tuple[str, ...]],
    environment: Mapping[str, str],
) -> dict[str, str]:
    found = {
        **asked,
        "builder": builder,
        "image": image,
        "CUDA toolkit": toolkit,
        "source": source,
        "source's URL": url,
        **{f"patch {name}": digest for name, digest in patches.items()},
        _ORDER: ", ".join(patches),
        **{f"environment {name}": value for name, value in environment.items()},
        **{name: ", ".join(values) for name, values in inputs.items() if name != _URL},
        "cuda_libraries": ", ".join(sorted({*inputs.get("cuda_libraries", ())})),  # as in the key
    }
    return {name: value for name, value in found.items() if value}


def _toolkit(used: tuple[Used, ...]) -> str:
    """Return what tells a toolkit from others; its parts stand behind it."""
    return next((each.digest.get("sha256") or each.about for each in used), "")
