from __future__ import annotations

import subprocess
import sys

CODE = """
import atexit, gc
atexit.register(lambda: print(gc.get_freeze_count() > 0))  # the first that is registered is called last
before = gc.get_threshold()[0]
import {module}
if {module!r} != "tasks":
    {module}.spare_the_collector()
print(gc.get_threshold()[0] > before, gc.isenabled(), gc.get_freeze_count())
"""


def test_the_collector_is_spared_at_the_start_and_at_the_end_and_not_between() -> None:
    for module in ("workbench.garbage", "tasks"):
        ran = subprocess.run(
            [sys.executable, "-c", CODE.format(module=module)], capture_output=True, text=True, check=True
        )
        assert ran.stdout.splitlines() == ["True True 0", "True"], module
