"""The project's Python, and the torch that lies in its site-packages. Nothing of either is imported here."""

from __future__ import annotations

import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from workbench.consume.host import NOT_INSTALLED
from workbench.consume.kept import keep, recall
from workbench.errors import CommandFailed, ToolMissing, UsageError
from workbench.files import Identity

SECONDS = 20
"""After which an interpreter that does not answer is given up."""

ON_PATH = "python3 on PATH"
"""How the origin begins of a Python that no environment of the project has."""

_RELEASE = re.compile(r"3\.\d{1,2}t?")

_ASK = """
import sys
sys.path[:] = [each for each in sys.path if each]  # a project's own platform.py is not Python's
import json, os
try:
    glibc = os.confstr("CS_GNU_LIBC_VERSION") or ""
except (AttributeError, OSError, ValueError):
    glibc = ""
print(json.dumps({
    "implementation": sys.implementation.name,
    "python": "%d.%d.%d" % sys.version_info[:3] + ("t" if "t" in getattr(sys, "abiflags", "") else ""),
    "arch": os.uname().machine,
    "bits": 64 if sys.maxsize > 2**32 else 32,
    "glibc": glibc[6:] if glibc.startswith("glibc ") else "",
    "path": [each for each in sys.path if os.path.isdir(each)],
}))
"""

