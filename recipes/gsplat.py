"""gsplat: Gaussian splatting, the rasterisation of 3D Gaussians, on the GPU."""

from __future__ import annotations

from workbench.recipe import Recipe, Sdist

recipe = Recipe(
    name="gsplat",
    version="1.5.3",
    description="Differentiable rasterisation of 3D Gaussians in CUDA, with a PyTorch interface.",
    upstream="https://github.com/nerfstudio-project/gsplat",
    license="Apache-2.0",
    source=Sdist(sha256="343f080c470e891ba3c697c03bdf0952cb982d1d535fdc24adb23c2cb4fba906"),
    python=">=3.10",
    compute=("cu13*",),
    torch=">=2.11",
    build_requires=("ninja",),
    # what torch's own headers include
    cuda_libraries=("cublas", "cusolver", "cusparse"),
    memory_per_job=4,
    local_version="cu{cuda}torch{torch}",
    modules=("gsplat", "gsplat.csrc"),
    smoke_test="""\
import torch
import gsplat
from gsplat.cuda._torch_impl import _quat_scale_to_covar_preci

torch.manual_seed(7)
quats, scales = torch.randn(100, 4), torch.rand(100, 3) + 0.1
if torch.cuda.is_available():
    found, _ = gsplat.quat_scale_to_covar_preci(quats.cuda(), scales.cuda(), triu=False)
    expected, _ = _quat_scale_to_covar_preci(quats, scales, triu=False)
    assert torch.allclose(found.cpu(), expected, atol=1e-4)
else:
    from gsplat.cuda._backend import _C

    try:
        _C.quat_scale_to_covar_preci_fwd(quats, scales, True, True, False)
    except (NotImplementedError, RuntimeError) as error:
        assert "cuda" in str(error).lower(), error
    else:
        raise AssertionError("a tensor on the CPU was taken")
""",
)
