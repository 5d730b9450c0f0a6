"""Facts that a person gives in place of those that were found, and a host as JSON."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from workbench.arch import ARCHITECTURES, PLATFORMS
from workbench.consume.driver import cuda_of_driver
from workbench.consume.host import NOT_INSTALLED, Gpu, Host
from workbench.consume.interpreter import abi_of_torch
from workbench.errors import UsageError, WorkbenchError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NONE = "none"
"""What is given where there is no torch, no driver or no GPU."""

_PYTHON = re.compile(r"3\.\d{1,2}(\.\d{1,2})?t?", re.ASCII)
_RELEASE = re.compile(r"\d\.\d{1,2}(?:\.\d{1,2})?(?:(?:a|b|rc|\.dev|\.post)\d+)*", re.ASCII)
_CUDA = re.compile(r"(?:cu)?(\d{2})(?:\.?(\d))?", re.ASCII)
_COMPUTE = re.compile(r"cu\d{2,3}|cpu|xpu|rocm\d{1,2}\.\d{1,2}", re.ASCII)
_LOCAL = re.compile(r"[a-z0-9]+(?:[-_.][a-z0-9]+)*", re.ASCII | re.IGNORECASE)
_DRIVER = re.compile(r"\d{3}(\.\d{1,3}){0,2}", re.ASCII)
_DRIVER_CUDA = re.compile(r"\d{1,2}\.\d{1,2}", re.ASCII)
_GPU = re.compile(r"(?:sm_)?(?:([1-9]\d?)\.(\d)|([5-9]|1\d)(\d))", re.ASCII)
_GLIBC = re.compile(r"2\.\d{1,2}", re.ASCII)
_ARCH = re.compile(r"[a-z0-9_]{2,20}", re.ASCII)
_CAPABILITY = re.compile(r"[1-9]\d?\.\d", re.ASCII)


def given(
    host: Host,
    *,
    torch: str = "",
    cuda: str = "",
    driver: str = "",
    gpu: str = "",
    glibc: str = "",
    arch: str = "",
    python: str = "",
) -> Host:
    """Return a host with the facts that were given in place of its own; "" is a fact that was not given.

    `torch` is ``2.11``, ``2.11.0``, ``2.11.0+cu130`` or ``none``; `cuda` ``13.0``, ``13`` or ``cu130``, and ``cpu``,
    ``xpu`` and ``rocm6.4`` as well; `driver` ``580.95.05``, ``580`` or ``none``; `gpu` ``12.1`` or ``sm_121``, several
    with commas, or ``none``; `arch` ``aarch64``; `python` ``3.12`` or ``3.13t``. What depends on a fact that was
    replaced is not known any more: of another architecture's machine nothing else is. Raises UsageError.
    """
    facts: dict[str, object] = {}
    if arch:
        facts["arch"] = _arch(arch)
        if facts["arch"] != host.arch:  # another machine, of which only the project's wishes are known
            facts |= dict.fromkeys(
                ("glibc", "driver", "driver_cuda", "gpus", "cpus", "memory", "interpreter")
            )
            facts |= {"compute": None, "torch_local": None} if host.torch != NOT_INSTALLED else {}
    if python:
        facts |= {"python": _python(python), "interpreter": None}
    if glibc:
        facts["glibc"] = _matching(_GLIBC, glibc, f"--glibc {glibc}: write it as 2.39")
    if torch:
        facts |= _torch(torch, host)
    if cuda:
        facts["compute"] = _compute(cuda)
        facts |= (
            {"torch_local": None} if facts["compute"] != host.compute and "torch_local" not in facts else {}
        )
    if driver:
        version = (
            ""
            if driver == NONE
            else _matching(_DRIVER, driver, f"--driver {driver}: write it as 580.95.05, or none")
        )
        facts |= {"driver": version, "driver_cuda": cuda_of_driver(version) if version else ""}
        facts |= {} if version or gpu else {"gpus": ()}
    if gpu:
        facts["gpus"] = _gpus(gpu)
    lost = {name for name, fact in facts.items() if fact is None}
    origins = {name: where for name, where in host.origins.items() if name not in lost}
    return replace(host, **facts, origins=origins | dict.fromkeys(sorted(facts.keys() - lost), "given"))  # type: ignore[arg-type]


def _matching(form: re.Pattern[str], text: str, error: str) -> str:
    if not form.fullmatch(text):
        raise UsageError(error)
    return text


def _arch(text: str) -> str:
    arch = PLATFORMS.get(text, text)
    if arch not in ARCHITECTURES:
        raise UsageError(f"--arch {text}: there are {' and '.join(ARCHITECTURES)}")
    return arch


def _python(text: str) -> str:
    return _matching(
        _PYTHON, text, f"--python {text}: write a version as 3.12, or 3.13t for a free-threaded one"
    )


def _torch(text: str, host: Host) -> dict[str, object]:
    if text == NONE:
        return {"torch": NOT_INSTALLED, "torch_local": None, "compute": None, "cxx11_abi": None}
    version, _, local = text.partition("+")
    if not _RELEASE.fullmatch(version) or (local and not _COMPUTE.fullmatch(local)):
        raise UsageError(f"--torch {text}: write a release as 2.11, 2.11.0 or 2.11.0+cu130, or none")
    if local:
        return {
            "torch": version,
            "torch_local": local,
            "compute": local,
            "cxx11_abi": abi_of_torch(version),
        }
    if host.torch and f"{host.torch}.".startswith(f"{version}."):
        return {"torch": version}  # the very torch that is there, so the rest holds
    return {"torch": version, "torch_local": None, "compute": None, "cxx11_abi": abi_of_torch(version)}


def _compute(text: str) -> str:
    if match := _CUDA.fullmatch(text):
        return f"cu{match[1]}{match[2] or ''}"
    return _matching(
        _COMPUTE, text, f"--cuda {text}: write a release as 13.0, 13 or cu130; or cpu, xpu, rocm6.4"
    )


def _gpus(text: str) -> tuple[Gpu, ...]:
    if text == NONE:
        return ()
    found = []
    for part in text.split(","):
        match = _GPU.fullmatch(part.strip())
        if match is None:
            raise UsageError(f"--gpu {text}: write a compute capability as 12.1 or sm_121, or none")
        capability = f"{match[1] or match[3]}.{match[2] or match[4]}"
        found.append(Gpu(name="a GPU", capability=capability))
    return tuple(found)


def to_json(host: Host) -> str:
    """Return a host as JSON: an object with the fields of `Host`."""
    import orjson

    return orjson.dumps(host, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE).decode()


def from_json(text: str | bytes, path: Path | str) -> Host:
    """Return the host that `to_json` wrote into the file `path`. Raises UsageError, which names the key."""
    import orjson

    from workbench.strict import parse

    try:
        host = parse(Host, orjson.loads(text), path=str(path))
    except (ValueError, WorkbenchError) as error:
        why = str(error) if str(error).startswith(str(path)) else f"{path}: not JSON: {error}"
        raise UsageError(f"{why}\nWrite the file with 'gw detect --json'.") from None
    forms: tuple[tuple[str, str | None, Callable[[str], object]], ...] = (
        ("python", host.python, _PYTHON.fullmatch),
        ("arch", host.arch, _ARCH.fullmatch),
        ("glibc", host.glibc or None, _GLIBC.fullmatch),
        ("torch", host.torch or None, _RELEASE.fullmatch),
        ("torch_local", host.torch_local or None, _LOCAL.fullmatch),
        ("compute", host.compute, _COMPUTE.fullmatch),
        ("driver", host.driver or None, _DRIVER.fullmatch),
        ("driver_cuda", host.driver_cuda or None, _DRIVER_CUDA.fullmatch),
        *(
            (f"gpus[{n}].capability", gpu.capability, _CAPABILITY.fullmatch)
            for n, gpu in enumerate(host.gpus or ())
        ),
    )
    for name, value, fits in forms:
        if value is not None and not fits(value):
            raise UsageError(
                f"{path}.{name}: {value!r:.60} is not what 'gw detect --json' writes\nWrite the file again with it."
            )
    return host
