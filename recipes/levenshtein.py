"""levenshtein: edit distances between strings, and what follows from them."""

from __future__ import annotations

from workbench.recipe import Recipe, Sdist

recipe = Recipe(
    name="levenshtein",
    version="0.27.5",
    description="Fast edit distances, edit operations and similarity of strings.",
    upstream="https://github.com/rapidfuzz/Levenshtein",
    license="GPL-2.0-or-later",
    source=Sdist(sha256="22021caf5867a46fae5ab927bbdcb430599d7e5ee3898449cbbe430ff07b7d08"),
    python=">=3.11",
    modules=("Levenshtein",),
    smoke_test="""\
import random
import Levenshtein

def distance(a, b):
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    return row[-1]

random.seed(7)
words = ["".join(random.choices("abcä", k=random.randrange(12))) for _ in range(40)]
for a in words:
    for b in words:
        assert Levenshtein.distance(a, b) == distance(a, b), (a, b)
        assert Levenshtein.apply_edit(Levenshtein.editops(a, b), a, b) == b, (a, b)
assert Levenshtein.median(["spam", "spm", "spaam"]) == "spam"
""",
)
