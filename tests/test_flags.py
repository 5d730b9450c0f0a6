from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from workbench.flags import command_line
from workbench.make.request import Request
from workbench.plan.axes import Axes
from workbench.verb import read_line
from workbench.verbs.wheels import build

PLAIN = Request(name="open3d")


@pytest.mark.parametrize(
    ("request_", "flags"),
    [
        (PLAIN, ""),
        (
            replace(PLAIN, axes=Axes(python="3.10-3.13", gpu="sm_121")),
            "--python 3.10-3.13 --gpu sm_121",
        ),
        (
            replace(PLAIN, source_dir=Path("a b"), max_jobs=2),
            "--source-dir 'a b' --max-jobs 2",
        ),
        (
            replace(PLAIN, builder="host", version_suffix=".post1"),
            "--builder host --version-suffix .post1",
        ),
    ],
    ids=["plain", "axes", "path", "builder"],
)
def test_a_request_prints_the_line_that_asks_for_it(request_: Request, flags: str) -> None:
    line = command_line("build", request_)
    assert line == f"invoke build open3d {flags}".strip()
    words, _ = read_line("build", shlex.split(line)[2:], build.flags)
    assert words == ["open3d"]
