"""hnswlib: nearest-neighbour search in graphs. Upstream publishes no wheels at all."""

from __future__ import annotations

from workbench.recipe import Recipe, Sdist

recipe = Recipe(
    name="hnswlib",
    version="0.8.0",
    description="Fast approximate nearest-neighbour search with hierarchical navigable small-world graphs.",
    upstream="https://github.com/nmslib/hnswlib",
    license="Apache-2.0",
    source=Sdist(sha256="cb6d037eedebb34a7134e7dc78966441dfd04c9cf5ee93911be911ced951c44c"),
    python=">=3.10",
    smoke_test="""\
import hnswlib
import numpy as np

points = np.random.default_rng(7).random((500, 16), dtype=np.float32)
index = hnswlib.Index(space="l2", dim=16)
index.init_index(max_elements=len(points), ef_construction=100, M=16, random_seed=7)
index.add_items(points)
index.set_ef(200)

labels, distances = index.knn_query(points[:100], k=5)
exact = ((points[:100, None] - points[None]) ** 2).sum(axis=2)
nearest = np.argsort(exact, axis=1)[:, :5]
recall = np.mean([len(set(a) & set(b)) / 5 for a, b in zip(labels, nearest)])
assert recall > 0.95, f"recall {recall}"
assert (labels[:, 0] == np.arange(100)).all(), "a point is its own nearest neighbour"
assert np.allclose(distances, np.take_along_axis(exact, labels.astype(int), axis=1), atol=1e-5)
""",
)
