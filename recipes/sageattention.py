"""sageattention: attention with 8-bit products, on the GPU."""

from __future__ import annotations

from workbench.recipe import Git, Recipe

recipe = Recipe(
    name="sageattention",
    version="2.2.0",
    description="SageAttention: quantised attention in CUDA, in place of PyTorch's, without training.",
    upstream="https://github.com/thu-ml/SageAttention",
    license="Apache-2.0",
    # its sdists on the package index are of 1.x, which is Triton alone
    source=Git(
        url="https://github.com/thu-ml/SageAttention",
        tag="v2.2.0",
        commit="eb615cf6cf4d221338033340ee2de1c37fbdba4a",
    ),
    python=">=3.10",
    compute=("cu13*",),
    torch=">=2.11",
    build_requires=("ninja",),
    # what torch's own headers include
    cuda_libraries=("cublas", "cusolver", "cusparse"),
    # its extensions are compiled beside each other, each with MAX_JOBS compilers, unless this says otherwise
    environment={"EXT_PARALLEL": "1", "NVCC_THREADS": "1"},
    memory_per_job=4,
    local_version="cu{cuda}torch{torch}",
    modules=(
        "sageattention",
        "sageattention._fused",
        "sageattention._qattn_sm80",
        "sageattention._qattn_sm89",
    ),
    smoke_test="""\
import torch
from sageattention import sageattn_qk_int8_pv_fp16_cuda

torch.manual_seed(7)
q, k, v = (torch.randn(2, 4, 128, 64).half() for _ in range(3))
if torch.cuda.is_available():
    found = sageattn_qk_int8_pv_fp16_cuda(q.cuda(), k.cuda(), v.cuda()).float().cpu()
    expected = torch.nn.functional.scaled_dot_product_attention(q.float(), k.float(), v.float())
    assert torch.nn.functional.cosine_similarity(found.flatten(), expected.flatten(), dim=0) > 0.99
else:
    try:
        sageattn_qk_int8_pv_fp16_cuda(q, k, v)
    except (AssertionError, NotImplementedError, RuntimeError) as error:
        assert "cuda" in str(error).lower(), error
    else:
        raise AssertionError("a tensor on the CPU was taken")
""",
)
