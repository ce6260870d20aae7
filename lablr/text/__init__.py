"""Texts as points: two that mean much the same lie close together.

`SentenceEncoder` is a sentence transformer (MiniLM) that reads whole phrases;
`WordVectors` are GloVe's, from a file, one vector a word. Both have the same
``embed(texts) -> (N, n_dimensions)`` float32 of unit rows, so that the inner product
of two rows is their cosine, and a ``digest`` that names the model: embeddings of two
models must never meet.
"""

from lablr.text.given import MAX_CHARACTERS, MAX_TEXTS
from lablr.text.sentences import SentenceEncoder
from lablr.text.word_vectors import WordVectors

__all__ = ["MAX_CHARACTERS", "MAX_TEXTS", "SentenceEncoder", "WordVectors"]
