"""What a request comes to, with the site's settings under it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from workbench.errors import SettingsError, ToolchainError, UsageError
from workbench.make.request import Request, plans
from workbench.plan.axes import Axes
from workbench.plan.target import this_arch
from workbench.settings import read_settings
from workbench.toolchain import pins

if TYPE_CHECKING:
    from pathlib import Path

    from workbench.paths import Paths
    from workbench.plan.draft import LeftOut
    from workbench.plan.plan import Plan

SETTINGS = """\
local_version: cu{cuda}torch{torch}
matrix: {python: "3.11", compute: cu130, torch: "2.11", gpu: sm_121}
"""
"""As docs/settings.md has them."""


def planned(
    paths: Paths, axes: Axes | None = None, *, says: str, settings: str = "", builder: str = "host"
) -> tuple[tuple[Plan, ...], tuple[LeftOut, ...]]:
    """Plan a package whose recipe says something, in a site with settings."""
    (paths.recipes / "demo.py").write_text(
        "from workbench.recipe import Recipe, Sdist\n\n"
        'recipe = Recipe(name="demo", version="1.0", description="d", '
        f'source=Sdist(sha256="{"0" * 64}"), {says})\n'
    )
    (paths.patches / "demo").mkdir(exist_ok=True)
    (paths.patches / "demo" / "series").touch()
    (paths.root / "workbench.yaml").write_text(settings)
    found = plans(
        Request(name="demo", axes=axes or Axes(), builder=builder),
        paths,
        read_settings(paths),
    )
    return found.plans, found.left_out


def test_an_axis_of_the_file_is_not_blamed_on_a_flag(paths: Paths) -> None:
    wrong = "matrix: {python: three}\n"
    with pytest.raises(SettingsError, match=r"^workbench.yaml: matrix\.python: three: 'three' is neither"):
        planned(paths, Axes(arch="x86_64"), says="", settings=wrong)
    with pytest.raises(UsageError, match=r"^--python two: "):
        planned(paths, Axes(python="two"), says="", settings=wrong)


@pytest.mark.parametrize(
    ("says", "axes", "version"),
    [
        ("", Axes(compute="cpu"), "1.0"),
        ('compute=("cu13*",)', Axes(), "1.0"),
        ('compute=("cpu", "cu13*"), torch=">=2.9"', Axes(), "1.0+cu130torch2.11"),
        ('compute=("cpu", "cu13*"), torch=">=2.9"', Axes(compute="cpu"), "1.0"),
    ],
)
def test_the_sites_torch_and_local_version_are_for_those_that_have_them(
    paths: Paths, says: str, axes: Axes, version: str
) -> None:
    (made,), left_out = planned(paths, axes, says=says, settings=SETTINGS)
    assert (str(made.version), left_out) == (version, ())


def test_a_torch_that_is_asked_for_is_not_dropped(paths: Paths) -> None:
    with pytest.raises(UsageError, match="the recipe does not build against torch"):
        planned(paths, Axes(compute="cpu", torch="2.11"), says="", settings=SETTINGS)


@pytest.mark.parametrize(
    ("compute", "gpu", "message"),
    [
        ("", "sm_121", "nothing is built for sm_121 with --compute cpu: add one of CUDA"),
        ("cu130", "sm_121,gfx1151", "nothing is built for gfx1151 with --compute cu130: add one of ROCm"),
    ],
)
def test_a_gpu_that_nothing_would_be_built_for_is_refused(
    paths: Paths, compute: str, gpu: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        planned(paths, Axes(compute=compute, gpu=gpu), says='compute=("*",)')


def test_the_sites_gpus_are_for_the_compute_platforms_that_have_them(paths: Paths) -> None:
    (made,), _ = planned(paths, Axes(compute="cpu"), says="", settings=SETTINGS)
    assert made.target.gpu == ()
    (made,), _ = planned(paths, Axes(arch=this_arch()), says='compute=("cu13*",)', settings=SETTINGS)
    assert made.target.gpu == ("sm_121",)


CUDA = 'compute=("cpu", "cu1*", "rocm*"), local_version="{compute}"'


def test_what_cannot_be_built_here_is_left_out_and_stops_nothing_else(paths: Paths) -> None:
    axes = Axes(compute="cpu,cu130,cu139,rocm6.4", gpu="sm_121,gfx1151", arch=this_arch())
    made, left_out = planned(paths, axes, says=CUDA, builder="auto")
    assert [each.target.compute for each in made] == ["cpu", "cu130"]
    reasons = {out.target.compute: out.reason for out in left_out}
    assert "cu139: no such CUDA toolkit" in reasons["cu139"]
    assert "an image that has ROCm" in reasons["rocm6.4"]
    assert all(out.error is not None for out in left_out)


def test_where_nothing_is_left_to_build_it_is_an_error_of_its_own_kind(paths: Paths) -> None:
    with pytest.raises(ToolchainError, match=r"^cu139: no such CUDA toolkit"):
        planned(paths, Axes(compute="cu139"), says=CUDA)
    with pytest.raises(
        ToolchainError, match=r"nothing here builds demo for any of .*\n.*cu128: .*\n.*cu139: "
    ):
        planned(paths, Axes(compute="cu128,cu139"), says=CUDA)
    with pytest.raises(ToolchainError, match=r"CUDA 13\.0\.\d+ cannot compile for sm_999"):
        planned(paths, Axes(compute="cu130", gpu="sm_999"), says=CUDA)


def test_what_the_sites_own_toolkit_or_image_has_is_not_prejudged(paths: Paths) -> None:
    toolkit = "cuda: {cu128: /usr/local/cuda-12.8}"
    (made,), _ = planned(paths, Axes(compute="cu128"), says=CUDA, settings=toolkit)
    assert made.builder == "host"
    image = f"container: {{images: {{cu128: {{{this_arch()}: example.com/cuda}}}}}}"
    (made,), _ = planned(paths, Axes(compute="cu128"), says=CUDA, settings=image, builder="container")
    assert made.image == "example.com/cuda"
    with pytest.raises(ToolchainError, match="the package index has no nvcc for CUDA 12"):
        planned(paths, Axes(compute="cu128"), says=CUDA, builder="container")


def test_another_toolkit_is_another_build_key(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def key(says: str = "", *, named: Path | None = None) -> str | None:
        settings = f"cuda: {{cu130: {named}}}" if named else ""
        axes = Axes(compute="cu130", arch=this_arch())
        (made,), _ = planned(paths, axes, says=f"{CUDA}, {says}", settings=settings)
        return made.key

    toolkit = tmp_path / "cuda-13.0"
    toolkit.mkdir()
    keys = [key(), key('cuda_libraries=("cublas",)'), key(named=toolkit), key(named=tmp_path / "cuda")]
    (toolkit / "version.json").write_text('{"cuda": {"version": "13.0.1"}}')
    keys.append(key(named=toolkit))
    locks = tmp_path / "locks"
    shutil.copytree(pins.LOCKS, locks)
    monkeypatch.setattr(pins, "LOCKS", locks)
    assert key() == keys[0]
    monkeypatch.setattr(pins, "LOCKS", locks.rename(tmp_path / "newer"))
    lock = pins.LOCKS / "cu130.txt"
    lock.write_text(lock.read_text().replace("nvidia-cuda-nvcc==13.0.", "nvidia-cuda-nvcc==13.0.9"))
    keys.append(key())
    assert len(set(keys)) == len(keys)


def test_an_image_may_have_a_toolkit_that_could_not_be_laid_out(paths: Paths) -> None:
    image = f"container: {{images: {{cu130: {{{this_arch()}: example.com/cuda}}}}}}"
    says = f'{CUDA}, cuda_libraries=("cudnn",)'
    (made,), _ = planned(paths, Axes(compute="cu130"), says=says, settings=image, builder="container")
    assert made.toolkit is None
    with pytest.raises(ToolchainError, match="CUDA has no library 'cudnn'"):
        planned(paths, Axes(compute="cu130"), says=says, builder="container")


@pytest.mark.parametrize(
    ("glibc", "arch", "oldest"),
    [("2.1", "x86_64", "2.5"), ("2.12", "aarch64", "2.17"), ("2.99", "x86_64", "2.5")],
)
def test_a_glibc_that_no_platform_tag_names_is_refused_before_anything_is_built(
    paths: Paths, glibc: str, arch: str, oldest: str
) -> None:
    builder = "host" if arch == this_arch() else "container"
    with pytest.raises(
        UsageError, match=rf"^--glibc {glibc}: the platform tags for {arch} go from {oldest} to 2\.\d+$"
    ):
        planned(paths, Axes(arch=arch, glibc=glibc), says="", builder=builder)
    with pytest.raises(UsageError, match=rf"^workbench\.yaml: glibc: {glibc}: the platform"):
        planned(paths, Axes(arch=arch), says="", settings=f'glibc: "{glibc}"', builder=builder)
