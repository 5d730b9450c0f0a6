"""NVIDIA's driver and its GPUs: asked of libcuda, of the kernel's files and of ``nvidia-smi``, in this order.

libcuda is loaded by a process of its own, which may crash or hang: both happen with drivers that are half installed.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING

from workbench.consume.host import Gpu
from workbench.consume.kept import keep, recall
from workbench.errors import CommandFailed, ToolMissing, WorkbenchError
from workbench.files import Identity

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 20
"""After which a driver that does not answer is given up: without NVIDIA's daemon it wakes each GPU first."""

_CHOOSING = ("CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER")
"""Variables that decide which GPUs libcuda tells of."""

_STUB = "34"
"""CUDA_ERROR_STUB_LIBRARY: a toolkit's libcuda, which is only there to link against."""
_NO_DEVICE = "100"

_ASK_LIBCUDA = """
import ctypes
def say(*words):
    print("libcuda", *words, sep="\\t", flush=True)
try:
    cuda = ctypes.CDLL("libcuda.so.1")
except OSError:
    say("missing")
    raise SystemExit
number = ctypes.c_int()
def ask(call, *arguments):
    return number.value if call(ctypes.byref(number), *arguments) == 0 else None
say("version", ask(cuda.cuDriverGetVersion) or 0)
status = cuda.cuInit(0)
say("status", status)
if status == 0:
    name, size = ctypes.create_string_buffer(256), ctypes.c_size_t()
    for device in range(ask(cuda.cuDeviceGetCount) or 0):
        handle = ctypes.c_int()
        cuda.cuDeviceGet(ctypes.byref(handle), device)
        major, minor, shared = (ask(cuda.cuDeviceGetAttribute, each, handle) for each in (75, 76, 18))
        cuda.cuDeviceGetName(name, 256, handle)
        own = cuda.cuDeviceTotalMem_v2(ctypes.byref(size), handle) == 0 and not shared
        say("gpu", f"{major}.{minor}", size.value if own else "", name.value.decode("ascii", "replace"))
    say("end")
"""
"""Prints a line after each step, so that a crash loses only what comes after it."""

_CUDA_OF_BRANCH = {
    450: "11.0",
    455: "11.1",
    460: "11.2",
    465: "11.3",
    470: "11.4",
    495: "11.5",
    510: "11.6",
    515: "11.7",
    520: "11.8",
    525: "12.0",
    530: "12.1",
    535: "12.2",
    545: "12.3",
    550: "12.4",
    555: "12.5",
    560: "12.6",
    565: "12.7",
    570: "12.8",
    575: "12.9",
    580: "13.0",
    590: "13.1",
}
"""The CUDA release that each branch of the driver came with (CUDA's release notes)."""

_VERSION = re.compile(r"(?<![\d.])\d{3}\.\d+(?:\.\d+)?(?![\d.])")
_SMI_CUDA = re.compile(r"CUDA (?:UMD )?Version:\s*(\d+\.\d+)")
_CAPABILITY = re.compile(r"\d{1,2}\.\d")


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """What is known of the driver, in the words of `Host`, and where each fact comes from. None is not known."""

    version: str | None = None
    cuda: str | None = None
    gpus: tuple[Gpu, ...] | None = None
    origins: dict[str, str] = field(default_factory=dict)

    @classmethod
    def told(
        cls, by: str, version: str | None = None, cuda: str | None = None, gpus: tuple[Gpu, ...] | None = None
    ) -> Driver:
        """Return what one witness told."""
        facts = {"driver": version, "driver_cuda": cuda, "gpus": gpus}
        origins = {name: by for name, fact in facts.items() if fact is not None}
        return cls(version=version, cuda=cuda, gpus=gpus, origins=origins)

    def or_else(self, other: Driver) -> Driver:
        """Return these facts, with another witness's in place of those that are not known."""
        return Driver(
            version=other.version if self.version is None else self.version,
            cuda=other.cuda if self.cuda is None else self.cuda,
            gpus=other.gpus if self.gpus is None else self.gpus,
            origins=other.origins | self.origins,
        )

    @property
    def complete(self) -> bool:
        """Whether nothing is left to ask for."""
        return None not in (self.version, self.cuda, self.gpus)


def cuda_of_driver(version: str) -> str | None:
    """Return the newest CUDA that a driver (``580.95.05``) knows; None for a branch that has no line here."""
    return _CUDA_OF_BRANCH.get(int(version.partition(".")[0]))


def find_driver(root: Path, cache: Path | None = None) -> Driver:
    """Return what is known of this machine's driver. `root` is where its ``/sys`` and ``/proc`` are.

    `cache` is a file that keeps an answer that lacks nothing, until the machine is started anew, or has another driver.
    """
    key = _identity(root) if cache else None
    if kept := recall(cache, key):
        with suppress(WorkbenchError):  # of another version of this program
            from workbench.strict import parse

            return parse(Driver, kept)
    driver = _found(root)
    if driver.complete:
        keep(cache, key, asdict(driver))
    return driver


def _identity(root: Path) -> list[str] | None:
    """Return what the driver's answer depends on; None where no driver is loaded, or that cannot be seen."""
    kernel = _ask_kernel(root)
    gpus = root / "proc" / "driver" / "nvidia" / "gpus"
    try:
        boot = (root / "proc" / "sys" / "kernel" / "random" / "boot_id").read_text()
        linker = Identity.of(root / "etc" / "ld.so.cache")
        present = sorted(each.name for each in gpus.iterdir())
    except OSError:
        return None
    variables = (f"{name}={os.environ.get(name)}" for name in ("LD_LIBRARY_PATH", *_CHOOSING))
    return [boot, kernel.version, repr(tuple(linker)), *present, *variables] if kernel.version else None


