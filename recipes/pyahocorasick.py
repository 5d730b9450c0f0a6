"""pyahocorasick: many words searched for at once in a text."""

from __future__ import annotations

from workbench.recipe import Recipe, Sdist

recipe = Recipe(
    name="pyahocorasick",
    version="2.3.1",
    description="Searches a text for many words at once with an Aho-Corasick automaton; also a trie.",
    upstream="https://github.com/WojciechMula/pyahocorasick",
    license="BSD-3-Clause AND LicenseRef-Public-Domain",
    source=Sdist(sha256="9d0f6bb522237ed7f111ed59c9e8baea7d1e75813587b6773babd43bda35db9f"),
    python=">=3.10",
    modules=("ahocorasick",),
    smoke_test="""\
import pickle
import random
import ahocorasick

random.seed(7)
text = "".join(random.choices("abö", k=2000))
words = {text[i : i + random.randrange(1, 6)] for i in random.sample(range(1990), 60)} | {"absent" * 2}
automaton = ahocorasick.Automaton()
for word in words:
    automaton.add_word(word, word)
automaton.make_automaton()
expected = {(i, word) for word in words for i in range(len(text)) if text.startswith(word, i)}
for each in (automaton, pickle.loads(pickle.dumps(automaton))):
    assert {(end - len(word) + 1, word) for end, word in each.iter(text)} == expected
assert "absent" not in automaton and automaton.match("absent")
""",
)
