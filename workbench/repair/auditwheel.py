"""auditwheel, the judge: what it says of a wheel, and the libraries that it grafts."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import RepairFailed, WorkbenchError
from workbench.process import DISK_FULL, run
from workbench.repair.policies import Policy, family_of, index_of

_AUDITWHEEL = (sys.executable, "-m", "auditwheel")
_NO_SEARCH = ("--ldpaths", "")
"""What lies on this machine says nothing of a wheel: not found here is external there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What ``auditwheel show --json`` says of a wheel (its version 1).

    `external` are the libraries that it needs and that not every policy allows. `symbols` is the tag that its
    versioned symbols allow. `obstacles` are the libraries and the symbols in the way of a policy, by its name.
    `forbidden` says why no policy is possible at all, whatever is grafted.
    """

    pure: bool
    symbols: str = ""
    external: tuple[str, ...] = ()
    obstacles: dict[str, tuple[str, ...]]
    forbidden: tuple[str, ...] = ()

    @property
    def architecture(self) -> str:
        """The architecture that the wheel is for, as platform tags spell it."""
        return re.sub(r"^(?:linux|\w+linux_\d+_\d+)_", "", self.symbols)

    def reached(self, excluded: Collection[str]) -> Policy | None:
        """Return the best policy that the wheel has as it is, but for what is excluded; None if there is none."""
        if self.forbidden:
            return None
        policies = family_of(self.symbols)
        for policy in policies[index_of(self.symbols, policies) :]:
            if set(self.obstacles.get(policy.name, ())) <= set(excluded):
                return policy
        return None


def show(wheel: Path) -> Facts:
    """Return what auditwheel says of a wheel. Raises RepairFailed, and WorkbenchError where the disk is full."""
    plain: dict[str, Any] = json.loads(
        _run("show", "--json", "--allow-pure-python-wheel", *_NO_SEARCH, wheel)
    )
    if plain["pure"]:
        return Facts(pure=True, obstacles={})
    reasons = {
        "pyfpe": "it uses PyFPE_jbuf",
        "ucs2": "it is built for a Python with narrow Unicode",
        "unsupported_isa": "it is built for a newer processor than its architecture's baseline",
    }
    return Facts(
        pure=False,
        symbols=plain["sym_tag"],
        external=tuple(plain["external_libs"]),
        obstacles={
            policy: (*what.get("libs_to_eliminate", ()), *_black(what.get("blacklisted_symbols", {})))
            for policy, what in plain["policy_upgrades"].items()
        },
        forbidden=tuple(why for key, why in reasons.items() if plain[key]),
    )


def graft(wheel: Path, into: Path, *, exclude: Sequence[str], library_path: Sequence[Path]) -> Path:
    """Graft what a wheel needs, and return the new wheel in the folder `into`, its members not compressed.

    Libraries are looked for in `library_path` before the system's folders. Raises RepairFailed, and
    WorkbenchError where the disk is full.
    """
    options = [option for soname in exclude for option in ("--exclude", soname)]
    paths = {"AUDITWHEEL_LD_LIBRARY_PATH": ":".join(map(str, library_path))} if library_path else {}
    _run("repair", "-z", "0", *options, "-w", into, wheel, env=paths)
    (made,) = into.glob("*.whl")
    return made


def _run(*words: str | Path, env: dict[str, str] | None = None) -> str:
    done = run([*_AUDITWHEEL, *words], env=env, check=False, stdout_only=True)
    if done.status and DISK_FULL in done.said:
        raise WorkbenchError(f"{words[-1]}: auditwheel cannot repair it: the disk is full: make room")
    if done.status:
        # what went wrong is in its last line; above it may stand a traceback of its own
        said = done.said.strip().splitlines() if done.status > 0 else []
        why = said[-1] if said else f"it ended with status {done.status}"
        raise RepairFailed(f"{words[-1]}: auditwheel cannot repair it: {why}")
    return done.output


def _black(symbols: dict[str, list[str]]) -> list[str]:
    return [f"{symbol} of {library}" for library, names in symbols.items() for symbol in names]
