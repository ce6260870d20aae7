"""Answer queries: each term gives every photo a number, and the numbers are added.

A term is a photo (the cosine of the latents), a tag (its log-odds), or other words
(the cosine in the text model's space). Each is standardized over the photos of the
index, so that none drowns the others, then added with its sign::

    s_i = sum_plus z(term, i) - sum_minus z(term, i)

A phrase that is not a tag but consists of tags, such as "beach sunset", is those tags.
The similarity of a single term is not standardized: a probability for a tag, a cosine
for all else.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from lablr.errors import CorpusError, IndexFolderError
from lablr.photos import PhotoSource
from lablr.ranking.methods.stacking import log_odds
from lablr.search.features import FeatureExtractor
from lablr.search.index import Index
from lablr.search.nearest import Graph, largest
from lablr.tags import normalize

Floats = npt.NDArray[np.float64]
MAX_TERMS = 20


@dataclass(frozen=True)
class Query:
    """A photo and words to search for.

    photo : an example; plus, minus : words that should, and should not, fit.
    """

    photo: PhotoSource | None = None
    plus: tuple[str, ...] = ()
    minus: tuple[str, ...] = ()


@dataclass(frozen=True)
class Match:
    """A photo that was found.

    row : in the index; file : in its folder.
    similarity : see the module; higher is nearer.
    tags : the likeliest, for people.
    """

    row: int
    file: str
    similarity: float
    tags: tuple[str, ...]


class Search:
    """Answers queries over an index with the model that made it.

    Raises `IndexFolderError` when another model made it.
    """

    def __init__(self, index: Index, extractor: FeatureExtractor) -> None:
        if index.model != extractor.digest:
            raise IndexFolderError(
                f"{index.folder} was made with another model; run lablr index again"
            )
        self.index = index
        self.extractor = extractor
        self._columns = {tag: column for column, tag in enumerate(index.tags)}

    def find(self, query: Query, k: int = 10) -> list[Match]:
        """Return the `k` photos that fit best (0: all), best first.

        Raises `PhotoError` for a photo that cannot be used, `ValueError` for a query
        of nothing, `RankingError` or `MissingExtra` for words that only a text model
        understands, when there is none, `TextError` for those it cannot read.
        """
        n_terms = (query.photo is not None) + len(query.plus) + len(query.minus)
        if not n_terms:
            raise ValueError("a query needs a photo or a word")
        if n_terms > MAX_TERMS:
            raise ValueError(f"a query has at most {MAX_TERMS} terms")
        if self.index.graph is not None and k and query.photo and n_terms == 1:
            return self._nearest(self.index.graph, query.photo, k)
        terms = self._terms(query)
        if len(terms) == 1 and terms[0][0] > 0:
            similarity = scores = terms[0][1]
        else:
            similarity = scores = sum(
                (sign * _standardized(numbers) for sign, numbers in terms),
                start=np.zeros(len(self.index)),
            )
        if self._is_tag(query):
            similarity = 0.5 * (1 + np.tanh(0.5 * scores))
        rows = largest(scores, k).tolist()
        return [self._match_of(row, float(similarity[row])) for row in rows]

    def _nearest(self, graph: Graph, photo: PhotoSource, k: int) -> list[Match]:
        latent = self._latent(photo)
        rows = graph.nearest(latent, k)
        # The graph's own numbers are of half precision.
        cosines = self.index.features.latents[rows] @ latent
        order = np.argsort(-cosines, kind="stable")
        return [self._match_of(int(rows[i]), float(cosines[i])) for i in order]

    def _terms(self, query: Query) -> list[tuple[int, Floats]]:
        terms: list[tuple[int, Floats]] = []
        if query.photo is not None:
            latents = self.index.features.latents
            cosines = latents @ self._latent(query.photo)
            terms.append((1, np.asarray(cosines, np.float64)))
        for sign, words in ((1, query.plus), (-1, query.minus)):
            terms += [(sign, self._scores_of_word(w)) for w in self._split(words)]
        return terms

    def _split(self, words: tuple[str, ...]) -> list[str]:
        """Split phrases that consist of tags into these."""
        found: list[str] = []
        for word in words:
            parts = word.split()
            are_tags = all(_normalized(part) in self._columns for part in parts)
            whole = _normalized(word) in self._columns or not are_tags
            found += [word] if whole else parts
        return found

    def _latent(self, photo: PhotoSource) -> npt.NDArray[np.float32]:
        image = self.extractor.tagger.read(photo)
        encoded = self.extractor.tagger.encode(image[np.newaxis])
        (latent,) = self.extractor.unit_latents(encoded)
        return np.asarray(latent, np.float32)

    def _scores_of_word(self, word: str) -> Floats:
        column = self._columns.get(_normalized(word))
        if column is not None:
            probability = self.index.features.probabilities[:, column].astype(float)
            # Half precision has no probability between 0 and 6e-8.
            return log_odds(np.clip(probability, 1e-7, 1 - 1e-4))
        (vector,) = self.extractor.text_vectors([word])
        return np.asarray(self._semantic @ vector.astype(np.float32), np.float64)

    @cached_property
    def _semantic(self) -> npt.NDArray[np.float32]:
        """Return the semantic vectors in float32, which is quicker to multiply."""
        return np.asarray(self.index.features.semantic, np.float32)

    def _is_tag(self, query: Query) -> bool:
        words = self._split(query.plus)
        alone = query.photo is None and not query.minus and len(words) == 1
        return alone and _normalized(words[0]) in self._columns

    def _match_of(self, row: int, similarity: float) -> Match:
        probability = self.index.features.probabilities[row]
        columns = np.argsort(-probability, kind="stable")[:3].tolist()
        tags = tuple(self.index.tags[column] for column in columns)
        return Match(row, self.index.entries[row].file, similarity, tags)


def _normalized(word: str) -> str:
    try:
        return normalize(word)
    except CorpusError:
        return ""


def _standardized(numbers: Floats) -> Floats:
    spread = float(numbers.std())
    return (numbers - numbers.mean()) / spread if spread > 0 else 0 * numbers
