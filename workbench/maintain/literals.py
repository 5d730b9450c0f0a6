"""Edit a recipe's source text: some literals of it, and nothing else. Comments and layout stay byte for byte."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path

from workbench.errors import RecipeError


def with_literals(text: str, changes: Mapping[str, str], *, path: Path) -> str:
    """Return a recipe's text with other strings for some keys (``version``, ``source.sha256``).

    A key may be given as a string or by the name of a constant that is one. Raises RecipeError for anything else.
    """
    data, edits = text.encode(), []
    module = ast.parse(data)
    starts = [0]
    for line in data.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    for key, value in changes.items():
        literal = _literal(module, key, path)
        begin = starts[literal.lineno - 1] + literal.col_offset
        end = starts[(literal.end_lineno or 0) - 1] + (literal.end_col_offset or 0)
        old = data[begin:end]
        quote = old[:1]
        if quote not in (b'"', b"'") or old != quote + str(literal.value).encode() + quote:
            raise _not_plain(path, key, literal.lineno)
        edits.append((begin, end, quote + value.encode() + quote))
    for begin, end, new in sorted(edits, reverse=True):
        data = data[:begin] + new + data[end:]
    return data.decode()


def _literal(module: ast.Module, key: str, path: Path) -> ast.Constant:
    """Return the string that a recipe's key is given."""
    values = {
        target.id: node.value
        for node in module.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    value: ast.expr | None = values.get("recipe")
    for part in key.split("."):
        keywords = value.keywords if isinstance(value, ast.Call) else ()
        value = next((each.value for each in keywords if each.arg == part), None)
        if isinstance(value, ast.Name):
            value = values.get(value.id)
    if not isinstance(value, ast.Constant) or not isinstance(value.value, str):
        raise _not_plain(path, key, getattr(value, "lineno", 1))
    return value


def _not_plain(path: Path, key: str, line: int) -> RecipeError:
    return RecipeError(f'{path}:{line}: {key} is not a plain string there ("..."), so edit it by hand')
