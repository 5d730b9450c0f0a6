"""diso: meshes out of signed distance fields, differentiable, on the GPU."""

from __future__ import annotations

from workbench.recipe import Recipe, Sdist

recipe = Recipe(
    name="diso",
    version="0.1.4",
    description="Differentiable marching cubes, also dual, in CUDA, with a PyTorch interface.",
    upstream="https://github.com/SarahWeiii/diso",
    license="CC-BY-NC-4.0",
    source=Sdist(sha256="2ada1c21b84f72fdcec6abc3c4e09200824a7cc9d5de9623a28052e8b1f22c95"),
    python=">=3.10",
    compute=("cu13*",),
    torch=">=2.11",
    build_requires=("ninja",),
    # what torch's own headers include
    cuda_libraries=("cublas", "cusolver", "cusparse"),
    # otherwise a machine without a GPU gets a module without kernels
    environment={"FORCE_CUDA": "1"},
    memory_per_job=4,
    local_version="cu{cuda}torch{torch}",
    smoke_test="""\
import math
import torch
from diso import DiffDMC, DiffMC

line = torch.linspace(-1, 1, 32)
distance = torch.stack(torch.meshgrid(line, line, line, indexing="ij")).norm(dim=0) - 0.6
for kind in (DiffMC, DiffDMC):
    if torch.cuda.is_available():
        corners, faces = (each.cpu() for each in kind()(distance.cuda()))
        corners = corners * 2 - 1
        assert (corners.norm(dim=1) - 0.6).abs().max() < 0.02, "a corner is off the sphere"
        a, b, c = corners[faces].unbind(1)
        volume = (a * torch.linalg.cross(b, c)).sum().abs() / 6
        assert abs(volume / (4 / 3 * math.pi * 0.6**3) - 1) < 0.03, f"volume {volume}"
        assert len(corners) - len(faces) // 2 == 2, "Euler's formula for a closed surface"
    else:
        try:
            kind()(distance)
        except RuntimeError as error:
            assert "CUDA" in str(error), error
        else:
            raise AssertionError("a tensor on the CPU was taken")
""",
)
