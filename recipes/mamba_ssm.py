"""mamba-ssm: Mamba's selective state-space layers, with the scan as a CUDA kernel."""

from __future__ import annotations

from workbench.recipe import Recipe, Sdist

recipe = Recipe(
    name="mamba-ssm",
    version="2.3.2.post1",
    description="Mamba state-space models: the selective scan in CUDA, with a PyTorch interface.",
    upstream="https://github.com/state-spaces/mamba",
    license="Apache-2.0",
    source=Sdist(sha256="104cc47e9101e5401a675fa2b784f2952b9b037f3b1dd83b5ac544394e95d028"),
    python=">=3.10",
    compute=("cu13*",),
    torch=">=2.11",
    build_requires=("ninja",),
    # what torch's own headers include
    cuda_libraries=("cublas", "cusolver", "cusparse"),
    # otherwise setup.py asks upstream's releases for a wheel, and takes what it finds
    environment={"MAMBA_FORCE_BUILD": "TRUE", "NVCC_THREADS": "1"},
    memory_per_job=4,
    local_version="cu{cuda}torch{torch}",
    # the package itself imports Triton, which looks for a GPU as it starts: the kernels' module does not
    modules=("selective_scan_cuda",),
    smoke_test="""\
import torch
import selective_scan_cuda

torch.manual_seed(7)
batch, dim, length, state = 2, 8, 64, 16
u, delta = torch.randn(batch, dim, length), torch.rand(batch, dim, length)
a, b, c = -torch.rand(dim, state), torch.randn(batch, 1, state, length), torch.randn(batch, 1, state, length)
if torch.cuda.is_available():
    x, expected = torch.zeros(batch, dim, state), []
    for t in range(length):
        x = torch.exp(delta[:, :, t, None] * a) * x + (delta * u)[:, :, t, None] * b[:, :, :, t]
        expected.append((x * c[:, :, :, t]).sum(-1))
    found, *_ = selective_scan_cuda.fwd(*(each.cuda() for each in (u, delta, a, b, c)), None, None, None, False)
    assert torch.allclose(found.cpu(), torch.stack(expected, -1), atol=1e-3)
else:
    try:
        selective_scan_cuda.fwd(u, delta, a, b, c, None, None, None, False)
    except (NotImplementedError, RuntimeError) as error:
        assert "cuda" in str(error).lower(), error
    else:
        raise AssertionError("a tensor on the CPU was taken")
""",
)
