"""torch-scatter: reductions of scattered values by index (sum, mean, min, max), on CPU and GPU."""

from __future__ import annotations

from workbench.recipe import Recipe, Sdist

recipe = Recipe(
    name="torch-scatter",
    version="2.1.2",
    description="Scatter and segment reductions for PyTorch, on CPU and GPU.",
    upstream="https://github.com/rusty1s/pytorch_scatter",
    license="MIT",
    source=Sdist(sha256="69b3aa435f2424ac6a1bfb6ff702da6eb73b33ca0db38fb26989c74159258e47"),
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
import torch_scatter

torch.manual_seed(7)
source, index = torch.randn(1000, 8), torch.randint(0, 50, (1000,))
groups = [source[index == i] for i in range(50)]
order = index.argsort()
ends = torch.cat([torch.zeros(1, dtype=torch.long), torch.bincount(index, minlength=50).cumsum(0)])
for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
    x, i, rows, pointers = (each.to(device) for each in (source, index, source[order], ends))
    for reduce, of in (("sum", lambda g: g.sum(0)), ("mean", lambda g: g.mean(0)), ("max", lambda g: g.amax(0))):
        expected = torch.stack([of(group) for group in groups])
        found = torch_scatter.scatter(x, i, dim=0, reduce=reduce).cpu()
        assert torch.allclose(found, expected, atol=1e-4), (device, reduce)
        found = torch_scatter.segment_csr(rows, pointers, reduce=reduce).cpu()
        assert torch.allclose(found, expected, atol=1e-4), (device, reduce)
assert torch.ops.torch_scatter.cuda_version() >= 13000, "built with CUDA"
""",
)
