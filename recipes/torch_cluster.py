"""torch-cluster: neighbours, sampling and clusters of points and graphs, on CPU and GPU."""

from __future__ import annotations

from workbench.recipe import Recipe, Sdist

recipe = Recipe(
    name="torch-cluster",
    version="1.6.3",
    description="Graph clustering, nearest neighbours and sampling for PyTorch, on CPU and GPU.",
    upstream="https://github.com/rusty1s/pytorch_cluster",
    license="MIT",
    source=Sdist(sha256="78d5a930a5bbd0d8788df8c6d66addd68d6dd292fe3edb401e3dacba26308152"),
    python=">=3.10",
    compute=("cu13*",),
    torch=">=2.11",
    build_requires=("ninja",),
    # its own, and what torch's headers include
    cuda_libraries=("cublas", "curand", "cusolver", "cusparse"),
    # the libraries with CUDA have the CPU's code as well: upstream's others would never be loaded
    environment={"FORCE_ONLY_CUDA": "1"},
    memory_per_job=4,
    local_version="cu{cuda}torch{torch}",
    smoke_test="""\
import torch
import torch_cluster

torch.manual_seed(7)
x, y = torch.randn(300, 3), torch.randn(40, 3)
distances = torch.cdist(y, x)
for device in ("cpu", "cuda") if torch.cuda.is_available() else ("cpu",):
    a, b = x.to(device), y.to(device)
    row, col = torch_cluster.knn(a, b, 5).cpu()
    nearest = {(i, int(j)) for i in range(40) for j in distances[i].argsort()[:5]}
    assert set(zip(row.tolist(), col.tolist())) == nearest, device
    row, col = torch_cluster.radius(a, b, 0.5, max_num_neighbors=300).cpu()
    inside = {(int(i), int(j)) for i, j in (distances < 0.5).nonzero()}
    assert set(zip(row.tolist(), col.tolist())) == inside, device
    chosen = torch_cluster.fps(a, ratio=0.1, random_start=False).cpu().tolist()
    expected = [0]
    while len(expected) < 30:
        expected.append(int(torch.cdist(x, x[expected]).amin(1).argmax()))
    assert chosen == expected, device
    cells = torch_cluster.grid_cluster(a, torch.full((3,), 0.5, device=device)).cpu()
    assert len(cells.unique()) == len(((x - x.amin(0)) / 0.5).floor().unique(dim=0)), device
assert torch.ops.torch_cluster.cuda_version() >= 13000, "built with CUDA"
""",
)
