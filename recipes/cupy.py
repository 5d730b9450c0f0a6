"""cupy: NumPy's and SciPy's interface for arrays on the GPU."""

from __future__ import annotations

from workbench.recipe import Recipe, Sdist

recipe = Recipe(
    name="cupy",
    version="14.2.0",
    description="Arrays on the GPU with the interface of NumPy and SciPy.",
    upstream="https://github.com/cupy/cupy",
    license="MIT",
    source=Sdist(sha256="cfed725e612178cfbdbf62f4a3a598b60edecbbca718c0d4580c21a16ae4a62c"),
    python=">=3.10",
    compute=("cu13*",),
    cuda_libraries=("cublas", "cufft", "curand", "cusolver", "cusparse"),
    # the folder of this machine's toolkit is nobody else's
    environment={"CUPY_INSTALL_NO_RPATH": "1"},
    memory_per_job=4,
    local_version="cu{cuda}",
    smoke_test="""\
import cupy
import numpy as np

x = np.random.default_rng(7).random((64, 64), dtype=np.float32)
if cupy.is_available():
    there = cupy.asarray(x)
    assert np.allclose(cupy.asnumpy(there @ there.T), x @ x.T, atol=1e-3)
    assert (cupy.asnumpy(cupy.sort(there, axis=1)) == np.sort(x, axis=1)).all()
    assert np.allclose(cupy.asnumpy(cupy.fft.fft(there)), np.fft.fft(x), atol=1e-3)
else:
    assert cupy.cuda.runtime.runtimeGetVersion() >= 13000
    try:
        cupy.asarray(x)
    except cupy.cuda.runtime.CUDARuntimeError as error:
        assert "cuda" in str(error).lower(), error
    else:
        raise AssertionError("an array without a GPU")
""",
)
