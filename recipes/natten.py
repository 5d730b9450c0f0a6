"""natten: attention to a neighbourhood, sliding and dilated, in one to three dimensions."""

from __future__ import annotations

from workbench.recipe import Recipe, Sdist

recipe = Recipe(
    name="natten",
    version="0.21.7",
    description="Neighbourhood attention in CUDA, with a PyTorch interface.",
    upstream="https://github.com/SHI-Labs/NATTEN",
    license="MIT",
    source=Sdist(sha256="8417236b74db079b2d23899ec8f77514fb2dc73d4bbd6b346a45b6967fc05ffb"),
    python=">=3.10",
    compute=("cu13*",),
    torch=">=2.11",
    build_requires=("cmake", "ninja"),
    # what torch's own headers include, and curand for natten's fmha/kernel_forward.h
    cuda_libraries=("cublas", "curand", "cusolver", "cusparse"),
    memory_per_job=4,
    local_version="cu{cuda}torch{torch}",
    modules=("natten", "natten.libnatten"),
    smoke_test="""\
import torch
import natten

assert natten.HAS_LIBNATTEN
torch.manual_seed(7)
length, window = 32, 7
q, k, v = (torch.randn(1, length, 2, 32) for _ in range(3))
place = torch.arange(length)
start = (place - window // 2).clamp(0, length - window)
outside = (place[None] < start[:, None]) | (place[None] >= start[:, None] + window)
heads = [each.transpose(1, 2) for each in (q, k, v)]
expected = torch.nn.functional.scaled_dot_product_attention(*heads, attn_mask=~outside).transpose(1, 2)
if torch.cuda.is_available():
    found = natten.na1d(*(each.half().cuda() for each in (q, k, v)), kernel_size=window)
    assert torch.allclose(found.float().cpu(), expected, atol=1e-2)
else:
    try:
        natten.na1d(q, k, v, kernel_size=window, backend="cutlass-fna")
    except (NotImplementedError, RuntimeError, ValueError) as error:
        assert "cutlass" in str(error).lower() or "cuda" in str(error).lower(), error
    else:
        raise AssertionError("a tensor on the CPU was taken")
""",
)
