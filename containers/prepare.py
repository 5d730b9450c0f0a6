"""Runs inside a build container: installs what a project's build needs (PEP 517, 518), and what a recipe adds.

``python prepare.py (uv|pip) PROJECT REQUIREMENTS-FILE``. The image's Python runs it, so it keeps to Python 3.9
and to ``build``, which every manylinux image has.
"""

# ruff: noqa: INP001 - a script, no part of a package
from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path
from typing import TYPE_CHECKING

from build import ProjectBuilder

if TYPE_CHECKING:
    from collections.abc import Iterable


def main(installer: str, project: str, extra: str) -> None:
    """Install the static requirements and the recipe's, then those that the backend asks for."""
    pip = ["uv", "pip", "install", "--python", sys.executable]
    install = pip if installer == "uv" else [sys.executable, "-m", "pip", "install"]

    def require(requirements: Iterable[str]) -> None:
        if words := sorted(requirements):
            subprocess.run([*install, "--", *words], check=True)

    builder = ProjectBuilder(project)
    require({*builder.build_system_requires, *Path(extra).read_text(encoding="utf-8").splitlines()})
    require(builder.get_requires_for_build("wheel"))
    for each in distributions():  # the build's provenance has them
        name = re.sub("[-_.]+", "-", each.metadata["Name"]).lower()
        sys.stdout.write(f"installed: {name}=={each.version}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
