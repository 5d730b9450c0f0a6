"""``build`` behind its backend: what is grafted, what is tried, and what then lies in ``wheels/``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.conftest import invoke

if TYPE_CHECKING:
    from tests.commands.conftest import Demo

OPENMP = """\
#include <omp.h>
int threads(void) { return omp_get_max_threads(); }
"""


@pytest.mark.needs("aarch64-linux-gnu-g++", "apt-get", "dpkg-deb")
def test_a_cross_build_for_an_old_glibc_brings_the_libraries_of_its_own_compiler(
    demo: Demo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WORKBENCH_CACHE")  # the compiler is unpacked once, not for each test
    source = demo.repository / "demo.c"
    source.write_text(source.read_text() + OPENMP)
    setup = demo.repository / "setup.py"
    options = '["demo.c"], extra_compile_args=["-fopenmp"], extra_link_args=["-fopenmp"]'
    setup.write_text(setup.read_text().replace('["demo.c"]', options))
    words = ("--builder", "cross", "--arch", "aarch64", "--glibc", "2.31", "--source-dir", demo.repository)
    made = invoke("build", "demo", *words, "--json")
    assert made.status == 0, made.stderr
    (wheel,) = json.loads(made.stdout)["wheels"]
    (grafted,) = wheel["grafted"]
    assert grafted.startswith("libgomp-")
