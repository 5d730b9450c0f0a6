"""Runs inside a build container: installs what a project's build needs (PEP 517, 518), from folders of wheels.

``python prepare.py (uv|pip) PROJECT FOLDER``. The wheels of what is required from the start lie in ``FOLDER/first``.
What the build backend asks for as it runs is said in the log, and whoever reads that puts it into ``FOLDER/more``. The
image's Python runs this, so it keeps to Python 3.9 and to ``build``, which every manylinux image has.
"""

# ruff: noqa: INP001 - a script, no part of a package
from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from build import ProjectBuilder

PATIENCE = 3600
"""Seconds that are waited for what the build backend asks for."""


def main(installer: str, project: str, house: Path) -> None:
    """Install the static requirements and the recipe's, then those that the backend asks for."""
    uv = ["uv", "pip", "install", "--no-config", "--python", sys.executable]
    pip = [sys.executable, "-m", "pip", "--isolated", "install"]
    install = [*(uv if installer == "uv" else pip), "--no-index", "--no-deps"]

    def unpack(folder: Path) -> None:
        if wheels := sorted(folder.glob("*.whl")):
            subprocess.run([*install, *wheels], check=True)

    unpack(house / "first")
    asked = sorted(ProjectBuilder(project).get_requires_for_build("wheel"))
    if not asked:
        return
    sys.stdout.write(f"requires: {json.dumps(asked)}\n")
    sys.stdout.flush()
    until = time.monotonic() + PATIENCE
    while not (house / "more").is_dir():
        if time.monotonic() > until:
            sys.exit(f"{asked} did not come")
        time.sleep(0.1)
    unpack(house / "more")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]))
