"""Make a wheel portable with auditwheel, and say what that took (PEP 600)."""

from __future__ import annotations

import json
import sys
import tempfile
import zipfile
from dataclasses import asdict, dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.utils import parse_wheel_filename

from workbench.errors import CommandFailed, RepairFailed
from workbench.process import run
from workbench.repair.limits import Limit, find_limits
from workbench.repair.rpath import relocatable

if TYPE_CHECKING:
    from collections.abc import Sequence

AUDITWHEEL = (sys.executable, "-m", "auditwheel")


@dataclass(frozen=True, slots=True, kw_only=True)
class Repaired:
    """What repair made of a wheel.

    `policy` is the platform tag reached, the best one first (``any`` for a wheel without binaries). `grafted` are
    the libraries copied in, `excluded` those left to the wheel's requirements or the system; `rpaths_removed` are
    paths of the build host that its libraries searched; `limits` are what stands against the next better policy.
    """

    path: Path
    policy: str
    grafted: tuple[str, ...]
    excluded: tuple[str, ...]
    rpaths_removed: tuple[str, ...]
    limits: tuple[Limit, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return the plain form, for JSON."""
        return {**asdict(self), "path": str(self.path)}


def repair(wheel: Path, into: Path, *, exclude: Sequence[str] = ()) -> Repaired:
    """Repair `wheel` into the folder `into`, in place of a file of the same name there.

    `exclude` are sonames not to graft, wildcards allowed. A wheel without binaries comes out as it is.

    Raises RepairFailed with auditwheel's own reason.
    """
    if not wheel.is_file():
        raise RepairFailed(f"{wheel}: no such file")
    into.mkdir(parents=True, exist_ok=True)
    options = [option for soname in exclude for option in ("--exclude", soname)]
    # beside `into`, so that the finished wheel is renamed in, whole
    with tempfile.TemporaryDirectory(dir=into, prefix=".repair.") as folder:
        try:
            wheel, taken = relocatable(wheel, Path(folder))
            shown = run([*AUDITWHEEL, "show", "--json", "--allow-pure-python-wheel", wheel])
            facts = json.loads(shown.output[shown.output.index("{") :])
            run([*AUDITWHEEL, "repair", "--allow-pure-python-wheel", *options, "-w", f"{folder}/out", wheel])
        except CommandFailed as error:
            raise RepairFailed(f"{wheel}: auditwheel cannot repair it: {error}") from error
        (made,) = Path(folder, "out").glob("*.whl")
        policy = made.stem.rsplit("-", 1)[-1].split(".")[0]
        limits = () if facts["pure"] else find_limits(wheel, facts, policy)
        repaired = Repaired(
            path=into / made.name,
            policy=policy,
            grafted=_grafted(made),
            excluded=_excluded(facts, exclude),
            rpaths_removed=taken,
            limits=limits,
        )
        made.replace(repaired.path)
    return repaired


def _excluded(facts: dict[str, Any], exclude: Sequence[str]) -> tuple[str, ...]:
    return tuple(
        soname
        for soname in facts.get("external_libs", ())
        if any(fnmatch(soname, pattern) for pattern in exclude)
    )


def _grafted(wheel: Path) -> tuple[str, ...]:
    distribution = wheel.name.split("-", 1)[0]
    with zipfile.ZipFile(wheel) as archive:
        return tuple(
            name.rsplit("/", 1)[-1]
            for name in archive.namelist()
            if name.startswith(f"{distribution}.libs/") and not name.endswith("/")
        )


def is_repaired(wheel: Path) -> bool:
    """Say whether a wheel's filename carries a portable platform tag, or needs none."""
    *_, tags = parse_wheel_filename(wheel.name)
    return all(not tag.platform.startswith("linux_") for tag in tags)
