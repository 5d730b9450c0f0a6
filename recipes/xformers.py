"""xformers: building blocks of transformers; what it still compiles itself is sparsity, two of four, on the GPU."""

from __future__ import annotations

from workbench.recipe import Recipe, Sdist

recipe = Recipe(
    name="xformers",
    version="0.0.35",
    description="Building blocks of transformers for PyTorch, with structured sparsity in CUDA.",
    upstream="https://github.com/facebookresearch/xformers",
    license="BSD-3-Clause",
    source=Sdist(sha256="f7fc183a58e4bf0e2ae339a18fb1b1d4a37854c0f2545b4f360fef001646ab76"),
    python=">=3.10",
    compute=("cu13*",),
    torch=">=2.11",
    build_requires=("ninja",),
    # what torch's own headers include
    cuda_libraries=("cublas", "cusolver", "cusparse"),
    # without line numbers in the GPU code
    environment={"FORCE_CUDA": "1", "XFORMERS_BUILD_TYPE": "Release"},
    memory_per_job=4,
    local_version="cu{cuda}torch{torch}",
    smoke_test="""\
import torch
from xformers import _cpp_lib

assert _cpp_lib._cpp_library_load_exception is None, _cpp_lib._cpp_library_load_exception
assert _cpp_lib._built_with_cuda

torch.manual_seed(7)
dense = (torch.rand(64, 64) + torch.arange(8).repeat(8)).bfloat16()
if torch.cuda.is_available():
    for of in (4, 8):
        found = torch.ops.xformers.sparseNM_dense(dense.cuda(), "largest", 2, of).cpu()
        groups, kept = dense.reshape(-1, of), found.reshape(-1, of)
        assert ((kept == 0) | (kept == groups)).all()
        assert torch.equal(kept.sort(1).values[:, -2:], groups.sort(1).values[:, -2:])
        assert ((kept != 0).sum(1) <= 2).all()
else:
    try:
        torch.ops.xformers.sparseNM_dense(dense, "largest", 2, 4)
    except (NotImplementedError, RuntimeError) as error:
        assert "cuda" in str(error).lower(), error
    else:
        raise AssertionError("a tensor on the CPU was taken")
""",
)
