"""docs/patches.md says what is true: its sessions run, and what they write applies."""

from __future__ import annotations

import os
import re
import shutil
from typing import TYPE_CHECKING

import pytest

from workbench.patches.apply import apply_series
from workbench.patches.series import read_series
from workbench.paths import CHECKOUT, Paths
from workbench.process import run
from workbench.recipe.load import load
from workbench.recipe.model import Sdist
from workbench.source.sdist import fetch_sdist
from workbench.source.unpacking import unpack

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.needs("quilt")

GUIDE = (CHECKOUT / "docs" / "patches.md").read_text(encoding="utf-8")
WRITE, MOVED, CHANGED = re.findall(r"^```console\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
(HEADER,) = re.findall(r"^```\n(Description: .*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)

EDITOR = """\
#!/bin/sh
# what a person would do in an editor: to setup.py the change, to quilt's header file the header
case "$1" in
    *setup.py) sed -i "$CHANGE" "$1" ;;
    *) cp "$HEADER" "$1" ;;
esac
"""


def shell(session: str, folder: Path, *, change: str = "") -> None:
    """Run a session of the guide line by line, stopping at the first that fails, with a person's editor."""
    (folder / "header").write_text(HEADER)
    editor = folder / "editor"
    editor.write_text(EDITOR)
    editor.chmod(0o755)
    env = {
        "EDITOR": str(editor),
        "HEADER": str(folder / "header"),
        "CHANGE": change,
        "XDG_CACHE_HOME": str(Paths(folder).cache.parent),
        "QUILTRC": "-",
    }
    run(["bash", "-euc", session], cwd=folder, env=env)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with annoy's series, and its sdist in the cache."""
    shutil.copytree(CHECKOUT / "patches" / "annoy", tmp_path / "patches" / "annoy")
    return tmp_path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """annoy's source, unpacked afresh."""
    recipe = load(CHECKOUT / "recipes", "annoy")
    assert isinstance(recipe.source, Sdist)
    unpack(
        fetch_sdist("annoy", recipe.version, recipe.source.sha256, Paths(CHECKOUT).cache), tmp_path / "source"
    )
    return tmp_path / "source"


def test_write_one(checkout: Path, source: Path) -> None:
    shell(WRITE, checkout, change="/nose/d")

    series = read_series(checkout / "patches" / "annoy")
    apply_series(series, source)

    assert [patch.name for patch in series] == ["portable-by-default.patch", "no-nose.patch"]
    assert series[1].description == "Do not tune for the build host"
    assert "nose" not in (source / "setup.py").read_text()


@pytest.mark.parametrize(
    ("session", "upstream", "change"),
    [
        (MOVED, "1i # a new first line", ""),
        (CHANGED, "s/^extra_link_args = .*/extra_link_args = list()/", "/native/d;/ppc64le/d;/x86_64/d"),
    ],
    ids=["moved", "changed"],
)
def test_refresh_after_upstream_moved(
    checkout: Path, source: Path, session: str, upstream: str, change: str
) -> None:
    run(["sed", "-i", upstream, source / "setup.py"])
    fresh = shutil.copytree(source, checkout / "fresh")
    start = f"export QUILT_PATCHES={os.fspath(checkout)}/patches/annoy; cd source\n"
    # 'push -f' says by its status that something did not apply; the person goes on
    shell(start + session.replace("push -f", "push -f || true"), checkout, change=change)

    apply_series(read_series(checkout / "patches" / "annoy"), fresh)

    assert "native" not in (fresh / "setup.py").read_text()
