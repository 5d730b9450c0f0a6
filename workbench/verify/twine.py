"""``twine check``, once for all wheels.

Twine hashes each file with three algorithms and reads nothing of it but METADATA. It gets stubs that hold
only that: the wheels themselves are hashed once in their life, by the pass.
"""

from __future__ import annotations

import re
import sys
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from workbench.errors import CommandFailed
from workbench.files import temporary
from workbench.process import run
from workbench.verify.report import Finding

_VERDICT = re.compile(r"^Checking (\d+)\.whl: ", re.MULTILINE)

_SECONDS, _MEMORY = 2, 512 << 20
"""What a run may take of CPU, once it has begun, and of memory: a description of 1 kB can be made to take hours."""
_AT_ONCE = 16
"""So that what one description wastes is not multiplied by the number of wheels."""
_LIMITED = f"""
import math, resource, sys, time
from twine.__main__ import main
seconds = math.ceil(time.process_time()) + {_SECONDS}
resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
resource.setrlimit(resource.RLIMIT_DATA, ({_MEMORY}, {_MEMORY}))
sys.exit(main())
"""


def check_descriptions(metadata: Mapping[Path, bytes]) -> dict[Path, tuple[Finding, ...] | None]:
    """Return what ``twine check`` finds in each wheel's METADATA; None where rendering it takes more than it may.

    Raises CommandFailed.
    """
    findings: dict[Path, tuple[Finding, ...] | None] = {}
    # twine stops at a METADATA that it cannot read; the wheels after it are checked by another run
    while left := [wheel for wheel in metadata if wheel not in findings][:_AT_ONCE]:
        verdicts = _verdicts([metadata[wheel] for wheel in left])
        for number, verdict in verdicts.items():
            passed = verdict.startswith("PASSED")
            what = verdict.removeprefix("FAILED").strip()
            found = () if passed else (Finding(check="twine", where="METADATA", what=what),)
            if what and "MemoryError" not in what:
                findings[left[number]] = found
            elif number == 0:  # else it is tried again by a run of which it has all the time
                findings[left[number]] = None
    return findings


def _verdicts(texts: Sequence[bytes]) -> dict[int, str]:
    """Return what twine says of each METADATA, by its place, up to the first at which it stops, even without a word."""
    with temporary() as folder:
        stubs = [f"{number}.whl" for number in range(len(texts))]
        for stub, text in zip(stubs, texts, strict=True):
            with zipfile.ZipFile(folder / stub, "w") as archive:
                # dated by itself: a clock before 1980 is none that a zip file can tell
                archive.writestr(zipfile.ZipInfo("stub-0.dist-info/METADATA"), text)
        # unbuffered, for its verdicts and errors go to two streams; wide, for it breaks lines at the width
        environment = {"PYTHONUNBUFFERED": "1", "COLUMNS": "1000"}
        twine = [sys.executable, "-c", _LIMITED, "--no-color", "check", *stubs]
        done = run(twine, cwd=folder, env=environment, check=False)
    _, *parts = _VERDICT.split(done.output)
    if not parts:
        raise CommandFailed(f"{done.command}\nfailed with {done.status}:\n{done.tail}")
    numbers, verdicts = map(int, parts[::2]), parts[1::2]
    return {
        number: "\n".join(line.rstrip() for line in verdict.strip().splitlines())
        for number, verdict in zip(numbers, verdicts, strict=True)
    }
