"""The templates of the people's pages, compiled and kept. They see text and escape all of it."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2

if TYPE_CHECKING:
    from markupsafe import Markup

_HERE = Path(__file__).parent


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
        bytecode_cache=_compiled(),
    )


def _compiled() -> jinja2.BytecodeCache | None:
    """Return where compiled templates are kept: as Python keeps its own, and not where that cannot be written."""
    folder = _HERE / "templates" / "__pycache__"
    try:
        folder.mkdir(exist_ok=True)
    except OSError:
        return None
    return jinja2.FileSystemBytecodeCache(str(folder)) if os.access(folder, os.W_OK) else None


@cache
def template(name: str) -> jinja2.Template:
    """Return a template by its file's name."""
    return _environment().get_template(name)


@cache
def macro(name: str) -> Callable[..., Markup]:
    """Return one of the templates' macros: a part of a page that is drawn by itself."""
    found: Callable[..., Markup] = getattr(template("macros.html").module, name)
    return found


@cache
def asset(name: str) -> bytes:
    """Return what the pages load, as it stands."""
    return (_HERE / "static" / name).read_bytes()
