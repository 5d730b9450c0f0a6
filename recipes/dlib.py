"""dlib: machine learning and image processing in C++, with Python bindings."""

from __future__ import annotations

from workbench.recipe import Recipe, Sdist

recipe = Recipe(
    name="dlib",
    version="20.0.1",
    description="Machine learning, optimisation and image processing, with face and landmark detectors.",
    upstream="https://github.com/davisking/dlib",
    license="BSL-1.0",
    source=Sdist(sha256="7cb2a09467de032332c743bc967007f016598c66c9c9ebc54a5b66d3d9e46d54"),
    python=">=3.10",
    # what CMake finds on the build machine would be linked: only what the source has counts
    environment={
        "DLIB_NO_GUI_SUPPORT": "ON",
        "DLIB_USE_CUDA": "OFF",
        "DLIB_USE_BLAS": "OFF",
        "DLIB_USE_LAPACK": "OFF",
        "DLIB_JPEG_SUPPORT": "OFF",
        "DLIB_PNG_SUPPORT": "OFF",
        "DLIB_GIF_SUPPORT": "OFF",
        "DLIB_WEBP_SUPPORT": "OFF",
        "DLIB_JXL_SUPPORT": "OFF",
        "DLIB_LINK_WITH_SQLITE3": "OFF",
    },
    modules=("dlib", "_dlib_pybind11"),
    test_requires=("numpy",),
    smoke_test="""\
import itertools
import dlib
import numpy as np

costs = np.random.default_rng(7).integers(0, 100, (6, 6))
found = dlib.max_cost_assignment(dlib.matrix(costs.tolist()))
best = max(sum(costs[i, j] for i, j in enumerate(order)) for order in itertools.permutations(range(6)))
assert sum(costs[i, j] for i, j in enumerate(found)) == best

place, value = dlib.find_min_global(lambda x, y: (x - 1) ** 2 + (y + 2) ** 2, [-5, -5], [5, 5], 60)
assert value < 1e-3 and abs(place[0] - 1) < 0.1 and abs(place[1] + 2) < 0.1, place

trainer, samples, labels = dlib.svm_c_trainer_linear(), dlib.vectors(), dlib.array()
for x, y in itertools.product((-2.0, -1.0, 1.0, 2.0), repeat=2):
    samples.append(dlib.vector([x, y]))
    labels.append(1 if x > 0 else -1)
classify = trainer.train(samples, labels)
assert all(classify(each) * label > 0 for each, label in zip(samples, labels))
assert len(dlib.get_frontal_face_detector()(np.zeros((100, 100), np.uint8))) == 0
""",
)