def _found(root: Path) -> Driver:
    driver, why, sure = _ask_libcuda(root)
    driver = driver.or_else(_ask_kernel(root))
    if not driver.complete:
        driver = driver.or_else(_ask_smi())
    if driver.version and (cuda := cuda_of_driver(driver.version)):
        driver = driver.or_else(Driver.told(f"driver {driver.version}", cuda=cuda))
    if not driver.origins and sure:
        driver = Driver.told(why, version="", cuda="", gpus=())
    return replace(driver, origins=dict.fromkeys(("driver", "driver_cuda", "gpus"), why) | driver.origins)


def _ask_libcuda(root: Path) -> tuple[Driver, str, bool]:
    """Return what libcuda tells; why it is not more; and whether that means that there is no driver."""
    if not _may_have_libcuda(root):
        return Driver(), "there is no libcuda.so.1", True
    lines: list[str] = []
    ended = ""
    try:
        asked = [sys.executable, "-I", "-S", "-c", _ASK_LIBCUDA]
        from workbench.process import run  # where nothing is asked, it is not needed

        done = run(asked, on_line=lines.append, check=False, timeout=SECONDS, stdout_only=True)
        ended = f"libcuda crashed (status {done.status})" if done.status else ""
    except CommandFailed:
        ended = f"libcuda did not answer within {SECONDS} s"
    # a library may print something of its own
    said = [line.split("\t")[1:] for line in lines if line.startswith("libcuda\t")]
    answers = {words[0]: words[-1] for words in said}
    number = int(answers.get("version", 0))
    cuda = f"{number // 1000}.{number % 1000 // 10}" if number else None
    status = answers.get("status")
    if "missing" in answers:
        return Driver(), "there is no libcuda.so.1", True
    if status == _STUB:
        return Driver(), "libcuda is NVIDIA's stub library, not a driver", True
    if "end" in answers:
        gpus = tuple(_gpu(*words[1:]) for words in said if words[0] == "gpu")
        return Driver.told("libcuda", cuda=cuda, gpus=gpus), "libcuda does not say", False
    if status == _NO_DEVICE:
        return Driver.told("libcuda", cuda=cuda, gpus=()), "libcuda does not say", False
    return Driver.told("libcuda", cuda=cuda), ended or f"libcuda answers with error {status}", False


def _gpu(capability: str, memory: str, name: str) -> Gpu:
    return Gpu(name=name, capability=capability, memory=int(memory) if memory.isdecimal() else None)


def _may_have_libcuda(root: Path) -> bool:
    """Say whether the dynamic linker could find a libcuda: to ask it costs two starts of Python."""
    arch = os.uname().machine
    folders = [*filter(None, os.environ.get("LD_LIBRARY_PATH", "").split(":"))]
    folders += [str(root / each) for each in ("lib64", "usr/lib64", "usr/lib", f"usr/lib/{arch}-linux-gnu")]
    try:
        known = (root / "etc" / "ld.so.cache").read_bytes()
    except OSError:
        return True
    return b"libcuda.so.1\0" in known or any(os.path.exists(f"{each}/libcuda.so.1") for each in folders)  # noqa: PTH110


def _ask_kernel(root: Path) -> Driver:
    """Return the version of the driver that the kernel has loaded."""
    for file in ("sys/module/nvidia/version", "proc/driver/nvidia/version"):
        try:
            text = (root / file).read_text(errors="replace")
        except OSError:
            continue
        if found := _VERSION.search(text):
            return Driver.told(f"/{file}", version=found[0])
    return Driver()


def _ask_smi() -> Driver:
    """Return what ``nvidia-smi`` tells of the driver's version, its CUDA and the GPUs."""
    if shutil.which("nvidia-smi") is None:
        return Driver()
    gpus = None
    if rows := _smi_rows("driver_version", "compute_cap", "memory.total", "name"):
        found = [_gpu(capability, _bytes(mib), name) for _, capability, mib, name in rows]
        gpus = tuple(found) if all(_CAPABILITY.fullmatch(each.capability) for each in found) else None
    else:  # drivers before 495 know nothing of compute capabilities
        rows = _smi_rows("driver_version")
    if not rows or not _VERSION.fullmatch(rows[0][0]):
        return Driver()
    banner = _SMI_CUDA.search(_smi() or "")
    return Driver.told("nvidia-smi", version=rows[0][0], cuda=banner[1] if banner else None, gpus=gpus)


def _bytes(mib: str) -> str:
    """Return the bytes of an amount in MiB, "" of ``[N/A]``, which a GPU has that shares the machine's memory."""
    return str(int(mib) << 20) if mib.isdecimal() else ""


def _smi_rows(*fields: str) -> list[list[str]] | None:
    answer = _smi(f"--query-gpu={','.join(fields)}", "--format=csv,noheader,nounits")
    if answer is None:
        return None
    rows = [
        [word.strip() for word in line.split(",", len(fields) - 1)] for line in answer.splitlines() if line
    ]
    return rows if all(len(row) == len(fields) for row in rows) else None


def _smi(*options: str) -> str | None:
    from workbench.process import run

    try:
        done = run(["nvidia-smi", *options], check=False, timeout=SECONDS, stdout_only=True)
    except (CommandFailed, ToolMissing, OSError):
        return None
    return None if done.status else done.output
