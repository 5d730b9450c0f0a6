"""pycocotools: the COCO data set's masks, run-length encoded, and how detections are scored."""

from __future__ import annotations

from workbench.recipe import Recipe, Sdist

recipe = Recipe(
    name="pycocotools",
    version="2.0.11",
    description="Masks, annotations and evaluation of the COCO data set.",
    upstream="https://github.com/ppwwyyxx/cocoapi",
    license="BSD-2-Clause",
    source=Sdist(sha256="34254d76da85576fcaf5c1f3aa9aae16b8cb15418334ba4283b800796bd1993d"),
    python=">=3.10",
    smoke_test="""\
import numpy as np
from pycocotools import mask
from pycocotools.coco import COCO

random = np.random.default_rng(7)
images = np.asfortranarray((random.random((40, 60, 8)) < 0.3).astype(np.uint8))
encoded = mask.encode(images)
assert (mask.decode(encoded) == images).all()
flat = images.reshape(-1, 8).astype(int)
assert (mask.area(encoded) == flat.sum(0)).all()
both = flat.T @ flat
either = flat.sum(0)[:, None] + flat.sum(0)[None] - both
assert np.allclose(mask.iou(encoded, encoded, [False] * 8), both / either)
assert (mask.toBbox(mask.frPyObjects([[2.0, 3, 12, 3, 12, 9, 2, 9]], 40, 60)) == [[2, 3, 10, 6]]).all()
assert COCO().anns == {}
""",
)
