"""sentencepiece: text cut into the pieces that language models work on, and put together again."""

from __future__ import annotations

from workbench.recipe import Recipe, Sdist

recipe = Recipe(
    name="sentencepiece",
    # the last one whose sdist has all that it compiles: from 0.2.2 on CMake downloads Abseil and protobuf
    version="0.2.1",
    description="Unsupervised tokenizer for neural networks: trains, encodes and decodes subword models.",
    upstream="https://github.com/google/sentencepiece",
    license="Apache-2.0",
    source=Sdist(sha256="8138cec27c2f2282f4a34d9a016e3374cd40e5c6e9cb335063db66a0a3b71fad"),
    python=">=3.10",
    build_requires=("cmake",),
    smoke_test="""\
import io
import random
import sentencepiece

random.seed(7)
words = ["der", "quick", "brown", "fuchs", "springt", "über", "the", "lazy", "Hund", "日本語"]
lines = [" ".join(random.choices(words, k=8)) for _ in range(500)]
for kind in ("unigram", "bpe"):
    model = io.BytesIO()
    facts = {"vocab_size": 45, "character_coverage": 1.0, "model_type": kind, "minloglevel": 2}
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(lines), model_writer=model, **facts)
    tokens = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    assert tokens.get_piece_size() == 45
    for line in lines[:50]:
        pieces, numbers = tokens.encode(line, out_type=str), tokens.encode(line)
        assert "".join(pieces).replace("\\u2581", " ").strip() == line, pieces
        assert tokens.decode(numbers) == line
        assert [tokens.id_to_piece(number) for number in numbers] == pieces
""",
)
