"""The lines that install a release, to be copied.

Every line pins an exact version and takes it from this index alone. None uses ``--extra-index-url``: with
it pip asks both indexes and takes the highest version of any, so a public package of the same name and a
higher version would win over what is published here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

SOURCE = "workbench"
"""What the index is called in a project's files."""

HERE = "https://HERE"
"""Stands for the store's root where the settings have no ``public_url``; the page's script writes it out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Install:
    """The lines for one release, by the tool that they are for; the page says what each is."""

    uv: str
    uv_project: str
    pip: str
    requirements: str
    poetry: str


def direct(name: str, url: str, sha256: str) -> str:
    """Return the line that installs one file, at an absolute URL, by its hash."""
    return f'pip install "{name} @ {url}#sha256={sha256}"'


def lines(name: str, version: str, index: str, hashes: Sequence[str]) -> Install:
    """Return the lines for one release in the index at `index` (its ``simple/``), whose files have these hashes."""
    pin = f"{name}=={version}"
    hash_lines = " \\\n".join(f"    --hash=sha256:{digest}" for digest in hashes)
    return Install(
        uv=f"uv pip install --index {index} {pin}",
        uv_project=(
            f'[project]\ndependencies = ["{pin}"]\n\n'
            f'[[tool.uv.index]]\nname = "{SOURCE}"\nurl = "{index}"\nexplicit = true\n\n'
            f'[tool.uv.sources]\n{name} = {{ index = "{SOURCE}" }}'
        ),
        pip=f"pip install --index-url {index} --no-deps {pin}\npip check",
        requirements=f"--index-url {index}\n{pin} \\\n{hash_lines}",
        poetry=(
            f'[[tool.poetry.source]]\nname = "{SOURCE}"\nurl = "{index}"\npriority = "explicit"\n\n'
            f'[tool.poetry.dependencies]\n{name} = {{ version = "=={version}", source = "{SOURCE}" }}'
        ),
    )
