"""A wheel tried in an image: installed for it, imported in it, and not in the image that built it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.arch import OCI_ARCH
from workbench.container.cibw import image_for
from workbench.container.command import QEMU_CPU
from workbench.environment import install_into, python_platform
from workbench.errors import CommandFailed, ContainerError, VerificationFailed
from workbench.files import temporary
from workbench.process import run
from workbench.troubles import with_meaning

if TYPE_CHECKING:
    from workbench.container.engine import Engine

INSIDE = "/trial"

# the Python of the version that is asked for: manylinux's own, or what the image calls it
_FIND_PYTHON = """\
version='import sys; print("%d.%d" % sys.version_info[:2] + "t" * ("t" in sys.abiflags))'
for python in /opt/python/{tags}/bin/python python{version} python3 python; do
    command -v "$python" >/dev/null || continue
    [ "$("$python" -c "$version")" = {version} ] || continue
    exec "$python" -I {inside}/run.py
done
echo "this image has no Python {version}"
exit 127
"""

_PROBE = "import platform; name, version = platform.libc_ver(); print(version if name == 'glibc' else '')\n"

RUN = f"import runpy, site\nsite.addsitedir('{INSIDE}/site')\nrunpy.run_path('{INSIDE}/test.py')\n"


def try_wheel(
    wheel: Path,
    *,
    engine: Engine,
    image: str,
    python: str,
    arch: str,
    code: str,
    requires: Sequence[str] = (),
) -> None:
    """Run Python code in a container where only the wheel, its requirements and `requires` are installed.

    They are installed from outside, for the image's architecture and glibc: it needs Python and nothing else, no
    network, and no emulated pip.

    Raises VerificationFailed where the wheel does not install or the code fails; ContainerError where the image has
    another Python or C library than it takes to try the wheel; and what `image_for` raises.
    """
    cannot = f"{wheel.name} cannot be tried in {image}"
    name = image_for(engine, image, arch).name
    tag = f"cp{python.replace('.', '')}"
    with temporary() as folder:
        (folder / "find.sh").write_text(
            _FIND_PYTHON.format(tags=f"{tag.removesuffix('t')}-{tag}", version=python, inside=INSIDE)
        )
        start = [
            *(engine.name, "run", "--rm", "--network=none", f"--platform=linux/{OCI_ARCH[arch]}"),
            *("--security-opt=label=disable", f"--volume={folder}:{INSIDE}:ro", f"--env=QEMU_CPU={QEMU_CPU}"),
            *(name, "sh", f"{INSIDE}/find.sh"),
        ]
        (folder / "run.py").write_text(_PROBE)
        try:
            glibc = run(start, stdout_only=True).output.strip()
        except CommandFailed as error:
            raise ContainerError(
                f"{cannot}: {error}\nName an image that has Python {python} in workbench.yaml "
                "(container.runtime_images)"
            ) from error
        try:
            platform = python_platform(arch, glibc)
        except ValueError as error:
            raise ContainerError(
                f"{cannot}, which has {f'glibc {glibc}' if glibc else 'no glibc'}: name an image with glibc 2.17 or "
                "newer in workbench.yaml (container.runtime_images)"
            ) from error
        try:
            install_into(folder / "site", [wheel.resolve(), *requires], python=python, platform=platform)
            (folder / "run.py").write_text(RUN)
            (folder / "test.py").write_text(code, encoding="utf-8")
            run(start)
        except CommandFailed as error:
            raise VerificationFailed(
                f"{wheel.name} does not work in {image}: {with_meaning(str(error))}"
            ) from error
