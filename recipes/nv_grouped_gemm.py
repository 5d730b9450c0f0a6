"""nv-grouped-gemm: many matrix products in one call, for mixtures of experts, on the GPU."""

from __future__ import annotations

from workbench.recipe import Recipe, Sdist

recipe = Recipe(
    name="nv-grouped-gemm",
    version="1.1.4.post8",
    description="Grouped matrix products (GEMM) with CUTLASS, with a PyTorch interface.",
    upstream="https://github.com/fanshiqing/grouped_gemm",
    license="Apache-2.0",
    source=Sdist(sha256="ab321693f0292cfd8a26dc7b6f14decd9eb00e209494de7218e4fad36191275d"),
    python=">=3.10",
    compute=("cu13*",),
    torch=">=2.11",
    build_requires=("ninja",),
    # its own, and what torch's headers include
    cuda_libraries=("cublas", "cusolver", "cusparse"),
    # otherwise setup.py asks upstream's releases for a wheel, and takes what it finds
    environment={"GROUPED_GEMM_FORCE_BUILD": "TRUE"},
    memory_per_job=4,
    local_version="cu{cuda}torch{torch}",
    modules=("grouped_gemm",),
    smoke_test="""\
import torch
from grouped_gemm import ops

torch.manual_seed(7)
sizes = torch.tensor([3, 0, 5])
a, b = torch.randn(8, 64).bfloat16(), torch.randn(3, 64, 32).bfloat16()
if torch.cuda.is_available():
    found = ops.gmm(a.cuda(), b.cuda(), sizes).cpu()
    expected = torch.cat([part @ each for part, each in zip(a.split(sizes.tolist()), b)])
    assert torch.allclose(found.float(), expected.float(), atol=1e-1)
else:
    try:
        ops.gmm(a, b, sizes)
    except (NotImplementedError, RuntimeError) as error:
        assert "cuda" in str(error).lower(), error
    else:
        raise AssertionError("a tensor on the CPU was taken")
""",
)
