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

pytestmark = pytest.mark.needs("quilt", "git")

GUIDE = (CHECKOUT / "docs" / "patches.md").read_text(encoding="utf-8")
MAKE, CHANGE, MOVE, WRITE, MOVED = re.findall(r"^```console\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
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
        "WORKBENCH_SITE": str(folder),
        "QUILTRC": "-",
    }
    run(["bash", "-euc", session], cwd=folder, env=env)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with annoy's recipe and series."""
    shutil.copytree(CHECKOUT / "patches" / "annoy", tmp_path / "patches" / "annoy")
    (tmp_path / "recipes").mkdir()
    shutil.copy(CHECKOUT / "recipes" / "annoy.py", tmp_path / "recipes")
    for name in ("tasks.py", "workbench"):
        (tmp_path / name).symlink_to(CHECKOUT / name)
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


def names(checkout: Path) -> list[str]:
    return [patch.name for patch in read_series(checkout / "patches" / "annoy")]


def test_make_and_change_a_series_and_follow_upstream(checkout: Path, source: Path) -> None:
    shell(MAKE, checkout)
    assert names(checkout) == ["portable-by-default.patch", "leave-nose-out.patch"]
    shell(CHANGE, checkout)
    (patch,) = read_series(checkout / "patches" / "annoy")
    assert b"+    extra_compile_args += ['-O2', '-ffast-math'" in patch.text
    before = {path: path.read_bytes() for path in checkout.glob("*s/**/*") if path.is_file()}
    shell(MOVE, checkout)
    assert before == {path: path.read_bytes() for path in checkout.glob("*s/**/*") if path.is_file()}
    apply_series([patch], source)


def test_write_one_with_quilt(checkout: Path, source: Path) -> None:
    shell(WRITE, checkout, change="/nose/d")

    series = read_series(checkout / "patches" / "annoy")
    apply_series(series, source)

    assert [patch.name for patch in series] == ["portable-by-default.patch", "no-nose.patch"]
    assert series[1].description == "Do not tune for the build host"
    assert "nose" not in (source / "setup.py").read_text()


def test_refresh_after_the_pin_was_moved_by_hand(checkout: Path, source: Path) -> None:
    run(["sed", "-i", "1i # a new first line", source / "setup.py"])
    fresh = shutil.copytree(source, checkout / "fresh")
    shell(f"export QUILT_PATCHES={os.fspath(checkout)}/patches/annoy; cd source\n{MOVED}", checkout)

    apply_series(read_series(checkout / "patches" / "annoy"), fresh)

    assert "native" not in (fresh / "setup.py").read_text()
