"""What ``setup.py`` and the modules beside it tell without being run: they are parsed, never executed."""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from workbench.source.quote import Quote, text_of

_MOST_SCRIPTS = 40

_VARIABLE = re.compile(r"[A-Z][A-Z0-9_]*")
_GPU = re.compile(r"\b(?:arch=)?(?:compute|sm)_\d{2,3}[af]?\b")
_DOWNLOADS = ("urlretrieve", "urlopen", "requests.get")
_GUARDS = (ast.If, ast.IfExp, ast.Try, ast.ExceptHandler)


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """A variable that a script reads: its default, and the value that it is compared with, where it says them."""

    name: str
    where: str
    default: str | None = None
    compared: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """A module (its first part) that a script imports; `always`: under no condition."""

    module: str
    where: str
    always: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripts:
    """What the scripts of a build say. The first is ``setup.py``; others are modules of the source that it imports.

    `keywords` are the strings that ``setup()`` is given, `packages` those of its list of packages. `extensions` are the
    calls of a class for extension modules, by the name of the class; `modules` the names that those of ``setup.py``
    give. `torch` is where torch's own builder is imported. `gpu_lists` are strings that name GPU architectures,
    `gpus_asked` questions whether this machine has a GPU, `gpu_needed` is one that ends the build where it has none,
    `downloads` are calls that fetch something. `words` stand in the strings of ``setup.py``, paths in their parts.
    `unread` are scripts that are not Python of today. `compiles`: there is an extension module at all.
    """

    keywords: dict[str, Quote]
    imports: tuple[Imported, ...] = ()
    variables: tuple[Variable, ...] = ()
    extensions: tuple[Quote, ...] = ()
    modules: tuple[Quote, ...] = ()
    packages: tuple[Quote, ...] = ()
    torch: Quote | None = None
    gpu_lists: tuple[Quote, ...] = ()
    gpus_asked: tuple[Quote, ...] = ()
    gpu_needed: Quote | None = None
    downloads: tuple[Quote, ...] = ()
    words: frozenset[str] = frozenset()
    unread: tuple[str, ...] = ()
    compiles: bool = False
    runs_cmake: bool = False


def read_scripts(tree: Path) -> Scripts:
    """Return what the ``setup.py`` of a source says, and the modules of the source that it imports.

    What is not there, or is not Python of today, says nothing.
    """
    found = _Found()
    waiting, seen = [tree / "setup.py"], set[Path]()
    while waiting and len(seen) < _MOST_SCRIPTS:
        path = waiting.pop(0)
        if path in seen or not path.is_file():
            continue
        seen.add(path)
        text, top, before = text_of(path), path == tree / "setup.py", len(found.imports)
        found.runs_cmake |= top and bool(re.search(r"""["']cmake["' ]|CMakeExtension""", text))
        try:
            _Reader(path.relative_to(tree).as_posix(), found, top=top).visit(ast.parse(text))
        except (SyntaxError, ValueError, RecursionError):
            found.unread.append(path.relative_to(tree).as_posix())
        found.searches |= "sys.path" in text
        for each in found.imports[before:]:
            waiting += _local(each.module, tree, deep=found.searches)
    local = {each.module for each in found.imports if _local(each.module, tree, deep=found.searches)}
    foreign = [each for each in found.imports if each.module not in local | sys.stdlib_module_names]
    return Scripts(
        keywords=found.keywords,
        imports=tuple(foreign),
        variables=tuple(found.variables),
        extensions=tuple(found.extensions),
        modules=tuple(unique(found.modules)),
        packages=tuple(found.packages),
        torch=found.torch,
        gpu_lists=tuple(found.gpu_lists),
        gpus_asked=tuple(found.gpus_asked),
        gpu_needed=found.gpu_needed,
        downloads=tuple(found.downloads),
        words=frozenset(found.words),
        unread=tuple(found.unread),
        compiles=found.compiles,
        runs_cmake=found.runs_cmake,
    )


