"""nerfacc: what volume rendering of radiance fields spends its time on, as CUDA kernels."""

from __future__ import annotations

from workbench.recipe import Recipe, Sdist

recipe = Recipe(
    name="nerfacc",
    version="0.5.3",
    description="Ray sampling and volume rendering for radiance fields in CUDA, with a PyTorch interface.",
    upstream="https://github.com/nerfstudio-project/nerfacc",
    license="MIT",
    source=Sdist(sha256="01850cbbd71b6aeab059cbfb695755f8b6604f3fdfe48c44925b4b97c0c324db"),
    python=">=3.10",
    compute=("cu13*",),
    torch=">=2.11",
    build_requires=("ninja",),
    # its own, and what torch's headers include
    cuda_libraries=("cublas", "curand", "cusolver", "cusparse"),
    memory_per_job=4,
    local_version="cu{cuda}torch{torch}",
    modules=("nerfacc", "nerfacc.csrc"),
    smoke_test="""\
import torch
import nerfacc
from nerfacc.grid import _ray_aabb_intersect

torch.manual_seed(7)
counts = torch.tensor([3, 0, 5, 8])
starts, values = counts.cumsum(0) - counts, torch.rand(16)
packed = torch.stack([starts, counts], dim=1)
origins, directions = torch.rand(50, 3) * 4 - 2, torch.nn.functional.normalize(torch.randn(50, 3), dim=1)
boxes = torch.tensor([[-1.0, -1, -1, 1, 1, 1], [0, 0, 0, 0.5, 0.5, 0.5]])
if torch.cuda.is_available():
    expected = torch.cat([part.cumsum(0) for part in values.split(counts.tolist())])
    found = nerfacc.inclusive_sum(values.cuda(), packed.cuda()).cpu()
    assert torch.allclose(found, expected, atol=1e-5), (found, expected)
    rays = (origins.cuda(), directions.cuda(), boxes.cuda())
    for a, b in zip(nerfacc.ray_aabb_intersect(*rays), _ray_aabb_intersect(*rays)):
        assert torch.allclose(a.float(), b.float(), atol=1e-4), (a, b)
else:
    try:
        nerfacc.inclusive_sum(values, packed)
    except (NotImplementedError, RuntimeError) as error:
        assert "cuda" in str(error).lower(), error
    else:
        raise AssertionError("a tensor on the CPU was taken")
""",
)
