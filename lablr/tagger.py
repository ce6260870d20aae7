"""The whole way of a photo: read, encode, rank.

The page, the command line and every other entry call one object, `Tagger`::

    tagger = Tagger.load()
    suggestion = tagger.suggest("photo.jpg", k=10)
    suggestion.tags[0].tag
    tagger.listen(suggestion, accepted=["dog"], rejected=["cat"])
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np
import numpy.typing as npt

from lablr.bundle import Bundle
from lablr.calibration import Calibration
from lablr.encoder import Encoder, Preprocessing
from lablr.errors import BundleError, FitError, NotInBundle, PhotoError
from lablr.gaussians import GaussianStatistics, TagGaussians
from lablr.judged_sums import JudgedSums
from lablr.latent_map import LatentMap
from lablr.listening import Listening
from lablr.photos import PhotoLimits, PhotoSource, read_image
from lablr.reach import Reach
from lablr.suggestion import NOTHING, Suggestion, TagScore
from lablr.threads import map_in_order
from lablr.wishes import Wishes

__all__ = ["RANKINGS", "Ranker", "Suggestion", "TagScore", "Tagger"]

RANKINGS = ("calibrated", "likelihood", "mahalanobis")


@dataclass(frozen=True)
class Scores:
    """Three numbers for every photo and tag, each (N, T)."""

    probability: npt.NDArray[np.float64]
    squared_mahalanobis: npt.NDArray[np.float64]
    log_likelihood_ratio: npt.NDArray[np.float64]

    def ranking(self, name: str) -> npt.NDArray[np.float64]:
        """The numbers (N, T) by which the ranking called `name` orders, best highest.

        Raises `ValueError` for a name that is not in `RANKINGS`.
        """
        _refuse_unknown(name)
        if name == "calibrated":
            return self.probability
        if name == "likelihood":
            return self.log_likelihood_ratio
        return -self.squared_mahalanobis

    def log_score(self, name: str) -> npt.NDArray[np.float64]:
        """What orders as `ranking` does, in nats, so that nats can be added."""
        if name == "calibrated":
            # Of a probability that is 0, the smallest there is.
            floored = np.maximum(self.probability, np.finfo(np.float64).tiny)
            return np.asarray(np.log(floored), np.float64)
        return self.ranking(name) * (0.5 if name == "mahalanobis" else 1.0)


class Ranker:
    """Latents to scores: the Gaussians and the calibration of a bundle."""

    def __init__(self, bundle: Bundle) -> None:
        settings = bundle.settings
        statistics = GaussianStatistics.from_arrays(bundle.gaussians, bundle.tags)
        judged = JudgedSums.from_arrays(bundle.gaussians, bundle.tags)
        try:
            unknown = settings["unknown_weight"]
            self.gaussians = TagGaussians(
                statistics,
                statistics.absence(unknown),
                shrinkage=settings["shrinkage"],
                ridge=settings["ridge"],
                judged=None if judged is None else judged.evidence(unknown),
            )
        except (FitError, KeyError, TypeError, ValueError) as error:
            raise BundleError(f"the Gaussians cannot be used: {error!r}") from error
        self.calibration = Calibration.from_arrays(bundle.calibration, len(bundle.tags))

    def scores(self, latents: npt.NDArray[np.float32]) -> Scores:
        """Scores of latents (N, d)."""
        squared_mahalanobis, ratio = self.gaussians.score(latents)
        probability = self.calibration.probability(ratio)
        return Scores(probability, squared_mahalanobis, ratio)


class Tagger:
    """Suggests tags for photos with the model of a bundle.

    Parameters
    ----------
    bundle : a verified `Bundle`.
    limits : what a photo may cost, see `lablr.photos`.

    Raises `BundleError` when the parts of the bundle do not fit each other.
    """

    def __init__(self, bundle: Bundle, limits: PhotoLimits | None = None) -> None:
        self.tags = bundle.tags
        self.limits = limits or PhotoLimits()
        self.model_card = bundle.model_card
        self.bundle_digest = bundle.digest
        self.threshold = _threshold(bundle)
        self.latent_map = LatentMap.from_arrays(bundle.latent_map)
        preprocessing = Preprocessing.from_dict(bundle.preprocessing)
        self.encoder = Encoder(bundle.encoder_onnx, preprocessing)
        self.ranker = Ranker(bundle)
        self.listening = Listening.from_arrays(bundle.gaussians, bundle.tags)
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
        wishes: Wishes = NOTHING,
    ) -> Suggestion:
        """Suggest the `k` best tags for one photo (0: all of them).

        Raises `PhotoError` when the photo cannot be used, `ValueError` for a
        negative `k` or a ranking that is not in `RANKINGS`, `NotInBundle` as `heed`.
        """
        _refuse_unknown(ranking, k)
        self.heed(wishes)
        latents = self.encode(self.read(photo)[np.newaxis])
        return self.rank(latents, k, ranking, wishes)[0]

    def listen(
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
        change nothing. See `lablr.listening`; raises as `suggest` and `Wishes`.
        """
        wishes = Wishes(tuple(accepted), tuple(rejected), reach)
        latents = suggestion.latent[np.newaxis]
        return self.rank(latents, k, suggestion.ranking, wishes)[0]

    def heed(self, wishes: Wishes) -> None:
        """Raise `NotInBundle` where the bundle cannot do what is wished."""
        if wishes.decided and self.listening is None:
            raise NotInBundle(
                "this model cannot listen to accepted or rejected tags: it does not "
                "know which tags go together; fit it again with this Lablr (lablr fit)"
            )
        if wishes.reach and self.reach is None:
            raise NotInBundle(
                "this model knows no reach: its photos' records have no views and "
                "none of its tags is on Flickr's list of popular ones, or it was made "
                "by an older Lablr; fit it again (lablr fit)"
            )

    def read(self, photo: PhotoSource) -> npt.NDArray[np.uint8]:
        """The image (S, S, 3) of a photo, as the encoder takes it.

        Raises `PhotoError` when the photo cannot be used.
        """
        return read_image(photo, self.encoder.size, self.limits)

    def encode(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """The latents (N, d), posterior means, of images (N, S, S, 3)."""
        return self.encoder.encode(images)

    def suggest_many(
        self,
        photos: Iterable[PhotoSource],
        k: int = 10,
        ranking: str = "calibrated",
        batch_size: int = 16,
        wishes: Wishes = NOTHING,
    ) -> Iterator[Suggestion | PhotoError]:
        """Suggest tags for each photo, in order; a photo that fails gives its error.

        Photos are taken from the iterable as they are needed. While one batch is
        encoded the next is decoded, so memory holds two batches at most. Raises
        `ValueError` as `suggest` does, and for an empty batch.
        """
        _refuse_unknown(ranking, k)
        if batch_size < 1:
            raise ValueError(f"a batch holds at least 1 photo, not {batch_size}")
        self.heed(wishes)
        return self._suggest_in_batches(iter(photos), k, ranking, batch_size, wishes)

    def suggest_batch(
        self,
        photos: Sequence[PhotoSource],
        k: int = 10,
        ranking: str = "calibrated",
        wishes: Wishes = NOTHING,
    ) -> list[Suggestion | PhotoError]:
        """Suggest tags for photos that are decoded together, in their order.

        A photo that fails gives its error. The same photos give the same numbers to
        the last bit; among others the last digits may differ. Raises `ValueError` as
        `suggest` does.
        """
        _refuse_unknown(ranking, k)
        images, errors = [], {}
        for i, photo in enumerate(photos):
            try:
                images.append(self.read(photo))
            except PhotoError as error:
                errors[i] = _without_frames(error)
        found: Iterator[Suggestion] = iter(())
        if images:
            latents = self.encode(np.stack(images))
            found = iter(self.rank(latents, k, ranking, wishes))
        return [errors[i] if i in errors else next(found) for i in range(len(photos))]

    def _suggest_in_batches(
        self,
        remaining: Iterator[PhotoSource],
        k: int,
        ranking: str,
        batch_size: int,
        wishes: Wishes,
    ) -> Iterator[Suggestion | PhotoError]:
        def suggest(batch: list[PhotoSource]) -> list[Suggestion | PhotoError]:
            return self.suggest_batch(batch, k, ranking, wishes)

        # iter() ends at the first batch that is empty.
        batches = iter(lambda: list(islice(remaining, batch_size)), [])
        with closing(map_in_order(suggest, batches, 2, n_ahead=2)) as answers:
            for answer in answers:
                yield from answer

    def rank(
        self,
        latents: npt.NDArray[np.float32],
        k: int = 10,
        ranking: str = "calibrated",
        wishes: Wishes = NOTHING,
    ) -> list[Suggestion]:
        """The `k` best tags (0: all) for each of the latents (N, d).

        Without wishes the order is that of `Scores.ranking`, with them it is that of
        its `log_score` + what was decided (`Listening.shift`) + reach log reach_t, of
        the tags that are left. Equal tags stay in the order of `tags`. Raises as
        `suggest`.
        """
        _refuse_unknown(ranking, k)
        self.heed(wishes)
        scores = self.ranker.scores(latents)
        ranked_by, rest = scores.ranking(ranking), np.arange(len(self.tags))
        if wishes:
            scores, ranked_by, rest = self._listened(scores, ranking, wishes)
        best = np.argsort(-ranked_by[:, rest], axis=1, kind="stable")[:, : k or None]
        order = rest[best]
        positions = self.latent_map.locate(latents)
        return [
            Suggestion(
                tags=self._tag_scores(scores, row, columns),
                latent=latents[row],
                position=(float(positions[row, 0]), float(positions[row, 1])),
                threshold=self.threshold,
                ranking=ranking,
                wishes=wishes,
            )
            for row, columns in enumerate(order)
        ]

    def _listened(
        self, scores: Scores, ranking: str, wishes: Wishes
    ) -> tuple[Scores, npt.NDArray[np.float64], npt.NDArray[np.int_]]:
        """Scores given the wishes, what ranks by them (N, T), and the tags left."""
        accepted, rejected = (
            np.array([tag in set(said) for tag in self.tags], np.bool_)
            for said in (wishes.accepted, wishes.rejected)
        )
        shift = np.zeros_like(scores.probability)
        if self.listening is not None:
            shift = self.listening.shift(scores.probability, accepted, rejected)
        given = replace(scores, probability=_shifted(scores.probability, shift))
        ranked_by = given.log_score(ranking)
        if ranking != "calibrated":
            ranked_by = ranked_by + shift
        if wishes.reach and self.reach is not None:
            ranked_by = ranked_by + wishes.reach * np.log(self.reach.values)
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
            "gaussians.npz": self.ranker.gaussians.means_.shape[1],
            "map.npz": len(self.latent_map.mean),
        }
        if len(set(found.values())) != 1:
            raise BundleError(f"the parts disagree on the latents' size: {found}")
        if len(self.latent_map.centroids) != len(self.tags):
            raise BundleError(
                f"map.npz: expected {len(self.tags)} tags, "
                f"found {len(self.latent_map.centroids)}"
            )


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


def _shifted(
    probability: npt.NDArray[np.float64], shift: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """The probabilities whose log odds are those of `probability` + `shift`."""
    odds = probability * np.exp(shift)
    shifted: npt.NDArray[np.float64] = odds / (1 - probability + odds)
    return shifted


def _threshold(bundle: Bundle) -> float:
    try:
        return float(bundle.settings["threshold"])
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"the settings have no threshold: {error!r}") from error


def _refuse_unknown(ranking: str, k: int = 0) -> None:
    if k < 0:
        raise ValueError(f"k is the number of tags, or 0 for all, not {k}")
    if ranking not in RANKINGS:
        raise ValueError(f"ranking {ranking!r} is none of {', '.join(RANKINGS)}")
