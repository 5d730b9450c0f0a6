"""flash-attn: exact attention in tiles that fit into the GPU's fast memory."""

from __future__ import annotations

from workbench.recipe import Recipe, Sdist, when

recipe = Recipe(
    name="flash-attn",
    version="2.8.3.post2",
    description="FlashAttention: fast and memory-efficient exact attention in CUDA, with a PyTorch interface.",
    upstream="https://github.com/Dao-AILab/flash-attention",
    license="BSD-3-Clause",
    source=Sdist(sha256="d0f9f0b08a986cdeadbffcf5ec8b3a8f514366c68ad1853d3ab061bc83cc340b"),
    python=">=3.10",
    compute=("cu13*",),
    torch=">=2.11",
    # kernels for one head dimension (rounded up): a sixth of the time
    variants=("hdim64", "hdim128"),
    build_requires=("ninja", "psutil"),
    # what torch's own headers include
    cuda_libraries=("cublas", "cusolver", "cusparse"),
    environment={
        # otherwise setup.py asks upstream's releases for a wheel, and takes what it finds
        "FLASH_ATTENTION_FORCE_BUILD": "TRUE",
        "FLASH_ATTENTION_HEADDIM": (when("64", variant="hdim64"), when("128", variant="hdim128")),
        "NVCC_THREADS": "1",
    },
    memory_per_job=4,
    local_version="cu{cuda}torch{torch}.{variant}",
    modules=("flash_attn", "flash_attn_2_cuda"),
    smoke_test="""\
import torch
from flash_attn import flash_attn_func

torch.manual_seed(7)
q, k, v = (torch.randn(2, 33, 4, dimension).half() for dimension in (128, 128, 128))
if torch.cuda.is_available():
    for dimension in (64, 128):
        q, k, v = (torch.randn(2, 33, 4, dimension).half().cuda() for _ in range(3))
        for causal in (False, True):
            try:
                found = flash_attn_func(q, k, v, causal=causal)
            except RuntimeError as error:  # a variant has kernels for one dimension
                assert f"no kernels for head dimension {dimension}" in str(error), error
                continue
            heads = (each.float().transpose(1, 2) for each in (q, k, v))
            expected = torch.nn.functional.scaled_dot_product_attention(*heads, is_causal=causal)
            assert torch.allclose(found.float(), expected.transpose(1, 2), atol=1e-2)
else:
    try:
        flash_attn_func(q, k, v)
    except (NotImplementedError, RuntimeError) as error:
        assert "cuda" in str(error).lower() or "nvidia" in str(error).lower(), error
    else:
        raise AssertionError("a tensor on the CPU was taken")
""",
)
