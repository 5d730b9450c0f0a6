"""Pin a CUDA release: ``python -m workbench.toolchain.lock 13.0.3.0`` writes ``locks/cu130.txt``.

The argument is a version of ``cuda-toolkit`` on the package index, NVIDIA's list of the wheels of a release.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from workbench.arch import ARCHITECTURES
from workbench.files import temporary, write_whole
from workbench.plan.target import this_arch
from workbench.toolchain.cuda import cuda_of, lay_out
from workbench.toolchain.pins import LOCKS, compiled, entries

_HEAD = """\
# CUDA from NVIDIA's wheels, for both architectures. Made by: python -m workbench.toolchain.lock {metapackage}
# version: {version}
# gpus: {gpus}
"""


def lock(metapackage: str) -> Path:
    """Write the lock of a version of ``cuda-toolkit`` and return it. Raises CommandFailed."""
    major, minor, patch, *_ = metapackage.split(".")
    version = f"{major}.{minor}.{patch}"
    path = LOCKS / f"cu{major}{minor}.txt"
    pins: dict[str, str] = {}
    # the metapackage bounds nvjitlink by the major version only; it must be of the release it is used with
    wanted = f"cuda-toolkit[all]=={metapackage}\nnvidia-nvjitlink=={major}.{minor}.*\n"
    for arch in ARCHITECTURES:
        pins |= entries(compiled(wanted, python="3.12", platform=f"{arch}-manylinux_2_28"))
    head = partial(_HEAD.format, version=version, metapackage=metapackage)
    body = "".join(pins[name] for name in sorted(pins))
    write_whole(path, head(gpus="") + body)
    with temporary() as cache:
        known = cuda_of(lay_out(path.stem, this_arch(), cache=cache)).gpus
    write_whole(path, head(gpus=" ".join(map(str, known))) + body)
    return path


if __name__ == "__main__":
    for word in sys.argv[1:]:
        print(lock(word))  # noqa: T201 - a program's answer
