"""What verbs say alike: what a wheel is and the line that installs exactly it; what a package is made from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from workbench.index.install import pinned
from workbench.paths import PROGRAM
from workbench.store.layout import SIMPLE
from workbench.text import file_size
from workbench.wheel.filename import parse_wheel

if TYPE_CHECKING:
    from workbench.make.produce import Failure
    from workbench.plan.plan import Plan
    from workbench.recipe.model import Source
    from workbench.registry.model import PublishedWheel
    from workbench.settings import Settings

_TRY_OUT = "http://127.0.0.1:8000"
"""Where ``invoke serve`` serves, unless told otherwise."""


def tags_of(filename: str) -> str:
    """Return a wheel's tags as one line."""
    return ", ".join(sorted(map(str, parse_wheel(filename).tags)))


def published_facts(wheel: PublishedWheel, settings: Settings) -> list[tuple[str, str]]:
    """Return the lines of a published wheel's summary."""
    return [
        ("size", file_size(wheel.size)),
        ("tags", tags_of(wheel.filename)),
        ("sha256", wheel.sha256),
        *_install_lines(wheel.filename, settings.public_url),
    ]


def _install_lines(filename: str, public_url: str | None) -> list[tuple[str, str]]:
    parsed = parse_wheel(filename)
    pin = quote(pinned(parsed.name, str(parsed.version)))
    if public_url is None:
        return [
            ("serve", f"{PROGRAM} serve"),
            ("install", f"pip install --index-url {_TRY_OUT}/{SIMPLE} {pin}"),
        ]
    # there, unlike from 'invoke serve', pip finds nothing that the wheel requires and that is not published as well
    index = f"{public_url}/{SIMPLE}"
    return [
        ("uv", f"uv pip install --index {index} {pin}"),
        ("pip", f"pip install --index-url {index} --no-deps {pin}"),
    ]


def source_facts(source: Source) -> dict[str, Any]:
    """Return a source's plain form, for JSON: its kind, and what it pins."""
    pins = {key: str(value) if isinstance(value, Path) else value for key, value in asdict(source).items()}
    return {"kind": type(source).__name__, **pins}


def source_line(facts: Mapping[str, Any]) -> str:
    """Return a source's plain form as one line."""
    told = ", ".join(f"{key} {value}" for key, value in facts.items() if value and key != "kind")
    return f"{facts['kind']}: {told}"


def describe(plan: Plan) -> dict[str, Any]:
    """Return a plan's plain form, for ``--dry-run`` and JSON."""
    return {
        "package": plan.project,
        "version": str(plan.version),
        "target": str(plan.target),
        "builder": plan.builder,
        "why": plan.why,
        "source": source_facts(plan.source),
        "patches": [patch.name for patch in plan.patches],
        "needs": [each.package for each in plan.needs],
        "build_key": plan.key,
    }


def describe_failures(failures: Sequence[Failure]) -> list[dict[str, Any]]:
    """Return the plain form of what failed, for JSON: of each target why, and what its build's log tells of that."""
    return [
        {
            "target": plan.cell,
            "status": each.error.exit_code,
            "message": str(each.error),
            "explanation": asdict(each.error.explanation) if each.error.explanation else None,
        }
        for each in failures
        for plan in each.plans
    ]