_SETTING = re.compile(r"""^(\w+)(?:[ \t]*:[^=\n]+)?[ \t]*=[ \t]*["']([^"'\n]*)["']""", re.MULTILINE)
"""A name of ``torch/version.py`` and its text: ``cuda: Optional[str] = '13.0'``."""
_CXX11_ABI = re.compile(r"_GLIBCXX_USE_CXX11_ABI=([01])")
_LARGEST = 1 << 20
_FIRST_WITH_ONE_ABI = (2, 7)
"""From this release on PyTorch's wheels for Linux have the newer of libstdc++'s ABIs, whatever their CUDA."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A CPython, as it answered: `python` is ``3.13.4t``; `path` are the folders of ``sys.path``."""

    executable: Path
    origin: str
    python: str
    arch: str
    glibc: str
    path: tuple[Path, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Torch:
    """An installed torch, in the words of `Host`, and where it lies."""

    version: str
    local: str | None = None
    compute: str | None = None
    cxx11_abi: bool | None = None
    origins: dict[str, str]


def find_interpreter(project: Path, python: str = "") -> tuple[Path, str]:
    """Return the project's interpreter and how it was found.

    It is the one that `python` names (a path, an environment's folder, or ``3.12``, which is looked for on PATH);
    else that of ``VIRTUAL_ENV``; else of ``.venv`` in the project's folder, or above it up to the folder of its
    pyproject.toml; else python3 on PATH, but never the environment that this program itself is installed in.
    Raises UsageError where there is none.
    """
    if python:
        return _named(python), "given"
    active = os.environ.get("VIRTUAL_ENV", "")
    if active and (found := _in_environment(Path(active))):
        return found, "VIRTUAL_ENV"
    ignored = f", as there is no Python in VIRTUAL_ENV={active}" if active else ""
    folder = project.absolute()
    for each in (folder, *folder.parents):
        if found := _in_environment(each / ".venv"):
            return found, f"{each / '.venv'}{ignored}"
        if (each / "pyproject.toml").is_file():
            break
    if on_path := shutil.which("python3", path=_path_without_ours()):
        return Path(on_path), f"{ON_PATH}, as there is no .venv{ignored}"
    raise UsageError(
        f"{project} has no .venv, and there is no python3 on PATH: make one with 'uv venv', or name an interpreter "
        "with --python"
    )


def _named(python: str) -> Path:
    path = Path(python).expanduser()
    if path.is_dir():
        if found := _in_environment(path):
            return found
        raise UsageError(f"--python {python}: there is no bin/python in this folder")
    name = f"python{python}" if _RELEASE.fullmatch(python) else str(path)
    if on_path := shutil.which(name, path=_path_without_ours()):
        return Path(on_path).absolute()
    raise UsageError(
        f"--python {python}: {name} is not on this machine: name an interpreter by its path, or an environment's folder"
    )


def _in_environment(folder: Path) -> Path | None:
    path = folder.absolute() / "bin" / "python"
    return path if path.is_file() and os.access(path, os.X_OK) else None


def _path_without_ours() -> str:
    """Return PATH without the environment of this program, which ``uvx`` puts first."""
    ours = f"{sys.prefix}/bin" if sys.prefix != sys.base_prefix else None
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(each for each in folders if each and each.rstrip("/") != ours)


def ask_interpreter(executable: Path, origin: str, cache: Path | None = None) -> Interpreter:
    """Return what an interpreter says of itself. Raises UsageError where it cannot be run, or is not a CPython.

    `cache` is a file that keeps the last answer, valid while neither the interpreter nor its environment changes.
    """
    key = _identity(executable) if cache else None
    said = recall(cache, key)
    if said is None:
        try:
            import orjson

            from workbench.process import run  # what is kept needs no program

            answer = run([executable, "-c", _ASK], timeout=SECONDS, stdout_only=True).output
            said = dict(orjson.loads(answer.rstrip().rpartition("\n")[2]))
        except (CommandFailed, ToolMissing, OSError, ValueError, TypeError) as error:
            why = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
            raise UsageError(
                f"{executable} ({origin}) does not work as a Python: {why}\nName another with --python."
            ) from error
        keep(cache, key, said)
    if said["implementation"] != "cpython":
        raise UsageError(
            f"{executable} ({origin}) is {said['implementation']}, for which there are no such wheels: name a CPython "
            "with --python"
        )
    arch = said["arch"] if said["bits"] == 64 else {"x86_64": "i686", "aarch64": "armv8l"}.get(said["arch"])  # noqa: PLR2004
    return Interpreter(
        executable=executable,
        origin=origin,
        python=said["python"],
        arch=arch or said["arch"],
        glibc=said["glibc"],
        path=tuple(map(Path, said["path"])),
    )


def _identity(executable: Path) -> list[str] | None:
    """Return what an interpreter's answer depends on; None where that cannot be seen."""
    settings = executable.parent.parent / "pyvenv.cfg"
    try:
        identities = [Identity.of(each) for each in (executable, settings) if each.exists()]
    except OSError:
        return None
    variables = (
        f"{name}={os.environ.get(name)}" for name in ("HOME", "PYTHONHOME", "PYTHONPATH", "PYTHONNOUSERSITE")
    )
    return [os.fspath(executable), _ASK, *(repr(tuple(each)) for each in identities), *variables]


def find_torch(path: tuple[Path, ...]) -> Torch:
    """Return the torch that lies in the first of these folders that has one; its version is "" where none has."""
    for folder in path:
        try:
            names = os.listdir(folder)  # noqa: PTH208 - no path is made of each
        except OSError:
            continue
        installed = [
            name for name in names if name.startswith("torch-") and name.endswith((".dist-info", ".egg-info"))
        ]
        settings = dict(_SETTING.findall(_text(folder / "torch" / "version.py"))) if "torch" in names else {}
        if installed or "__version__" in settings:
            return _torch(folder, installed, settings)
    return Torch(version=NOT_INSTALLED, origins={"torch": "not installed"})


def _torch(folder: Path, installed: list[str], settings: dict[str, str]) -> Torch:
    whole, where = settings.get("__version__", ""), "torch/version.py"
    if installed:  # torch-2.11.0.dist-info, torch-2.5.1-py3.11.egg-info
        where = installed[0]
        whole = where.rpartition(".")[0].split("-")[1]
    version, _, local = whole.partition("+")
    origins = {"torch": str(folder / where)}
    compute = None
    if settings:
        compute, origins["compute"] = _compute(settings), str(folder / "torch" / "version.py")
    elif local:
        from workbench.wheel.local_version import parse_local

        said = parse_local(local).compute
        compute = said if said.startswith(("cu", "cpu", "rocm", "xpu")) else None
        origins["compute"] = origins["torch"]
    config = folder / "torch" / "share" / "cmake" / "Torch" / "TorchConfig.cmake"
    if found := _CXX11_ABI.search(_text(config)):
        abi, origins["cxx11_abi"] = found[1] == "1", str(config)
    elif (abi := abi_of_torch(version)) is not None:
        origins["cxx11_abi"] = f"torch {version}"
    return Torch(version=version, local=local, compute=compute, cxx11_abi=abi, origins=origins)


def _compute(settings: dict[str, str]) -> str:
    """Return what torch was built for, by ``torch/version.py``, where what it was not built for is None."""
    if cuda := settings.get("cuda"):
        return f"cu{''.join(cuda.split('.')[:2])}"
    if hip := settings.get("rocm") or settings.get("hip"):
        return f"rocm{'.'.join(hip.split('.')[:2])}"
    return "xpu" if settings.get("xpu") else "cpu"


def abi_of_torch(version: str) -> bool | None:
    """Return the C++ ABI of PyTorch's own wheels of a release, None where they differ among themselves."""
    numbers = re.match(r"(\d+)\.(\d+)", version)
    return True if numbers and (int(numbers[1]), int(numbers[2])) >= _FIRST_WITH_ONE_ABI else None


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST).decode(errors="replace")
    except OSError:
        return ""
