"""torch-sparse: sparse matrices with gradients: products, transposition, sampling, on CPU and GPU."""

from __future__ import annotations

from workbench.recipe import Recipe, Sdist

recipe = Recipe(
    name="torch-sparse",
    version="0.6.18",
    description="Sparse matrix operations with gradients for PyTorch, on CPU and GPU.",
    upstream="https://github.com/rusty1s/pytorch_sparse",
    license="MIT",
    source=Sdist(sha256="2f14c510a6e93f404c6ea357210615b3c15a71731f9dbd86f25434e34fb5a741"),
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
import torch_sparse

torch.manual_seed(7)
dense = torch.randn(60, 40) * (torch.rand(60, 40) < 0.2)
other = torch.randn(40, 8)
for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
    matrix, factor = torch_sparse.SparseTensor.from_dense(dense.to(device)), other.to(device)
    assert torch.allclose(matrix.to_dense().cpu(), dense), device
    assert torch.allclose(matrix.t().to_dense().cpu(), dense.t()), device
    assert torch.allclose(matrix.matmul(factor).cpu(), dense @ other, atol=1e-4), device
    largest = torch.where(dense == 0, float("-inf"), dense).amax(1, keepdim=True).expand(60, 8)
    found = matrix.matmul(torch.ones_like(factor), reduce="max").cpu()
    assert torch.allclose(found, largest, atol=1e-4), device
    row, col, value = matrix.coo()
    product = torch_sparse.spmm(torch.stack([row, col]), value, 60, 40, factor)
    assert torch.allclose(product.cpu(), dense @ other, atol=1e-4), device
assert torch.ops.torch_sparse.cuda_version() >= 13000, "built with CUDA"
""",
)
