"""Small real packages: each is built in a second by a backend of its own, and has a recipe in a site."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.verbs.conftest import git

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.paths import Paths

PYPROJECT = '[build-system]\nrequires = []\nbuild-backend = "tiny"\nbackend-path = ["."]\n'

BACKEND = '''\
"""A build backend (PEP 517) that packs one module; its recipe names the package and says what happens before."""

import base64
import hashlib
import os
import zipfile

NAME = os.environ["PACKAGE"]


def build_wheel(folder, config_settings=None, metadata_directory=None):
    exec(os.environ.get("BEFORE", ""))
    info = f"{NAME}-1.0.dist-info"
    files = {
        f"{NAME}.py": f"name = {NAME!r}\\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\\nName: {NAME}\\nVersion: 1.0\\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\\nGenerator: tiny\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    }
    lines = []
    for path, text in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        lines.append(f"{path},sha256={digest},{len(text)}")
    files[f"{info}/RECORD"] = "\\n".join([*lines, f"{info}/RECORD,,"]) + "\\n"
    wheel = f"{NAME}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(folder, wheel), "w") as archive:
        for path, text in files.items():
            archive.writestr(zipfile.ZipInfo(path, (2020, 1, 1, 0, 0, 0)), text)
    return wheel
'''

RECIPE = """\
from __future__ import annotations

{before}from workbench.recipe import Git, Recipe

recipe = Recipe(
    name="{name}",
    version="1.0",
    description="A small package",
    source=Git(url="{url}", commit="{commit}", branch="main"),
    environment={environment!r},
    build_requires={requires!r},
)
"""


HOLD = """\
import sys, time
from pathlib import Path

while Path("{held}").exists() and "fleet.attempt import main" in " ".join(sys.orig_argv):
    time.sleep(0.05)

"""
"""The top of a recipe whose build waits for as long as a file is there."""


def repository(folder: Path) -> tuple[Path, str]:
    """Make the repository that every small package is built from; return it and its commit."""
    folder.mkdir()
    (folder / "pyproject.toml").write_text(PYPROJECT)
    (folder / "tiny.py").write_text(BACKEND)
    git(folder, "init", "--quiet", "--initial-branch=main")
    git(folder, "add", ".")
    git(folder, "commit", "--quiet", "--message", "one")
    return folder, git(folder, "rev-parse", "HEAD")


def package(
    paths: Paths,
    source: tuple[Path, str],
    name: str,
    *,
    before: str = "",
    requires: tuple[str, ...] = (),
    recipe: str = "",
) -> None:
    """Write the recipe of a small package.

    `before` is Python code that runs in its build, `recipe` code at the top of the recipe itself.
    """
    url, commit = source
    environment = {"PACKAGE": name, **({"BEFORE": before} if before else {})}
    text = RECIPE.format(
        name=name, url=url, commit=commit, environment=environment, requires=requires, before=recipe
    )
    (paths.recipes / f"{name}.py").write_text(text)
