from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.errors import ToolchainError, ToolMissing
from workbench.paths import CHECKOUT
from workbench.plan.plan import ToolkitPins
from workbench.plan.target import this_arch
from workbench.process import run
from workbench.toolchain.cuda import check, cuda_of, lay_out
from workbench.toolchain.pins import compiled, entries, pins_for, release_of
from workbench.toolchain.variables import cuda_environment, joined

KERNEL = "__global__ void twice(float *x) { x[threadIdx.x] *= 2; }\nint main() { twice<<<1, 32>>>(0); }\n"


@pytest.fixture(scope="module")
def toolkit(cache: Path) -> Path:
    return lay_out("cu130", "x86_64", cache=cache)


@pytest.fixture
def copy(toolkit: Path, tmp_path: Path) -> Path:
    """Return a copy whose files are links: to be damaged only by replacing files."""
    copied = tmp_path / "toolkit"
    shutil.copytree(toolkit, copied, symlinks=True, copy_function=os.link)
    return copied


def replace(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


def machine(path: Path) -> str:
    said = run(["readelf", "--file-header", path]).output
    return next(line.partition(":")[2].strip() for line in said.splitlines() if "Machine:" in line)


def test_it_compiles_a_kernel_to_machine_code(toolkit: Path, tmp_path: Path) -> None:
    (tmp_path / "k.cu").write_text(KERNEL)
    run([toolkit / "bin/nvcc", "-arch=sm_121", "k.cu", "-o", "k"], cwd=tmp_path)
    assert b"sm_121" in (tmp_path / "k").read_bytes()


def test_a_file_without_a_function_for_others_compiles_to_the_same_bytes_in_any_process(
    toolkit: Path, tmp_path: Path
) -> None:
    """nvcc names all that is such a file's own after its process, where it is not told otherwise."""
    (tmp_path / "k.cu").write_text(
        "namespace { __global__ void k(int *x) { *x = 1; }\nstruct Run { Run() { k<<<1, 1>>>(0); } } run; }\n"
    )
    told = joined({"PATH": os.environ["PATH"]}, cuda_environment(toolkit, ("sm_121",), release="13.0"))
    for name in ("one.ptx", "other.ptx"):
        run([toolkit / "bin/nvcc", "-ptx", "k.cu", "-o", name], cwd=tmp_path, env=told)
    assert (tmp_path / "one.ptx").read_bytes() == (tmp_path / "other.ptx").read_bytes()


def test_it_has_what_build_systems_look_for(toolkit: Path) -> None:
    for name in (
        "include/cuda_runtime.h",
        "include/cccl/thrust/version.h",
        "lib64/libcudart.so",
        "lib64/libcudart_static.a",
        "lib64/libnvrtc.so",
        "targets/x86_64-linux/include/cuda.h",
        "targets/x86_64-linux/lib/stubs/libcuda.so",
        "nvvm/libdevice/libdevice.10.bc",
    ):
        assert (toolkit / name).exists(), name
    for name in ("bin/nvcc", "bin/ptxas", "bin/fatbinary", "nvvm/bin/cicc"):
        assert os.access(toolkit / name, os.X_OK), name


def test_the_drivers_functions_can_be_linked_and_say_that_there_is_no_driver(
    toolkit: Path, tmp_path: Path
) -> None:
    (tmp_path / "d.c").write_text("#include <cuda.h>\nint main(void) { return cuInit(0); }\n")
    stubs = toolkit / "lib/stubs"
    run(["gcc", f"-I{toolkit}/include", "d.c", f"-L{stubs}", "-lcuda", "-o", "d"], cwd=tmp_path)
    (tmp_path / "libcuda.so.1").symlink_to(stubs / "libcuda.so")
    done = run([tmp_path / "d"], env={"LD_LIBRARY_PATH": str(tmp_path)}, check=False)
    assert done.status == 34  # CUDA_ERROR_STUB_LIBRARY


def test_it_says_what_it_is(toolkit: Path) -> None:
    release, found = release_of("cu130"), cuda_of(toolkit)
    assert release.version.startswith(f"{found.version}.")
    assert found.gpus == release.gpus, "the lock and nvcc disagree: make the lock again"


def test_it_is_whole_and_laid_out_once(toolkit: Path, cache: Path) -> None:
    check(toolkit)
    before = (toolkit / "manifest.json").stat()
    assert lay_out("cu130", "x86_64", cache=cache) == toolkit
    assert (toolkit / "manifest.json").stat() == before
    assert not [path for path in toolkit.parent.iterdir() if path.name.startswith(".")]


def test_each_set_of_libraries_has_a_place_of_its_own(toolkit: Path, cache: Path) -> None:
    other = lay_out("cu130", "x86_64", cache=cache, components=["nvfatbin"])
    assert other != toolkit
    assert (other / "lib/libnvfatbin.so").exists()
    assert not (toolkit / "lib/libnvfatbin.so").exists()


def test_pins_of_an_older_lock_are_laid_out_as_they_are(toolkit: Path, cache: Path) -> None:
    now = pins_for("cu130", ())
    entry = entries(now.requirements)["nvidia-cuda-cccl"]
    asked = {"python": "3.12", "platform": "x86_64-manylinux_2_28"}
    older = compiled("nvidia-cuda-cccl==13.0.50\n", "--only-binary=:all:", **asked)
    then = ToolkitPins(version="13.0.0", requirements=now.requirements.replace(entry, older))
    other = lay_out("cu130", "x86_64", cache=cache, pins=then)
    assert other != toolkit
    assert (other / "version.json").read_text() != (toolkit / "version.json").read_text()
    for name, same in ((".metadata/provenance.txt", False), ("include/cuda.h", True)):
        assert ((other / name).read_bytes() == (toolkit / name).read_bytes()) is same, name


def test_every_kind_of_damage_is_found(copy: Path) -> None:
    header = copy / "include/cuda.h"
    replace(copy / "version.json", b"{}")
    replace(header, header.read_bytes().replace(b"c", b"d", 1))
    (copy / "bin/ptxas").unlink()
    (copy / "lib/extra.so").write_bytes(b"")
    (copy / "lib64").unlink()
    (copy / "lib64").symlink_to("include")
    with pytest.raises(ToolchainError) as caught:
        check(copy)
    for finding in (
        "bin/ptxas is missing",
        "include/cuda.h has other bytes",
        "lib/extra.so is not of it",
        "lib64 leads to include",
        "version.json has another size",
    ):
        assert finding in str(caught.value)


@pytest.fixture
def laid_out(copy: Path, toolkit: Path) -> Path:
    """Return the cache of the copy, where it has the name that the layout has."""
    home = copy.parent / "cache" / "toolchains" / toolkit.name
    home.parent.mkdir(parents=True)
    copy.rename(home)
    return home.parents[1]


@pytest.mark.parametrize("name", ["include/cuda_runtime.h", "nvvm/bin/cicc"])
def test_a_layout_that_is_cut_short_is_not_built_with(laid_out: Path, toolkit: Path, name: str) -> None:
    home = laid_out / "toolchains" / toolkit.name
    replace(home / name, b"")
    with pytest.raises(ToolchainError, match=rf"{name} has another size\. Remove the folder: it is laid out"):
        lay_out("cu130", "x86_64", cache=laid_out)


def test_a_layout_that_has_lost_files_is_told_from_a_program_that_is_not_installed(
    laid_out: Path, toolkit: Path
) -> None:
    home = laid_out / "toolchains" / toolkit.name
    (home / "bin/nvcc").unlink()
    with pytest.raises(ToolchainError, match=r"bin/nvcc is missing\. Remove the folder: it is laid out"):
        lay_out("cu130", "x86_64", cache=laid_out)
    shutil.rmtree(home)
    home.mkdir()
    with pytest.raises(
        ToolchainError, match=r"manifest\.json cannot be read .*Remove the folder: it is laid out"
    ):
        lay_out("cu130", "x86_64", cache=laid_out)


def test_a_folder_that_is_none_says_so(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match="is not a CUDA toolkit that works here"):
        cuda_of(tmp_path)


@pytest.mark.needs("aarch64-linux-gnu-g++")
def test_for_another_architecture_programs_are_ours_and_libraries_its(cache: Path) -> None:
    toolkit = lay_out("cu130", "aarch64", cache=cache)
    check(toolkit)
    for name in ("bin/nvcc", "bin/ptxas", "nvvm/bin/cicc"):
        assert machine(toolkit / name) == "Advanced Micro Devices X86-64", name
    for name in ("lib/libcudart.so", "lib64/libnvrtc.so", "targets/sbsa-linux/lib/stubs/libcuda.so"):
        assert machine(toolkit / name) == "AArch64", name


def test_pins_without_programs_are_no_toolkit_here(tmp_path: Path) -> None:
    now = pins_for("cu130", ())
    left = now.requirements.replace(entries(now.requirements)["nvidia-nvvm"], "")
    here, other = this_arch(), "aarch64" if this_arch() == "x86_64" else "x86_64"
    for arch, way in ((other, f"[.] Build on {other}$"), (here, "[.] Pin them too$")):
        with pytest.raises(
            ToolchainError, match=f"lacks nvidia-nvvm: it has no programs that run on {here}{way}"
        ):
            lay_out("cu130", arch, cache=tmp_path, pins=ToolkitPins(version=now.version, requirements=left))
    assert not list(tmp_path.iterdir())


def test_another_architecture_without_a_compiler_for_it_says_how_to_get_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from workbench.toolchain.compilers import cross_gcc

    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match="apt install g\\+\\+-aarch64-linux-gnu"):
        cross_gcc("aarch64")


def test_two_processes_at_once_make_one(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from workbench.toolchain import cuda\n"
        "make = cuda._lay_out\n"
        "cuda._lay_out = lambda *how: (print('made', file=sys.stderr), make(*how))[1]\n"
        "print(cuda.lay_out('cu130', 'x86_64', cache=Path(sys.argv[1])))"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, tmp_path],
            cwd=CHECKOUT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    ended = [process.communicate() for process in started]
    (place,) = {out.strip() for out, _ in ended}
    check(Path(place))
    assert sum("made" in err for _, err in ended) == 1, "one makes it, the other waits"
