"""Folders that are made once, whatever ends those who make them."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from workbench.files import made_once
from workbench.paths import CHECKOUT

if TYPE_CHECKING:
    from pathlib import Path

KILLED = """\
import os, sys
from pathlib import Path
from workbench.files import made_once

def make(scratch):
    (scratch / "half").write_bytes(b"a toolkit")
    os.kill(os.getpid(), 9)

made_once(Path(sys.argv[1]), "make it", make)
"""


def make(scratch: Path) -> Path:
    (scratch / "tree").mkdir()
    return scratch / "tree"


def test_what_a_killed_process_has_left_is_removed_by_the_next(tmp_path: Path) -> None:
    home, another = tmp_path / "cu130", tmp_path / "cu131"
    for each in (home, another):
        ended = subprocess.run([sys.executable, "-c", KILLED, each], cwd=CHECKOUT, check=False)
        assert ended.returncode == -signal.SIGKILL
    assert len(list(tmp_path.glob(".making-*"))) == 1  # the second has removed what the first had left
    assert made_once(home, "make it", make) == home
    assert list(tmp_path.glob(".making-*")) == []
    assert home.is_dir()
