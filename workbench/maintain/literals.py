"""Edit a recipe's source text: some literals of it, or its versions. Comments, layout and line ends stay as they are.

Texts are as they lie on the disk, their line ends too: `text_of_recipe` reads one.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from packaging.version import Version

from workbench.errors import RecipeError


def text_of_recipe(path: Path) -> str:
    """Return a recipe's text with the line ends that it has (``open()`` would make each a line feed)."""
    return path.read_bytes().decode()


def with_literals(text: str, changes: Mapping[str, str], *, path: Path) -> str:
    """Return a recipe's text with other strings for some keys (``version``, ``source.sha256``).

    A key may be given as a string or by the name of a constant that is one. Raises RecipeError for anything else.
    """
    data, edits = text.encode(), []
    module = ast.parse(data)
    for key, value in changes.items():
        literal = _literal(module, key, path)
        begin, end = _span(data, literal)
        old = data[begin:end]
        quote = old[:1]
        if quote not in (b'"', b"'") or old != quote + str(literal.value).encode() + quote:
            raise _not_plain(path, key, literal.lineno)
        edits.append((begin, end, quote + value.encode() + quote))
    return _edited(data, edits)


def with_version(text: str, version: str, source: str, *, instead_of: str = "", path: Path) -> str:
    """Return a recipe's text whose `versions` have one more, or one in place of another.

    `source` is the text of its pin, ``Sdist(...)``. A version that is there already stays as it is. Raises RecipeError
    where the versions are not a dict in the file.
    """
    data = text.encode()
    keys, values = _versions(data, path)
    known = [str(key.value) for key in keys]
    if instead_of in known:
        at = known.index(instead_of)
        return _edited(data, _replacing(data, keys[at], values[at], version, source))
    if Version(version) in map(Version, known):
        return text
    entry = f'"{version}": {source}'.encode()
    start, end = _span(data, keys[-1])[0], _span(data, values[-1])[1]
    indent = data[:start].rpartition(b"\n")[2]
    stands_alone = indent.isspace()
    rest = data[end:].partition(b"\n")[0].rstrip(b"\r") if stands_alone else b""
    line_end, rest = end + len(rest), rest.strip()
    closes = rest.lstrip(b", \t").startswith(b"}")
    if Version(known[0]) > Version(known[-1]):  # the newest stands first
        start = _span(data, keys[0])[0]
        edits = [(start, start, entry + b"," + (b"\n" + indent if stands_alone else b" "))]
    elif stands_alone and not closes:  # below a comment that belongs to the last
        edits = [(line_end, line_end, b"\n" + indent + entry + b",")]
        edits += [] if rest.startswith(b",") else [(end, end, b",")]
    else:
        edits = [(end, end, b", " + entry)]
    return _edited(data, edits)


def with_series(text: str, version: str, patches: str, *, path: Path) -> str:
    """Return a recipe's text in which one of its `versions` has its patches in a folder of that name.

    Raises RecipeError where the versions are not a dict in the file, or that one is not a source or an Edition there.
    """
    data = text.encode()
    module = ast.parse(data)
    keys, values = _versions(data, path)
    value = values[[str(key.value) for key in keys].index(version)]
    if not isinstance(value, ast.Call):
        raise _not_plain(path, f"versions: {version}", value.lineno, "a source or an Edition")
    begin, end = _span(data, value)
    if getattr(value.func, "id", "") != "Edition":
        edits = [(begin, begin, b"Edition(source="), (end, end, f', patches="{patches}")'.encode())]
        return _edited(data, [*edits, *_importing(module, data, "Edition")])
    given = {each.arg: each.value for each in value.keywords}
    if "patches" in given:
        return _edited(data, [(*_span(data, given["patches"]), f'"{patches}"'.encode())])
    end = _span(data, given["source"])[1]
    return _edited(data, [(end, end, f', patches="{patches}"'.encode())])


def with_versions(text: str, *, path: Path) -> str:
    """Return the text of a recipe with a version and a source as that of one with `versions`, of which it has that one.

    They stand where the source stood; each may be given by the name of a constant. One that has versions stays as it
    is. Raises RecipeError where the version is not a string, or the source not a pin.
    """
    data = text.encode()
    module = ast.parse(data)
    if _value(module, "versions") is not None:
        return text
    recipe = _value(module, "")
    keywords = recipe.keywords if isinstance(recipe, ast.Call) else []
    given = {each.arg: each for each in keywords}
    version, source = _literal(module, "version", path), _value(module, "source")
    if not isinstance(source, ast.Call):
        raise _not_plain(path, "source", getattr(source, "lineno", 1), "Sdist(...) or Git(...)")
    begin, end = _span(data, given["source"])
    indent = data[:begin].rpartition(b"\n")[2]
    indent = indent if not indent.strip() else b"    "
    pin = data[slice(*_span(data, given["source"].value))].replace(b"\n", b"\n    ")
    key = data[slice(*_span(data, version))]
    entry = b"versions={\n%b    %b: %b,\n%b}" % (indent, key, pin, indent)
    return _edited(data, [(begin, end, entry), (*_with_its_comma(data, given["version"]), b"")])


