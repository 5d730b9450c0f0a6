"""xatlas: texture coordinates for triangle meshes."""

from __future__ import annotations

from workbench.recipe import Recipe, Sdist

recipe = Recipe(
    name="xatlas",
    version="0.0.11",
    description="Texture coordinates for triangle meshes: unwraps them into charts and packs an atlas.",
    upstream="https://github.com/mworchel/xatlas-python",
    license="MIT",
    source=Sdist(sha256="72f0bc6c42c19252be87e947d9dfe251c8d6c6943fd43e3d173ddc6b1afad693"),
    python=">=3.10",
    smoke_test="""\
import numpy as np
import xatlas

corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], dtype=np.float32)
quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
faces = np.array([t for a, b, c, d in quads for t in ((a, b, c), (a, c, d))], dtype=np.uint32)

vertices, indices, uvs = xatlas.parametrize(corners, faces)
assert (vertices[indices] == faces).all(), "the cube is still the same cube"
assert uvs.shape == (len(vertices), 2)
assert uvs.min() >= 0 and uvs.max() <= 1

a, b, c = (uvs[indices[:, i]] for i in range(3))
u, v = b - a, c - a
areas = np.abs(u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]) / 2
assert areas.min() > 0, "every triangle has its place in the atlas"
assert np.allclose(areas, areas.mean(), rtol=0.05), "equal triangles get equal places"

atlas = xatlas.Atlas()
atlas.add_mesh(corners, faces)
atlas.generate()
assert atlas.mesh_count == 1 and 0 < atlas.utilization <= 1
""",
    test_requires=("numpy",),
)
