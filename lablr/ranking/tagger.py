"""The whole way of a photo: read, encode, rank.

The page, the command line and every other entry call one object, `Tagger`::

    tagger = Tagger.load()
    suggestion = tagger.suggest("photo.jpg", k=10)
    suggestion.tags[0].tag
    tagger.rerank(suggestion, accepted=["dog"], rejected=["cat"])
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import Any

import numpy as np
import numpy.typing as npt

from lablr.bundle import Bundle
from lablr.encoders.encoder import Encoder, Preprocessing
from lablr.errors import BundleError, NotInBundle, PhotoError, RankingError
from lablr.latent_space.plane import LatentMap
from lablr.photos import PhotoLimits, PhotoSource, read_image
from lablr.ranking.coupling import TagCoupling
from lablr.ranking.feedback import Feedback
from lablr.ranking.ranker import RANKINGS, Ranker, Scores
from lablr.ranking.reach import Reach
from lablr.ranking.suggestion import NO_FEEDBACK, Suggestion, TagScore
from lablr.system.arrays import Float32s, Floats, Pixels
from lablr.system.threads import map_in_order

__all__ = ["RANKINGS", "Suggestion", "TagScore", "Tagger"]


class Tagger:
    """Suggests tags for photos with the model of a bundle.

    Parameters
    ----------
    bundle : a verified `Bundle`.
    limits : what a photo may cost, see `lablr.photos`.

    Attributes
    ----------
    tags, rankings : the tags it knows, and the names of the ways to rank them.
    threshold : the probability from which a tag is suggested, by the Gaussians.
    neighbours : the training photos that it keeps, or None; see lablr/ranking/methods.
    coupling, reach : what it needs for `Feedback`, or None.

    Raises `BundleError` when the parts of the bundle do not fit each other.
    """

    def __init__(self, bundle: Bundle, limits: PhotoLimits | None = None) -> None:
        self.tags = bundle.tags
        self.limits = limits or PhotoLimits()
        self.model_card = bundle.model_card
        self.provenance = bundle.provenance
        self.bundle_digest = bundle.digest
        self.threshold = _threshold(bundle)
        self.latent_map = LatentMap.from_arrays(bundle.latent_map)
        preprocessing = Preprocessing.from_dict(bundle.preprocessing)
        self.encoder = Encoder(bundle.encoder_onnx, preprocessing)
        self.ranker = Ranker(bundle)
        self.rankings = self.ranker.rankings
        self.neighbours = self.ranker.neighbours
        self.coupling = TagCoupling.from_arrays(bundle.gaussians, bundle.tags)
        self.reach = Reach.from_arrays(bundle.gaussians, bundle.tags)
        self._check()

    @classmethod
    def load(
        cls,
        folder: str | os.PathLike[str] | None = None,
        limits: PhotoLimits | None = None,
    ) -> Tagger:
        """Load the bundle in `folder`, or the bundled model.

        Raises `BundleError` when it is missing, altered or from a newer Lablr.
        """
        return cls(Bundle.load(folder), limits)

    def suggest(
        self,
        photo: PhotoSource,
        k: int = 10,
        ranking: str = "calibrated",
        feedback: Feedback = NO_FEEDBACK,
    ) -> Suggestion:
        """Suggest the `k` best tags for one photo (0: all of them).

        Raises `PhotoError` when the photo cannot be used, `RankingError`, a
        ValueError, for one that is not in `rankings`, `ValueError` for a negative `k`,
        `NotInBundle` as `require_support`.
        """
        self._refuse_unknown(ranking, k)
        self.require_support(feedback)
        images = self.read(photo)[np.newaxis]
        return self.rank(self.encode(images), k, ranking, feedback, images)[0]

    def rerank(
        self,
        suggestion: Suggestion,
        accepted: Iterable[str] = (),
        rejected: Iterable[str] = (),
        reach: float = 0.0,
        k: int = 10,
    ) -> Suggestion:
        """Rank the rest again, now that some tags were accepted or rejected.

        All that was decided is given each time, in any order: what was said before is
        not kept, so taking back is leaving out. Tags that the model does not know
        change nothing. See `lablr.ranking.coupling`; raises as `rank` and `Feedback`.
        """
        feedback = Feedback(tuple(accepted), tuple(rejected), reach)
        described = np.concatenate([suggestion.latent, suggestion.features])
        return self.rank(described[np.newaxis], k, suggestion.ranking, feedback)[0]

    def listen(self, suggestion: Suggestion, *args: Any, **kwargs: Any) -> Suggestion:
        """Rank again: the former name of `rerank`."""
        warnings.warn(
            "Tagger.listen is called rerank now", DeprecationWarning, stacklevel=2
        )
        return self.rerank(suggestion, *args, **kwargs)

    def require_support(self, feedback: Feedback) -> None:
        """Raise `NotInBundle` where the bundle cannot use the feedback."""
        if feedback.decided and self.coupling is None:
            raise NotInBundle(
                "this model cannot rank again by accepted or rejected tags: it was "
                "fitted without which tags go together; fit it again (lablr fit)"
            )
        if feedback.reach and self.reach is None:
            raise NotInBundle(
                "this model knows no reach: its photos' records have no views and "
                "none of its tags is on Flickr's list of popular ones, or it was made "
                "by an older Lablr; fit it again (lablr fit)"
            )

    def read(self, photo: PhotoSource) -> Pixels:
        """Read the image (S, S, 3) of a photo, as the encoder takes it.

        Raises `PhotoError` when the photo cannot be used.
        """
        return read_image(photo, self.encoder.size, self.limits)

    def encode(self, images: Pixels) -> Float32s:
        """Describe images (N, S, S, 3): latents, then features, (N, d + F)."""
        return self.encoder.describe(images)

    def suggest_many(
        self,
        photos: Iterable[PhotoSource],
        k: int = 10,
        ranking: str = "calibrated",
        batch_size: int = 16,
        feedback: Feedback = NO_FEEDBACK,
    ) -> Iterator[Suggestion | PhotoError]:
        """Suggest tags for each photo, in order; a photo that fails gives its error.

        Photos are taken from the iterable as they are needed. While one batch is
        encoded the next is decoded, so memory holds two batches at most. Raises
        `ValueError` as `suggest` does, and for an empty batch.
        """
        self._refuse_unknown(ranking, k)
        if batch_size < 1:
            raise ValueError(f"a batch holds at least 1 photo, not {batch_size}")
        self.require_support(feedback)
        suggest = partial(self.suggest_batch, k=k, ranking=ranking, feedback=feedback)
        remaining = iter(photos)
        # iter() ends at the first batch that is empty.
        batches = iter(lambda: list(islice(remaining, batch_size)), [])
        return _each(map_in_order(suggest, batches, 2, n_ahead=2))

    def suggest_batch(
        self,
        photos: Sequence[PhotoSource],
        k: int = 10,
        ranking: str = "calibrated",
        feedback: Feedback = NO_FEEDBACK,
    ) -> list[Suggestion | PhotoError]:
        """Suggest tags for photos that are decoded together, in their order.

        A photo that fails gives its error. The same photos give the same numbers to
        the last bit; among others the last digits may differ. Raises `ValueError` as
        `suggest` does.
        """
        self._refuse_unknown(ranking, k)
        images, errors = [], {}
        for i, photo in enumerate(photos):
            try:
                images.append(self.read(photo))
            except PhotoError as error:
                errors[i] = _without_frames(error)
        found: Iterator[Suggestion] = iter(())
        if images:
            stack = np.stack(images)
            found = iter(self.rank(self.encode(stack), k, ranking, feedback, stack))
        return [errors[i] if i in errors else next(found) for i in range(len(photos))]

    def rank(
        self,
        descriptions: Float32s,
        k: int = 10,
        ranking: str = "calibrated",
        feedback: Feedback = NO_FEEDBACK,
        images: Pixels | None = None,
    ) -> list[Suggestion]:
        """Rank the `k` best tags (0: all) for each description (N, d + F).

        Latents alone (N, d) are enough for the Gaussians' rankings, and only the
        ranking "conse" needs the `images`. Without feedback the order is that of
        `Scores.ranking`, with them it is that of its `log_score` + what was decided
        (`TagCoupling.shift`) + reach log reach_t, of the tags that are left. Equal tags
        stay in the order of `tags`. Raises as `suggest`, and `RankingError` where a
        ranking needs more.
        """
        self._refuse_unknown(ranking, k)
        self.require_support(feedback)
        scores = self.ranker.scores(descriptions, ranking, images)
        ranked_by, rest = scores.ranking(ranking), np.arange(len(self.tags))
        if feedback:
            scores, ranked_by, rest = self._reranked(scores, ranking, feedback)
        best = np.argsort(-ranked_by[:, rest], axis=1, kind="stable")[:, : k or None]
        d = self.encoder.n_latent
        positions = self.latent_map.locate(descriptions[:, :d])
        threshold = self.ranker.threshold(ranking, self.threshold)
        return [
            Suggestion(
                tags=self._tag_scores(scores, row, columns),
                latent=descriptions[row, :d],
                features=descriptions[row, d:],
                position=(float(positions[row, 0]), float(positions[row, 1])),
                threshold=threshold,
                ranking=ranking,
                feedback=feedback,
            )
            for row, columns in enumerate(rest[best])
        ]

    def _reranked(
        self, scores: Scores, ranking: str, feedback: Feedback
    ) -> tuple[Scores, Floats, npt.NDArray[np.int_]]:
        """Return scores given the feedback, the order (N, T), and the tags left."""
        accepted, rejected = (
            np.array([tag in set(said) for tag in self.tags], np.bool_)
            for said in (feedback.accepted, feedback.rejected)
        )
        shift = np.zeros_like(scores.probability)
        if self.coupling is not None:
            shift = self.coupling.shift(scores.probability, accepted, rejected)
        given = replace(scores, probability=_shifted(scores.probability, shift))
        ranked_by = given.log_score(ranking)
        if ranking in ("likelihood", "mahalanobis"):
            # All others rank by the probability, which the shift is in.
            ranked_by = ranked_by + shift
        if feedback.reach and self.reach is not None:
            ranked_by = ranked_by + feedback.reach * np.log(self.reach.values)
        return given, ranked_by, np.flatnonzero(~(accepted | rejected))

    def _tag_scores(
        self, scores: Scores, row: int, columns: npt.NDArray[np.int_]
    ) -> tuple[TagScore, ...]:
        numbers = (
            scores.probability[row, columns].tolist(),
            scores.squared_mahalanobis[row, columns].tolist(),
            scores.log_likelihood_ratio[row, columns].tolist(),
            [None] * len(columns)
            if self.reach is None
            else self.reach.values[columns].tolist(),
        )
        return tuple(map(TagScore, map(self.tags.__getitem__, columns), *numbers))

    def _check(self) -> None:
        """Refuse parts that were made for different latents or tags."""
        found = {
            "encoder.onnx": self.encoder.n_latent,
            "gaussians.npz": self.ranker.n_latent,
            "map.npz": len(self.latent_map.mean),
        }
        if len(set(found.values())) != 1:
            raise BundleError(f"the parts disagree on the latents' size: {found}")
        if len(self.latent_map.centroids) != len(self.tags):
            raise BundleError(
                f"map.npz: expected {len(self.tags)} tags, "
                f"found {len(self.latent_map.centroids)}"
            )
        for ranking in self.ranker.by_description:
            n_inputs = self.ranker.n_inputs(ranking)
            if n_inputs > self.encoder.n_description:
                raise BundleError(
                    f"the method {ranking} looks at {n_inputs} "
                    f"numbers, the encoder gives {self.encoder.n_description}"
                )

    def _refuse_unknown(self, ranking: str, k: int = 0) -> None:
        if k < 0:
            raise ValueError(f"k is the number of tags, or 0 for all, not {k}")
        if ranking not in self.rankings:
            known = ", ".join(self.rankings)
            raise RankingError(f"the ranking {ranking!r} is none of {known}")


def _each(
    answers: Generator[list[Suggestion | PhotoError], None, None],
) -> Iterator[Suggestion | PhotoError]:
    with closing(answers):
        for answer in answers:
            yield from answer


def _without_frames(error: PhotoError) -> PhotoError:
    """Drop the frames an error came through.

    The error is kept, and they would keep the images of its batch until Python looks
    for cycles.
    """
    link: BaseException | None = error
    while link is not None:
        link.__traceback__ = None
        link = link.__cause__ or link.__context__
    return error


def _shifted(probability: Floats, shift: Floats) -> Floats:
    """Return the probabilities whose log odds are those of `probability` + `shift`."""
    odds = probability * np.exp(shift)
    shifted: Floats = odds / (1 - probability + odds)
    return shifted


def _threshold(bundle: Bundle) -> float:
    try:
        return float(bundle.settings["threshold"])
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"the settings have no threshold: {error!r}") from error
