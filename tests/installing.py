"""What pip, uv and gw install from an index on loopback."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from workbench.process import run

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def with_each(index: str, package: str, into: Path, *options: str) -> tuple[Path, ...]:
    """Install a package with pip and with uv, each into a folder of its own below `into`; return the folders."""
    folders = []
    for name, installer in {"pip": [sys.executable, "-m", "pip"], "uv": ["uv", "pip"]}.items():
        words = ["install", "--quiet", *options, "--target", str(into / name), "--index-url", index, package]
        run([*installer, *words])
        folders.append(into / name)
    return tuple(folders)


def gw_project(folder: Path, index: str, package: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make a project the current folder, whose gw starts anew; return the words that lock a package from an index.

    What gw keeps lies beside the project, and its ``sources.toml`` in it.
    """
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in ("XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(folder.parent / name))
    monkeypatch.delenv("GPUWHEELS_CACHE", raising=False)
    sources = folder / "sources.toml"
    sources.write_text(
        "shipped = false\n[[sources]]\nname = 'site'\nkind = 'index'\n"
        f"url = '{index}'\npackages = ['{package}']\n"
    )
    machine = [
        "--python=3.11",
        "--arch=x86_64",
        "--glibc=2.36",
        "--torch=none",
        "--driver=none",
        "--cuda=cpu",
    ]
    return ["lock", package, f"--registry={sources}", "--refresh", *machine]
