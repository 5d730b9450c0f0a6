from __future__ import annotations

from pathlib import Path

from workbench.toolchain.variables import config_settings, cuda_environment, joined


def test_a_build_is_pointed_at_the_toolkit_and_the_gpus() -> None:
    variables = cuda_environment(Path("/cuda"), ["sm_121", "compute_120"], release="13.0")
    assert variables["CUDA_HOME"] == "/cuda"
    assert variables["CUDACXX"] == "/cuda/bin/nvcc"
    assert variables["TORCH_CUDA_ARCH_LIST"] == "12.1;12.0+PTX"
    assert variables["CMAKE_ARGS"] == "-DCMAKE_CUDA_ARCHITECTURES=121-real;120-virtual"


def test_nvcc_gets_a_seed_from_the_release_on_that_knows_it_and_a_recipes_own_flags_behind_it() -> None:
    new, old = (cuda_environment(Path("/cuda"), ["sm_90"], release=each) for each in ("13.0", "12.8"))
    assert "NVCC_PREPEND_FLAGS" not in old
    both = joined(new, {"NVCC_PREPEND_FLAGS": "-ccbin g++-13"})
    assert both["NVCC_PREPEND_FLAGS"] == "-frandom-seed=0 -ccbin g++-13"


def test_of_two_environments_the_later_holds() -> None:
    both = joined(
        {"PATH": "/usr/bin", "CFLAGS": "-O2", "CC": "gcc", "CMAKE_ARGS": "-DA=1"},
        {"PATH": "/cuda/bin", "CFLAGS": "-O3", "CC": "clang", "CMAKE_ARGS": "-DA=2"},
    )
    assert both == {
        "PATH": "/cuda/bin:/usr/bin",  # the first that is found
        "CFLAGS": "-O2 -O3",  # the last that is said
        "CC": "clang",
        "CMAKE_ARGS": "-DA=1 -DA=2",
    }


def test_only_meson_is_told_of_a_cross_file_and_of_jobs_by_settings() -> None:
    assert config_settings("mesonpy", jobs=3, meson_cross_file=Path("/x.ini")) == {
        "setup-args": "--cross-file=/x.ini",
        "compile-args": "-j3",
    }
    assert config_settings("setuptools.build_meta", jobs=3, meson_cross_file=Path("/x.ini")) == {}
    assert config_settings("mesonpy", jobs=3) == {"compile-args": "-j3"}