def _with_its_comma(data: bytes, node: ast.keyword) -> tuple[int, int]:
    """Return where an argument begins and ends with the comma behind it; with its line where nothing else is there."""
    begin, end = _span(data, node)
    if found := re.compile(rb"\s*,[ \t]*").match(data, end):
        end = found.end()
    line = data.rfind(b"\n", 0, begin) + 1
    if (ends := re.compile(rb"\r?\n").match(data, end)) and not data[line:begin].strip():
        return line, ends.end()
    return begin, end


def _versions(data: bytes, path: Path) -> tuple[list[ast.Constant], list[ast.expr]]:
    """Return the versions that a recipe's dict has, and what stands for each. Raises RecipeError."""
    table = _value(ast.parse(data), "versions")
    keys = [key for key in table.keys if isinstance(key, ast.Constant)] if isinstance(table, ast.Dict) else []
    if not isinstance(table, ast.Dict) or not keys or len(keys) < len(table.keys):
        where = f"{path}:{getattr(table, 'lineno', 1)}"
        raise RecipeError(f'{where}: versions is not a plain dict there ({{"1.0": ...}}), so edit it by hand')
    return keys, table.values


def _replacing(
    data: bytes, key: ast.expr, value: ast.expr, version: str, source: str
) -> list[tuple[int, int, bytes]]:
    """Return the edits that put a version and its pin in place of others; what else an Edition has stays."""
    if isinstance(value, ast.Call) and getattr(value.func, "id", "") == "Edition":
        value = next((each.value for each in value.keywords if each.arg == "source"), value)
    return [(*_span(data, key), f'"{version}"'.encode()), (*_span(data, value), source.encode())]


def _importing(module: ast.Module, data: bytes, name: str) -> list[tuple[int, int, bytes]]:
    """Return the edit that imports one more name from ``workbench.recipe``; none where it is."""
    found = [
        each for each in module.body if isinstance(each, ast.ImportFrom) and each.module == "workbench.recipe"
    ]
    if not found or any(each.name == name for each in found[0].names):
        return []
    begin = _span(data, found[0].names[0])[0]
    return [(begin, begin, f"{name}, ".encode())]


def _span(data: bytes, node: ast.expr | ast.alias | ast.keyword) -> tuple[int, int]:
    """Return where a node begins and ends."""
    starts = [0]
    for line in data.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    begin = starts[node.lineno - 1] + node.col_offset
    return begin, starts[(node.end_lineno or 0) - 1] + (node.end_col_offset or 0)


def _edited(data: bytes, edits: Iterable[tuple[int, int, bytes]]) -> str:
    """Return the text with other bytes in some places; what is new has the text's own line ends."""
    line_end = b"\r\n" if b"\r\n" in data else b"\n"
    for begin, end, new in sorted(edits, reverse=True):
        data = data[:begin] + new.replace(b"\r\n", b"\n").replace(b"\n", line_end) + data[end:]
    return data.decode()


def _literal(module: ast.Module, key: str, path: Path) -> ast.Constant:
    """Return the string that a recipe's key is given."""
    value = _value(module, key)
    if not isinstance(value, ast.Constant) or not isinstance(value.value, str):
        raise _not_plain(path, key, getattr(value, "lineno", 1))
    return value


def _value(module: ast.Module, key: str) -> ast.expr | None:
    """Return what a recipe's key is given, there or by the name of a constant."""
    values = {
        target.id: node.value
        for node in module.body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    value: ast.expr | None = values.get("recipe")
    for part in filter(None, key.split(".")):
        keywords = value.keywords if isinstance(value, ast.Call) else ()
        value = next((each.value for each in keywords if each.arg == part), None)
        if isinstance(value, ast.Name):
            value = values.get(value.id)
    return value


def _not_plain(path: Path, key: str, line: int, kind: str = "a plain string") -> RecipeError:
    return RecipeError(f"{path}:{line}: {key} is not {kind} there, so edit it by hand")
