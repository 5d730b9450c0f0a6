"""torch-spline-conv: convolution on graphs with B-spline kernels, on CPU and GPU."""

from __future__ import annotations

from workbench.recipe import Recipe, Sdist

recipe = Recipe(
    name="torch-spline-conv",
    version="1.2.2",
    description="Graph convolution with B-spline kernels for PyTorch, on CPU and GPU.",
    upstream="https://github.com/rusty1s/pytorch_spline_conv",
    license="MIT",
    source=Sdist(sha256="ed45a81da29f774665dbdd4709d7e534cdf16d2e7006dbd06957f35bd09661b2"),
    python=">=3.10",
    compute=("cu13*",),
    torch=">=2.11",
    build_requires=("ninja",),
    # what torch's own headers include
    cuda_libraries=("cublas", "cusolver", "cusparse"),
    # the libraries with CUDA have the CPU's code as well: upstream's others would never be loaded
    environment={"FORCE_ONLY_CUDA": "1"},
    memory_per_job=4,
    local_version="cu{cuda}torch{torch}",
    smoke_test="""\
import torch
import torch_spline_conv

torch.manual_seed(7)
edges, knots, width = 200, 5, 4
place, x, weight = torch.rand(edges, 1), torch.randn(edges, width), torch.randn(knots, width, 3)
hats = (1 - (place * (knots - 1) - torch.arange(knots)).abs()).clamp(min=0)
expected = torch.einsum("ek,ei,kio->eo", hats, x, weight)
for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
    size, is_open = torch.tensor([knots], device=device), torch.tensor([1], dtype=torch.uint8, device=device)
    basis, index = torch_spline_conv.spline_basis(place.to(device), size, is_open, 1)
    dense = torch.zeros(edges, knots, device=device).scatter_add_(1, index, basis)
    assert torch.allclose(dense.cpu(), hats, atol=1e-5), device
    found = torch_spline_conv.spline_weighting(x.to(device), weight.to(device), basis, index)
    assert torch.allclose(found.cpu(), expected, atol=1e-4), device
assert torch.ops.torch_spline_conv.cuda_version() >= 13000, "built with CUDA"
""",
)