def _local(module: str, tree: Path, *, deep: bool) -> list[Path]:
    """Return the files of a module that is the source's own: at its top or, with `deep`, in a folder there."""
    if module in sys.stdlib_module_names:
        return []
    at_top, below = (f"{module}.py", f"{module}/*.py"), (f"*/{module}.py", f"*/{module}/*.py")
    patterns = at_top + (below if deep else ())
    return next((found for pattern in patterns if (found := sorted(tree.glob(pattern)))), [])


class _Found:
    """What the scripts that were read so far say."""

    def __init__(self) -> None:
        self.keywords: dict[str, Quote] = {}
        self.imports: list[Imported] = []
        self.variables: list[Variable] = []
        self.extensions: list[Quote] = []
        self.modules: list[Quote] = []
        self.packages: list[Quote] = []
        self.torch: Quote | None = None
        self.gpu_lists: list[Quote] = []
        self.gpus_asked: list[Quote] = []
        self.gpu_needed: Quote | None = None
        self.downloads: list[Quote] = []
        self.words: set[str] = set()
        self.unread: list[str] = []
        self.compiles = False
        self.runs_cmake = False
        self.searches = False  # sys.path is changed: modules of the source lie elsewhere too


class _Reader(ast.NodeVisitor):
    """Reads one script into what was found; knows the constants of its top level and what stands around a node."""

    def __init__(self, path: str, found: _Found, *, top: bool) -> None:
        self.path, self.found, self.top = path, found, top
        self.around: list[ast.AST] = []
        self.constants: dict[str, ast.expr] = {}

    def visit(self, node: ast.AST) -> None:
        self.around.append(node)
        super().visit(node)
        self.around.pop()

    def visit_Module(self, node: ast.Module) -> None:
        stored = Counter(
            each.id
            for each in ast.walk(node)
            if isinstance(each, ast.Name) and not isinstance(each.ctx, ast.Load)
        )
        for each in node.body:
            if isinstance(each, ast.Assign):
                names = [target.id for target in each.targets if isinstance(target, ast.Name)]
                # what is set again somewhere is no constant
                self.constants |= dict.fromkeys((name for name in names if stored[name] == 1), each.value)
        self.generic_visit(node)

    def visit_Import(self, node: ast.Import) -> None:
        for each in node.names:
            self._imports(each.name, node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.module == "torch.utils" and any(each.name == "cpp_extension" for each in node.names):
            self._imports("torch.utils.cpp_extension", node)
        elif node.module and not node.level:
            self._imports(node.module, node)

    def visit_Call(self, node: ast.Call) -> None:
        called = ast.unparse(node.func)
        name = called.rpartition(".")[2]
        if name == "setup" and self.top:
            self._setup(node)
        elif name.endswith("Extension") and name != "BuildExtension":
            self._extension(name, node)
        elif called.endswith("cuda.is_available"):
            self.found.gpus_asked.append(Quote(called, self._where(node)))
            conditions = [each for each in self.around if isinstance(each, _GUARDS)]
            if self.top and len(conditions) == 1 and _raises_without(node, conditions[0]):
                self.found.gpu_needed = self.found.gpus_asked[-1]
        elif called in _DOWNLOADS or name in _DOWNLOADS:
            self.found.downloads.append(Quote(name, self._where(node)))
        elif node.args and (read := self._read_variable(called, node)):
            self.found.variables.append(read)
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        read = isinstance(node.ctx, ast.Load) and ast.unparse(node.value).endswith("environ")
        if read and (name := self._text(node.slice)):
            self.found.variables.append(
                Variable(name=name, where=self._where(node), compared=self._compared())
            )
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        holds = isinstance(node.ops[0], ast.In | ast.NotIn)
        if holds and ast.unparse(node.comparators[0]).endswith("environ") and (name := self._text(node.left)):
            self.found.variables.append(Variable(name=name, where=self._where(node)))
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str) and self.top:
            self.found.words.update(re.split(r"[/\\\s]+", node.value))
        if isinstance(node.value, str) and "\n" not in node.value and (gpu := _GPU.search(node.value)):
            self.found.gpu_lists.append(Quote(gpu[0], self._where(node)))

    def _imports(self, name: str, node: ast.stmt) -> None:
        module, always = name.partition(".")[0], not any(isinstance(each, _GUARDS) for each in self.around)
        self.found.imports.append(Imported(module=module, where=self._where(node), always=always))
        if name == "torch.utils.cpp_extension":
            self.found.torch = self.found.torch or Quote(name, self._where(node))
        if name == "torch.utils.cpp_extension" or module == "skbuild":
            self.found.compiles = True

    def _setup(self, node: ast.Call) -> None:
        for each in node.keywords:
            if each.arg in ("ext_modules", "rust_extensions", "cffi_modules"):
                self.found.compiles = True
            if each.arg == "packages" and isinstance(each.value, ast.List):
                texts = map(self._text, each.value.elts)
                self.found.packages += [Quote(text, self._where(each.value)) for text in texts if text]
            if each.arg and (text := self._text(each.value)):
                self.found.keywords.setdefault(each.arg, Quote(text, self._where(each.value)))

    def _extension(self, kind: str, node: ast.Call) -> None:
        self.found.compiles = True
        self.found.extensions.append(Quote(kind, self._where(node)))
        given = next((each.value for each in node.keywords if each.arg == "name"), None)
        name = self._text(given or (node.args[0] if node.args else None))
        if self.top and name and all(map(str.isidentifier, name.split("."))):
            self.found.modules.append(Quote(name, self._where(node)))

    def _read_variable(self, called: str, node: ast.Call) -> Variable | None:
        """Return the variable that a call reads: ``os.getenv``, ``os.environ.get`` or a helper named like them."""
        name = self._text(node.args[0])
        if not name or not _VARIABLE.fullmatch(name) or "env" not in called.lower():
            return None
        if called.endswith((".setdefault", ".pop")):
            return None
        default = self._text(node.args[1]) if node.args[1:] else None
        return Variable(name=name, where=self._where(node), default=default, compared=self._compared())

    def _compared(self) -> str | None:
        """Return the text that the node in hand is compared with, by the comparison right around it."""
        around = self.around[-2] if self.around[1:] else None
        if isinstance(around, ast.Compare) and isinstance(around.ops[0], ast.Eq):
            return self._text(around.comparators[0])
        return None

    def _text(self, node: ast.expr | None) -> str | None:
        """Return a string that is written down: itself, a constant of the top level, or an f-string of such."""
        match node:
            case ast.Constant(value=str() as value):
                return value
            case ast.Name(id=name) if name in self.constants and self.constants[name] is not node:
                held = self.constants[name]
                return None if isinstance(held, ast.Name) else self._text(held)
            case ast.JoinedStr(values=parts):
                texts = [
                    self._text(part.value if isinstance(part, ast.FormattedValue) else part) for part in parts
                ]
                return "".join(map(str, texts)) if None not in texts else None
        return None

    def _where(self, node: ast.AST) -> str:
        return f"{self.path}:{getattr(node, 'lineno', 1)}"


def _raises_without(asked: ast.Call, around: ast.AST) -> bool:
    """Say whether a statement is ``if not asked: raise``."""
    return (
        isinstance(around, ast.If)
        and isinstance(around.test, ast.UnaryOp)
        and isinstance(around.test.op, ast.Not)
        and around.test.operand is asked
        and isinstance(around.body[-1], ast.Raise)
    )


def unique(told: Iterable[Quote]) -> Iterator[Quote]:
    """Yield each text once, where it stands first."""
    seen: set[str] = set()
    for each in told:
        if each.text not in seen:
            seen.add(each.text)
            yield each
