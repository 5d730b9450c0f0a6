"""The CUDA samples by every builder, each released: built, repaired, verified, published, installed, imported."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from functools import cache
from typing import TYPE_CHECKING

import pytest

from tests.forked import invoke
from workbench.container.engine import find_engine
from workbench.container.image import ImageRecipe, build_image
from workbench.paths import CHECKOUT, Paths
from workbench.process import run
from workbench.registry.file import load

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.needs("podman", "aarch64-linux-gnu-g++", "qemu-aarch64-static")

RECIPE = """\
from __future__ import annotations

from workbench.recipe import Git, Recipe

recipe = Recipe(
    name="{name}",
    version="1.0",
    description="A sample",
    source=Git(url="{url}", commit="{commit}", branch="main"),
    compute=("cu13*",),
    smoke_test={smoke_test!r},
)
"""

CALLS = {
    "cuda-kernel": "import cuda_kernel; cuda_kernel.saxpy(2.0, x, x)",
    "cuda-cmake": "import cuda_cmake; cuda_cmake.total(x)",
}
SMOKE_TEST = """\
from array import array
x = array("f", [1, 2])
try:
    {call}
except RuntimeError as error:  # where there is no GPU
    assert str(error).startswith("CUDA: "), error
"""

BUILDERS = {
    "host": ("x86_64", ""),
    "cross": ("aarch64", ""),
    # the same version of the same target again: other bytes, so another version
    "container": ("x86_64", ".post1"),
    "container under qemu": ("aarch64", ".post1"),
}


@cache
def image(arch: str, kind: str) -> str:
    recipe = ImageRecipe(arch=arch, kind="build" if kind == "images" else "runtime")
    return build_image(recipe, find_engine("podman"), cache=Paths.here().cache).name


@pytest.fixture
def sample(request: pytest.FixtureRequest, paths: Paths, tmp_path: Path) -> str:
    """Return the name of a sample that has a recipe, from a repository of its own."""
    name: str = request.param
    repository = shutil.copytree(CHECKOUT / "examples" / name, tmp_path / "upstream")

    def git(*words: str) -> str:
        argv = ["git", "-c", "user.name=T", "-c", "user.email=t@example.com", *words]
        return subprocess.run(argv, cwd=repository, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet", "--initial-branch=main")
    git("add", ".")
    git("commit", "--quiet", "--message", "one")
    (paths.recipes / f"{name.replace('-', '_')}.py").write_text(
        RECIPE.format(
            name=name,
            url=repository,
            commit=git("rev-parse", "HEAD"),
            smoke_test=SMOKE_TEST.format(call=CALLS[name]),
        )
    )
    chosen = {
        kind: {"cu130": {arch: image(arch, kind) for arch in ("x86_64", "aarch64")}}
        for kind in ("images", "runtime_images")
    }
    # all is compiled, and nothing goes to the user's objects
    settings = {"container": {"engine": "podman", **chosen}, "cache": {"objects": False}}
    (paths.root / "workbench.yaml").write_text(json.dumps(settings))  # JSON is YAML
    return name


@pytest.mark.parametrize("sample", ["cuda-kernel", "cuda-cmake"], indirect=True)
def test_four_builders_fill_one_index(sample: str, paths: Paths) -> None:
    for builder, (arch, suffix) in BUILDERS.items():
        released = invoke(
            *("release", sample, "--compute", "cu130", "--arch", arch, "--python", "3.11"),
            *("--builder", builder.partition(" ")[0]),
            *(("--version-suffix", suffix) if suffix else ()),
        )
        assert released.status == 0, f"{builder}: {released.stderr}"
        assert released.stderr.count("installs it: the smoke test passes") == 2, builder

    published = [wheel for _, wheel in load(paths.registry).wheels()]
    assert len(published) == len(BUILDERS)
    assert sorted(wheel.build.builder for wheel in published if wheel.build) == [
        "container", "container", "cross", "host",
    ]  # fmt: skip
    for wheel in published:
        assert wheel.build is not None
        assert wheel.gpu_architectures == ("sm_121",)
        shown = run([sys.executable, "-m", "auditwheel", "show", "--json", paths.root / wheel.url]).output
        facts = json.loads(shown[shown.index("{") :])
        # auditwheel agrees with the wheel's name, and found nothing that it would have to bring along
        assert wheel.filename.endswith(f"{facts['overall_tag'].split('.')[0]}.whl")
