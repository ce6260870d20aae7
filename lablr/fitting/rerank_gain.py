"""Image MAP of a photo's other tags, after some were accepted.

A person is imitated who knows a photo's tags and accepts one after another. Which one
is said by the protocol:

- ``first``: the right tag that the present ranking has highest, as one who goes down
  the list takes it;
- ``random``: any right tag, each as likely;
- ``last``: the right tag that the photo's own score has lowest, as one types it who
  misses it among the suggestions.

Accepted tags are taken out of both rankings: that by the photo's own probabilities,
*alone*, and the reranking. A photo counts while it has another right tag, so the
photos are fewer, and the task is harder, after each. `first` is asked of the reranking,
and both rankings are judged on what is left then.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from lablr.bundle import Bundle
from lablr.corpus import Corpus
from lablr.encoders.encoding import EncodedPhotos
from lablr.errors import NotInBundle
from lablr.fitting.evaluate import encoded_split
from lablr.fitting.metrics import mean_average_precision, rank_relevance, without_nan
from lablr.ranking.feedback import Feedback
from lablr.ranking.tagger import Tagger
from lablr.system.arrays import Bools, Floats
from lablr.system.progress import Progress, silent

PROTOCOLS = ("first", "random", "last")
SEED = 0


@dataclass(frozen=True)
class RerankGain:
    """Image MAP of the tags that are left after `n_accepted` of each photo's own.

    alone : by the photo's own probabilities; listening : given what was accepted;
    gain : the second less the first. nan where no photo has a tag left.
    """

    source: str
    protocol: str
    n_accepted: int
    n_photos: int
    alone: float
    listening: float

    @property
    def gain(self) -> float:
        """Return how much reranking adds."""
        return self.listening - self.alone

    def to_dict(self) -> dict[str, object]:
        """Return the figures as JSON holds them, None for nan."""
        figures: dict[str, object] = without_nan(asdict(self) | {"gain": self.gain})
        return figures


def evaluate_rerank_gain(
    bundle: Bundle,
    corpus: Corpus,
    n_accepted: Sequence[int],
    split: str | None = "val",
    progress: Progress = silent,
) -> list[RerankGain]:
    """Report each source, protocol and number of accepted tags.

    Raises `NotInBundle` where the bundle cannot rerank.
    """
    tagger = Tagger(bundle)
    tagger.require_support(Feedback(accepted=tagger.tags[:1]))
    encoded = encoded_split(tagger, corpus, split, progress)
    return list(accept_encoded(tagger, encoded, n_accepted))


def accept_encoded(
    tagger: Tagger, photos: EncodedPhotos, n_accepted: Sequence[int]
) -> Iterator[RerankGain]:
    """Report on encoded photos whose columns are the tagger's tags."""
    if tagger.coupling is None:
        raise NotInBundle("this model cannot rank again by accepted tags")
    probability = tagger.ranker.scores(photos.latents).probability
    with np.errstate(divide="ignore"):
        logits = np.log(probability) - np.log1p(-probability)
    for protocol in PROTOCOLS:
        accepted = np.zeros_like(photos.membership)
        reranked = logits
        for n in range(max(n_accepted) + 1):
            if n in n_accepted:
                for source in (*sorted(set(photos.sources.tolist())), "all"):
                    rows = (photos.sources == source) | (source == "all")
                    left = photos.membership[rows] & ~accepted[rows]
                    yield RerankGain(
                        source,
                        protocol,
                        n,
                        int(left.any(axis=1).sum()),
                        _image_map(left, logits[rows], accepted[rows]),
                        _image_map(left, reranked[rows], accepted[rows]),
                    )
            order = _order(protocol, logits, reranked)
            accepted = accepted | _highest(order, photos.membership & ~accepted)
            shift = tagger.coupling.shift(
                probability, accepted, np.zeros_like(accepted)
            )
            reranked = logits + shift


def _order(protocol: str, logits: Floats, reranked: Floats) -> Floats:
    """Return what the next accepted tag has highest: (N, T)."""
    if protocol == "random":
        return np.random.default_rng(SEED).random(logits.shape)
    return reranked if protocol == "first" else -logits


def _highest(order: Floats, among: Bools) -> Bools:
    """Return each photo's highest tag (N, T) `among` some, if there is one."""
    # Infinite scores are tied with what is not among them.
    ranked = np.argsort(-order, axis=1, kind="stable")
    first = np.argmax(np.take_along_axis(among, ranked, axis=1), axis=1)
    chosen = np.zeros_like(among)
    rows = np.arange(len(among))
    chosen[rows, ranked[rows, first]] = True
    return chosen & among


def _image_map(left: Bools, scores: Floats, accepted: Bools) -> float:
    return mean_average_precision(
        rank_relevance(left, np.where(accepted, -np.inf, scores))
    )
