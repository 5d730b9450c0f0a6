"""annoy: nearest-neighbour search in random-projection trees, in files that processes share."""

from __future__ import annotations

from workbench.recipe import Recipe, Sdist

recipe = Recipe(
    name="annoy",
    version="1.17.3",
    description="Approximate nearest neighbours in memory-mapped files that many processes share.",
    upstream="https://github.com/spotify/annoy",
    license="Apache-2.0",
    source=Sdist(sha256="9cbfebefe0a5f843eba29c6be4c84d601f4f41ad4ded0486f1b88c3b07739c15"),
    python=">=3.10",
    smoke_test="""\
import random
import tempfile
from pathlib import Path

from annoy import AnnoyIndex

random.seed(7)
points = [[random.gauss(0, 1) for _ in range(16)] for _ in range(500)]
index = AnnoyIndex(16, "euclidean")
index.set_seed(7)
for i, point in enumerate(points):
    index.add_item(i, point)
index.build(20)

with tempfile.TemporaryDirectory() as folder:
    path = str(Path(folder) / "points.ann")
    index.save(path)
    loaded = AnnoyIndex(16, "euclidean")
    loaded.load(path)
    found = 0
    for i in range(50):
        labels, distances = loaded.get_nns_by_item(i, 5, search_k=5000, include_distances=True)
        exact = {j: sum((a - b) ** 2 for a, b in zip(points[i], points[j])) ** 0.5 for j in range(500)}
        found += len(set(labels) & set(sorted(exact, key=exact.get)[:5]))
        assert labels[0] == i, "a point is its own nearest neighbour"
        assert all(abs(exact[j] - distance) < 1e-4 for j, distance in zip(labels, distances))
    loaded.unload()
assert found > 0.95 * 250, f"{found} of 250 neighbours found"
""",
)
