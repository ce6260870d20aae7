"""A fit's knowledge of its photos, as sums that add.

Each block of photos gives a `FitSums` of its own, wherever it was encoded; the total
of all blocks is that of the corpus. It holds the sums of the training photos, the
dots of the map, and the validation photos themselves, which are few: shrinkage,
calibration and threshold are chosen on them. Nothing of it grows with the number of
training photos.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from lablr.corpus import Photo
from lablr.corpus.images import count_left_out, name_left_out
from lablr.encoders.encoder import Encoder, Preprocessing
from lablr.encoders.encoding import EncodedPhotos, encode_photos
from lablr.errors import BundleError
from lablr.latent_space.cooccurrence import Cooccurrence
from lablr.latent_space.dots import MapDots
from lablr.latent_space.gaussians import GaussianStatistics, StatisticsSum
from lablr.system.npz import pack_arrays, unpack_arrays

# Of a packed result, in error messages.
NAME = "the sums of a block"

# So many wait before the smallest are chosen.
FEW_DOTS = 1000
# So many parts wait before their pairs are added up, since that costs the total.
FEW_PARTS = 100


@dataclass(frozen=True, eq=False)
class FitSums:
    """The sums of some photos; all parts have the same tags.

    Attributes
    ----------
    statistics : sums over the training photos, and, where asked for, over their
        mirror images, either counted half.
    pairs : counts of the training photos with each two tags.
    validation : the validation photos, in the order of the corpus.
    dots : the training photos that would be shown on the map.
    left_out : file and reason of each photo that cannot be read.
    """

    statistics: GaussianStatistics
    pairs: Cooccurrence
    validation: EncodedPhotos
    dots: MapDots
    left_out: tuple[str, ...] = ()

    @classmethod
    def of(cls, photos: EncodedPhotos, seed: int) -> FitSums:
        """Sum encoded photos; `seed` picks the dots."""
        train = photos.rows(~photos.is_validation)
        validation = photos.rows(photos.is_validation)
        return cls(
            statistics=_statistics(train),
            pairs=Cooccurrence.of(train.membership, train.sources, train.tags),
            validation=replace(validation, mirrored=None, left_out=()),
            dots=MapDots.of(
                train.latents, train.membership, train.files, train.tags, seed
            ),
            left_out=photos.left_out,
        )

    @classmethod
    def total(cls, parts: Iterable[FitSums]) -> FitSums:
        """Add all parts, as they come.

        Photos that were left out are named in the log. Raises `FitError` when there
        are no others.
        """
        statistics = StatisticsSum()
        pairs: list[Cooccurrence] = []
        validation: list[EncodedPhotos] = []
        dots: list[MapDots] = []
        left_out: list[str] = []
        for part in parts:
            for photo in part.left_out:
                name_left_out(photo)
            left_out += part.left_out
            statistics.add(part.statistics)
            pairs.append(part.pairs)
            if len(pairs) == FEW_PARTS:
                pairs = [Cooccurrence.total(pairs)]
            validation.append(part.validation)
            dots = _with_dots(dots, part.dots)
        n_validation = sum(len(part.latents) for part in validation)
        n_train = statistics.n_photos
        count_left_out(n_validation + round(n_train), len(left_out))
        return cls(
            statistics=statistics.total(),
            pairs=Cooccurrence.total(pairs),
            validation=EncodedPhotos.joined(validation),
            dots=MapDots.joined(dots),
            left_out=tuple(left_out),
        )

    def pack(self) -> bytes:
        """Pack these sums as an .npz without pickled objects, exactly."""
        names = {
            "tags": self.validation.tags,
            "files": self.validation.files.tolist(),
            "sources": self.validation.sources.tolist(),
            "left_out": self.left_out,
        }
        arrays = self.statistics.to_arrays(np.float64) | self.pairs.to_arrays()
        arrays |= {
            "names": np.frombuffer(json.dumps(names).encode(), np.uint8),
            "latents": self.validation.latents,
            "membership": self.validation.membership,
            "dot_tags": self.dots.tag_of,
            "dot_keys": self.dots.keys,
            "dot_latents": self.dots.latents,
        }
        return pack_arrays(arrays, NAME)

    @classmethod
    def unpack(cls, packed: bytes) -> FitSums:
        """Read back `pack`; raises `BundleError` for anything else."""
        arrays = unpack_arrays(packed, NAME)
        names = json.loads(arrays["names"].tobytes())
        tags = tuple(names["tags"])
        validation = EncodedPhotos(
            latents=arrays["latents"],
            mirrored=None,
            membership=arrays["membership"],
            files=np.array(names["files"], np.str_),
            sources=np.array(names["sources"], np.str_),
            is_validation=np.ones(len(arrays["latents"]), np.bool_),
            tags=tags,
        )
        statistics = GaussianStatistics.from_arrays(arrays, tags)
        pairs = Cooccurrence.from_arrays(arrays, tags, statistics.sources)
        if pairs is None:
            raise BundleError(f"{NAME}: the pairs are missing")
        return cls(
            statistics=statistics,
            pairs=pairs,
            validation=validation,
            dots=MapDots(
                tags, arrays["dot_tags"], arrays["dot_keys"], arrays["dot_latents"]
            ),
            left_out=tuple(names["left_out"]),
        )


@dataclass(frozen=True)
class FitWork:
    """From a block of photos to their `FitSums`, see `lablr.encoders.engines.Work`."""

    encoder_onnx: bytes
    preprocessing: Preprocessing
    mirror: bool
    seed: int

    def prepare(self) -> Callable[[Sequence[Photo]], FitSums]:
        """Load the encoder; raises `BundleError` when it is none."""
        encoder = Encoder(self.encoder_onnx, self.preprocessing)
        return partial(self._sums, encoder=encoder)

    def _sums(self, photos: Sequence[Photo], encoder: Encoder) -> FitSums:
        encoded = encode_photos(photos, encoder, ("train", "val"), self.mirror)
        return FitSums.of(encoded, self.seed)

    pack = staticmethod(FitSums.pack)
    unpack = staticmethod(FitSums.unpack)


def _statistics(train: EncodedPhotos) -> GaussianStatistics:
    """Sum over the training photos, and over their mirror images as half each."""
    mirrored = [] if train.mirrored is None else [train.mirrored]
    parts = [
        GaussianStatistics.of(view, train.membership, train.sources, train.tags)
        for view in (train.latents, *mirrored)
    ]
    return sum(parts[1:], start=parts[0]).scaled(1 / len(parts))


def _with_dots(joined: list[MapDots], part: MapDots) -> list[MapDots]:
    """Add dots to those that wait; choose when they have become twice as many."""
    waiting = [*joined, part]
    enough = 2 * max(len(waiting[0].keys), FEW_DOTS)
    if sum(len(dots.keys) for dots in waiting) < enough:
        return waiting
    return [MapDots.joined(waiting)]
