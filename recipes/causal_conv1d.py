"""causal-conv1d: the causal depthwise convolution in front of Mamba's state-space layers, on the GPU."""

from __future__ import annotations

from workbench.recipe import Recipe, Sdist

recipe = Recipe(
    name="causal-conv1d",
    version="1.7.0",
    description="Causal depthwise 1D convolution in CUDA, with a PyTorch interface.",
    upstream="https://github.com/Dao-AILab/causal-conv1d",
    license="BSD-3-Clause",
    source=Sdist(sha256="3202758494eaa7b597ce1c282dfa188889506bfcb92cad3c407d26736bfcd32b"),
    python=">=3.10",
    compute=("cu13*",),
    torch=">=2.11",
    build_requires=("ninja",),
    # what torch's own headers include
    cuda_libraries=("cublas", "cusolver", "cusparse"),
    # otherwise setup.py asks upstream's releases for a wheel, and takes what it finds
    environment={"CAUSAL_CONV1D_FORCE_BUILD": "TRUE", "NVCC_THREADS": "1"},
    memory_per_job=4,
    local_version="cu{cuda}torch{torch}",
    smoke_test="""\
import torch
from causal_conv1d import causal_conv1d_fn, causal_conv1d_update
from causal_conv1d.causal_conv1d_interface import causal_conv1d_ref, causal_conv1d_update_ref

torch.manual_seed(7)
x, weight, bias, state = (torch.randn(*shape) for shape in ((2, 64, 129), (64, 4), (64,), (2, 64, 4)))
if torch.cuda.is_available():
    x, weight, bias, state = (each.cuda() for each in (x, weight, bias, state))
    for activation in (None, "silu"):
        found = causal_conv1d_fn(x, weight, bias, activation=activation)
        assert torch.allclose(found, causal_conv1d_ref(x, weight, bias, activation=activation), atol=1e-3)
    expected = causal_conv1d_update_ref(x[..., 0], state.clone(), weight, bias)
    assert torch.allclose(causal_conv1d_update(x[..., 0], state, weight, bias), expected, atol=1e-3)
else:
    try:
        causal_conv1d_fn(x, weight, bias)
    except (NotImplementedError, RuntimeError) as error:
        assert "cuda" in str(error).lower(), error
    else:
        raise AssertionError("a tensor on the CPU was taken")
""",
)
