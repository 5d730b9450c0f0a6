"""lightgbm: gradient boosting with histograms and leaf-wise trees, on the CPU."""

from __future__ import annotations

from workbench.recipe import Recipe, Sdist

recipe = Recipe(
    name="lightgbm",
    version="4.7.0",
    description="Gradient boosting of decision trees: classification, regression and ranking.",
    upstream="https://github.com/lightgbm-org/LightGBM",
    license="MIT",
    source=Sdist(sha256="f8e20f682c9aabd000bcf4a7ed8aa6f473c1adfecccae34ec24e823d156f4af0"),
    python=">=3.10",
    smoke_test="""\
import lightgbm
import numpy as np

random = np.random.default_rng(7)
x = random.random((2000, 4))
y = (x[:, 0] > 0.5) ^ (x[:, 1] > 0.5)
facts = {"objective": "binary", "num_leaves": 7, "verbose": -1, "seed": 7, "num_threads": 1}
model = lightgbm.train(facts, lightgbm.Dataset(x[:1500], y[:1500]), 60)
found = model.predict(x[1500:])
assert ((found > 0.5) == y[1500:]).mean() > 0.97
again = lightgbm.Booster(model_str=model.model_to_string()).predict(x[1500:])
assert np.allclose(found, again)
importance = model.feature_importance("gain")
assert importance[:2].sum() > 10 * importance[2:].sum()
""",
)
