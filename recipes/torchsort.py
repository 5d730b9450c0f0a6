"""torchsort: sorting and ranking that gradients pass through, on CPU and GPU."""

from __future__ import annotations

from workbench.recipe import Recipe, Sdist

recipe = Recipe(
    name="torchsort",
    version="0.1.10",
    description="Differentiable sorting and ranking for PyTorch, on CPU and GPU.",
    upstream="https://github.com/teddykoker/torchsort",
    license="Apache-2.0",
    source=Sdist(sha256="416a7dd2ab88332b27e98318d7fb2e0243b9fb6f1fffcf77760d63103d70dd04"),
    python=">=3.10",
    compute=("cu13*",),
    torch=">=2.11",
    build_requires=("ninja",),
    # what torch's own headers include
    cuda_libraries=("cublas", "cusolver", "cusparse"),
    memory_per_job=4,
    local_version="cu{cuda}torch{torch}",
    modules=("torchsort", "torchsort.isotonic_cpu", "torchsort.isotonic_cuda"),
    smoke_test="""\
import torch
import torchsort
import torchsort.isotonic_cuda

torch.manual_seed(7)
values = torch.stack([torch.randperm(40) / 10 for _ in range(3)])
for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
    x = values.to(device).requires_grad_()
    ordered = torchsort.soft_sort(x, regularization_strength=0.05)
    assert torch.allclose(ordered.cpu(), values.sort().values, atol=1e-3), device
    ranks = torchsort.soft_rank(x, regularization_strength=0.05)
    assert torch.allclose(ranks.cpu(), values.argsort().argsort() + 1.0, atol=1e-3), device
    ordered[:, 0].sum().backward()
    assert torch.allclose(x.grad.sum(), torch.tensor(3.0, device=device), atol=1e-3), device
""",
)
