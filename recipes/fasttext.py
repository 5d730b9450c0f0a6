"""fasttext: text classifiers and word vectors that take little time to train."""

from __future__ import annotations

from workbench.recipe import Recipe, Sdist

recipe = Recipe(
    name="fasttext",
    version="0.9.3",
    description="Learns text classifiers and word vectors with subword information, quickly and on the CPU.",
    upstream="https://github.com/facebookresearch/fastText",
    license="MIT",
    source=Sdist(sha256="eb03f2ef6340c6ac9e4398a30026f05471da99381b307aafe2f56e4cd26baaef"),
    python=">=3.10",
    modules=("fasttext", "fasttext_pybind"),
    smoke_test="""\
import random
from pathlib import Path
import fasttext

random.seed(7)
topics = {"sea": ["wave", "ship", "salt", "tide"], "wood": ["tree", "leaf", "moss", "bark"]}
lines = [f"__label__{each} {' '.join(random.choices(topics[each], k=5))}" for each in topics for _ in range(200)]
random.shuffle(lines)
Path("train.txt").write_text("\\n".join(lines))
model = fasttext.train_supervised("train.txt", dim=8, epoch=10, thread=1, verbose=0)
assert model.test("train.txt")[0] == 400 and model.test("train.txt")[1] > 0.99
model.save_model("model.bin")
loaded = fasttext.load_model("model.bin")
for label, words in topics.items():
    (found,), (probability,) = loaded.predict(" ".join(words))
    assert found == f"__label__{label}" and probability > 0.9, (found, probability)
assert loaded.get_word_vector("wave").shape == (8,)
""",
)
