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

HERE = "https://HERE"
"""Stands for the store's root where the settings have no ``public_url``; the page's script writes it out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snippet:
    """A text to copy. `file` is where it goes; None for a shell. `note` says what should be known before."""

    title: str
    text: str
    note: str
    file: str | None = None


def direct(name: str, url: str, sha256: str) -> str:
    """Return the line that installs one file, at an absolute URL, by its hash."""
    return f'pip install "{name} @ {url}#sha256={sha256}"'


def snippets(name: str, version: str, index: str, hashes: Sequence[str]) -> tuple[Snippet, ...]:
    """Return the ways to install one release from the index at `index` (its ``simple/``), hashes in hex."""
    pin = f"{name}=={version}"
    source = "workbench"
    hash_lines = " \\\n".join(f"    --hash=sha256:{digest}" for digest in hashes)
    return (
        Snippet(
            title="uv",
            text=f"uv pip install --index {index} {pin}",
            note="uv takes a project from the first index that has it, and what it requires from your default index.",
        ),
        Snippet(
            title="uv project",
            file="pyproject.toml",
            text=(
                f'[project]\ndependencies = ["{pin}"]\n\n'
                f'[[tool.uv.index]]\nname = "{source}"\nurl = "{index}"\nexplicit = true\n\n'
                f'[tool.uv.sources]\n{name} = {{ index = "{source}" }}'
            ),
            note="Nothing but this project comes from here. uv.lock keeps the hash.",
        ),
        Snippet(
            title="pip",
            text=f"pip install --index-url {index} --no-deps {pin}\npip check",
            note="pip check names what the wheel requires and you do not have; that comes from your usual index.",
        ),
        Snippet(
            title="requirements",
            file="requirements.txt",
            text=f"--index-url {index}\n{pin} \\\n{hash_lines}",
            note="For pip install --no-deps -r requirements.txt. Any other file than these is refused.",
        ),
        Snippet(
            title="Poetry",
            file="pyproject.toml",
            text=(
                f'[[tool.poetry.source]]\nname = "{source}"\nurl = "{index}"\npriority = "explicit"\n\n'
                f'[tool.poetry.dependencies]\n{name} = {{ version = "=={version}", source = "{source}" }}'
            ),
            note="Nothing but this project comes from here. poetry.lock keeps the hash.",
        ),
    )
