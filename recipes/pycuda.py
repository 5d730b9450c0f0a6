"""pycuda: CUDA's driver interface from Python; kernels are compiled by the nvcc of the machine that runs it."""

from __future__ import annotations

from workbench.recipe import Recipe, Sdist

recipe = Recipe(
    name="pycuda",
    version="2026.1",
    description="CUDA's driver interface, arrays on the GPU and kernels compiled at run time.",
    upstream="https://github.com/inducer/pycuda",
    license="MIT",
    source=Sdist(sha256="759516160628ba06f32ce7e563e3f5b9214691dc9528a03ea99ea1073f4e14ba"),
    python=">=3.10",
    compute=("cu13*",),
    cuda_libraries=("curand",),
    # otherwise setup.py waits ten seconds for somebody to stop it
    before_build=("python configure.py",),
    local_version="cu{cuda}",
    modules=("pycuda", "pycuda._pvt_struct"),
    smoke_test="""\
import struct
import numpy as np
from pycuda._pvt_struct import calcsize, pack, unpack

values = (7, -1.5, 3 + 4j)
packed = pack("ifF", *values)
assert packed == struct.pack("ifff", 7, -1.5, 3, 4) and len(packed) == calcsize("ifF")
assert unpack("ifF", packed) == values

try:
    import pycuda.driver as driver
except ImportError as error:  # the driver's library comes with the driver
    assert "libcuda.so.1" in str(error) or "libcurand" in str(error), error
else:
    driver.init()
    with driver.Device(0).make_context() as context:
        numbers = np.random.default_rng(7).random(1000, dtype=np.float32)
        there = driver.mem_alloc(numbers.nbytes)
        driver.memcpy_htod(there, numbers)
        assert (driver.from_device_like(there, numbers) == numbers).all()
        context.pop()
""",
)
