"""What a wheel's local version (PEP 440) says that it was built for: one reading of the styles that packagers have.

Every part is read whole or called `UNKNOWN`: ``cu13x`` is not taken for ``cu13``, and ``torch210`` may be torch 2.1.0
or 2.10, which its source says, or its CUDA decides where it can.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, NamedTuple

from workbench.text import minor

UNKNOWN = "unknown"

Packing = Literal["minor", "patch"]
"""How a source writes torch releases without dots: ``pt211`` is 2.11 (minor) at one, 2.1.1 (patch) at another."""

_NEXT = r"(?=$|[._]|torch|pt\d|cu\d|cuda|cpu|rocm|xpu|sm_?\d|cxx11abi|git|andhigher)"
"""What may follow a part: the end, a separator, or a part that needs none before it."""
_PART = re.compile(
    rf"""
    cu(?:da)?[._]?(?:(?P<major>\d\d?)[._](?P<minor>\d\d?)|(?P<cuda>\d\d\d?)){_NEXT}
  | (?P<other_compute>cpu|xpu|rocm(?:\d+\.\d+(?:\.\d+)?|\d)){_NEXT}
  | (?:torch|pt(?=\d))[._]?(?P<torch>\d+(?:[._]\d\d?){{0,2}}){_NEXT}
  | sm[._]?(?P<gpu>\d\d\d?[af]?){_NEXT}
  | cxx11abi(?P<abi>true|false|1|0){_NEXT}
  | (?P<or_newer>andhigher){_NEXT}
  | [0-9a-f]{{7,40}}(?=pt\d)
  | (?P<rest>[^._]+)
    """,
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_SAYS_COMPUTE = re.compile(r"cu(?:\d|da)|rocm", re.IGNORECASE)
_SAYS_TORCH = re.compile(r"torch|pt\d", re.IGNORECASE)

_OLDEST_CUDA = 75
"""Two digits from here on are a release (``cu92`` is 9.2), below a major version (``cu12``)."""
_LAST_MINOR = {"1": 13, "2": 19}
"""The last minor release that a torch may have, by its major version, for digits without dots."""
_LAST_OF_2_1, _FIRST_OF_2_10 = 121, 126
"""The newest CUDA of torch 2.1, and the oldest of torch 2.10."""


class LocalVersion(NamedTuple):
    """What a local version says; of what it does not mention "".

    `compute` is ``cu130``, ``cu13`` (any CUDA 13), ``cpu``, ``xpu`` or ``rocm6.4``, and `torch` is 2.11 or 2.9.1; both
    are `UNKNOWN` where something is said that cannot be read for sure. `or_newer` says that newer torches will do.
    `gpus` are as ``sm_89``. `rest` is what it says beside.
    """

    compute: str = ""
    torch: str = ""
    or_newer: bool = False
    gpus: tuple[str, ...] = ()
    cxx11_abi: bool | None = None
    rest: tuple[str, ...] = ()

    @property
    def torch_minor(self) -> str:
        """The torch without its patch release: 2.9 of 2.9.1."""
        return minor(self.torch)


@lru_cache(maxsize=4096)
def parse_local(text: str, packing: Packing | Literal[""] = "") -> LocalVersion:
    """Return what a local version says. Whatever the text is, this is not an error.

    `packing` decides between two readings of a torch release without dots, where its source has said how it writes.
    """
    computes: list[str] = []
    torches: list[str] = []
    gpus: list[str] = []
    rest: list[str] = []
    abi, or_newer = None, False
    for part in _PART.finditer(text[:255]):
        if part["cuda"] or part["major"]:
            computes.append(_cuda(part["cuda"], part["major"], part["minor"]))
        elif part["other_compute"]:
            computes.append(part["other_compute"].lower())
        elif part["torch"]:
            torches.append(part["torch"].replace("_", "."))
        elif part["gpu"]:
            gpus.append(f"sm_{part['gpu'].lower()}")
        elif part["abi"]:
            abi = part["abi"].lower() in ("true", "1")
        elif part["or_newer"]:
            or_newer = True
        elif word := part["rest"]:
            rest.append(word)
            computes += [UNKNOWN] if _SAYS_COMPUTE.search(word) else []
            torches += [UNKNOWN] if _SAYS_TORCH.search(word) else []
    compute = _only(computes)
    return LocalVersion(
        compute=compute,
        torch=_only([_torch(each, compute, packing) for each in torches]),
        or_newer=or_newer,
        gpus=tuple(gpus),
        cxx11_abi=abi,
        rest=tuple(rest),
    )


def _only(said: list[str]) -> str:
    """Return what was said, once or more often; unknown where it differs."""
    return UNKNOWN if len(set(said)) > 1 else said[0] if said else ""


def _cuda(packed: str | None, major: str | None, minor: str | None) -> str:
    digits = packed or f"{major}{minor}"
    only_major = packed is not None and int(packed) < _OLDEST_CUDA
    return f"cu{digits}" if int(digits) * (10 if only_major else 1) >= _OLDEST_CUDA else UNKNOWN


def _torch(said: str, compute: str, packing: str) -> str:
    """Return the release of torch that is meant, which may be written without dots."""
    major, dot, _ = said.partition(".")
    if dot or said == UNKNOWN:
        return said if len(major) == 1 else UNKNOWN
    major, minor, last = said[0], said[1:], _LAST_MINOR.get(said[0], 0)
    whole = minor == "0" or (minor[:1] not in ("", "0") and int(minor) <= last)
    split = len(minor) > 1 and int(minor[:-1]) <= last
    if whole and split and packing:
        whole, split = packing == "minor", packing == "patch"
    elif whole and split:
        cuda = (
            int(f"{compute[2:]:0<3}") if re.fullmatch(r"cu(?:1[3-9]|\d{3})", compute) and major == "2" else 0
        )
        whole, split = cuda >= _FIRST_OF_2_10, 0 < cuda <= _LAST_OF_2_1
    return f"{major}.{minor}" if whole else f"{major}.{minor[:-1]}.{minor[-1]}" if split else UNKNOWN
