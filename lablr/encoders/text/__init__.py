"""Texts as points: two that mean much the same lie close together.

`SentenceEncoder` is a sentence transformer (MiniLM) that reads whole phrases;
`WordVectors` are GloVe's, from a file, one vector a word. Both have the same
``embed(texts) -> (N, n_dimensions)`` float32 of unit rows, so that the inner product
of two rows is their cosine, and a ``digest`` that names the model: embeddings of two
models must never meet.
"""

from lablr.encoders.text.given import MAX_CHARACTERS, MAX_TEXTS, TextModel
from lablr.encoders.text.sentences import SentenceEncoder
from lablr.encoders.text.word_vectors import WordVectors

__all__ = ["MAX_CHARACTERS", "MAX_TEXTS", "SentenceEncoder", "TextModel", "WordVectors"]
