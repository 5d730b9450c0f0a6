"""deepspeed: training of large models. What is not compiled here, the user's machine compiles at its first use."""

from __future__ import annotations

from workbench.recipe import Recipe, Sdist

recipe = Recipe(
    name="deepspeed",
    version="0.19.8",
    description="Training and inference of large models; the fused Adam and LAMB optimisers are compiled ahead.",
    upstream="https://github.com/deepspeedai/DeepSpeed",
    license="Apache-2.0",
    source=Sdist(sha256="9e491abd0827ea5c389dd702e15e11e13d83d904bac4a20d6c2a4cb37207a9af"),
    python=">=3.10",
    compute=("cu13*",),
    torch=">=2.11",
    # the project's own requirements: its metadata is prepared without them, a build without them was not finished
    build_requires=(
        "ninja",
        "einops",
        "hjson",
        "msgpack",
        "numpy",
        "packaging",
        "psutil",
        "py-cpuinfo",
        "pydantic",
        "tqdm",
    ),
    # what torch's own headers include
    cuda_libraries=("cublas", "cusolver", "cusparse"),
    environment={
        # otherwise a machine without a GPU has the CPU's kernels alone
        "DS_ACCELERATOR": "cuda",
        "DS_BUILD_OPS": "0",
        "DS_BUILD_FUSED_ADAM": "1",
        "DS_BUILD_FUSED_LAMB": "1",
        "DS_ENABLE_NINJA": "1",
    },
    memory_per_job=4,
    local_version="cu{cuda}torch{torch}",
    modules=("deepspeed.ops.adam.fused_adam_op", "deepspeed.ops.lamb.fused_lamb_op"),
    smoke_test="""\
import torch
from importlib.util import module_from_spec, spec_from_file_location
from importlib.metadata import files

def loaded(name):
    (file,) = (each for each in files("deepspeed") if each.name.startswith(name) and each.suffix == ".so")
    spec = spec_from_file_location(name, file.locate())
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

adam, lamb = loaded("fused_adam_op"), loaded("fused_lamb_op")
assert callable(lamb.lamb)
torch.manual_seed(7)
weights, gradients = [torch.randn(5, 7), torch.randn(300)], [torch.randn(5, 7), torch.randn(300)]

def stepped(device):
    lists = [[each.to(device).clone() for each in group] for group in (gradients, weights)]
    lists += [[torch.zeros_like(each) for each in lists[0]] for _ in range(2)]
    flag = torch.zeros(1, dtype=torch.int, device=device)
    adam.multi_tensor_adam(65536, flag, lists, 1e-2, 0.9, 0.999, 1e-8, 1, 1, 1, 0.1)
    return lists[1]

if torch.cuda.is_available():
    expected = [each.clone().requires_grad_() for each in weights]
    for each, gradient in zip(expected, gradients):
        each.grad = gradient
    torch.optim.AdamW(expected, lr=1e-2, weight_decay=0.1).step()
    for a, b in zip(stepped("cuda"), expected):
        assert torch.allclose(a.cpu(), b.detach(), atol=1e-5)
else:
    try:
        stepped("cpu")
    except (NotImplementedError, RuntimeError) as error:
        assert "cuda" in str(error).lower(), error
    else:
        raise AssertionError("a tensor on the CPU was taken")
""",
)
