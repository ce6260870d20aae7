"""Photos in the latent space, with what people agree on of each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lablr.annotation.database.records import Consensus
from lablr.corpus import Corpus, Photo
from lablr.encoders.encoder import Encoder
from lablr.encoders.encoding import encode_corpus
from lablr.errors import LearningError
from lablr.latent_space.calibration import folds_of
from lablr.latent_space.feedback_statistics import FeedbackStatistics
from lablr.system.progress import Progress, silent

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Columns = npt.NDArray[np.int64]
Latents = npt.NDArray[np.float32]

DECISIONS = ("accepted", "rejected", "asked")


@dataclass(frozen=True)
class AnnotatedPhotos:
    """N photos with what was decided about V tags.

    names : of the photos, each once.
    latents, mirrored : (N, d), of the photos and (or None) of their mirror images.
    tags : V names in normal form.
    accepted, rejected : (N, V); never both, and neither where nothing was decided.
    asked : (N, V), decisions that were made whatever the answer, see
        `lablr.annotation.update`.
    """

    names: tuple[str, ...]
    latents: Latents
    mirrored: Latents | None
    tags: tuple[str, ...]
    accepted: Bools
    rejected: Bools
    asked: Bools

    @classmethod
    def of(
        cls,
        agreed: Sequence[Consensus],
        latents: Latents,
        mirrored: Latents | None = None,
    ) -> AnnotatedPhotos:
        """Put the consensus on N photos beside their latents (N, d)."""
        decided = {tag for one in agreed for tag in one.accepted | one.rejected}
        tags = tuple(sorted(decided))
        decisions = {
            kind: _membership([getattr(one, kind) for one in agreed], tags)
            for kind in DECISIONS
        }
        names = tuple(one.photo for one in agreed)
        return cls(names, latents, mirrored, tags, **decisions)

    @property
    def decided(self) -> Bools:
        """Return (N, V), accepted or rejected."""
        return self.accepted | self.rejected

    @property
    def folds(self) -> Columns:
        """Return (N,), the part of each photo, see `calibration.folds_of`."""
        return folds_of(self.names)

    def with_tags(self, tags: tuple[str, ...]) -> AnnotatedPhotos:
        """Return the same photos with the decisions about these tags."""
        columns = columns_of(tags, self.tags)
        decisions = {
            kind: take_rows(getattr(self, kind).T, columns).T for kind in DECISIONS
        }
        return dataclasses.replace(self, tags=tags, **decisions)

    def rows(self, mask: Bools) -> AnnotatedPhotos:
        """Return the photos where `mask` (N,) is true."""
        arrays = {name: getattr(self, name)[mask] for name in ("latents", *DECISIONS)}
        return AnnotatedPhotos(
            names=tuple(np.array(self.names, object)[mask]),
            mirrored=None if self.mirrored is None else self.mirrored[mask],
            tags=self.tags,
            **arrays,
        )

    def sums(self, weight: float) -> FeedbackStatistics:
        """Sum the photos, each counted `weight` times, half as its mirror image."""
        views = [self.latents] + ([] if self.mirrored is None else [self.mirrored])
        accepted, rejected = (
            np.tile(table, (len(views), 1)) for table in (self.accepted, self.rejected)
        )
        latents = np.concatenate(views)
        return FeedbackStatistics.of(
            latents, accepted, rejected, self.tags, weight / len(views)
        )


def columns_of(names: tuple[str, ...], known: tuple[str, ...]) -> Columns:
    """Return the place of each name among the known ones; -1 where it has none."""
    place = {name: number for number, name in enumerate(known)}
    return np.array([place.get(name, -1) for name in names], np.int64)


def take_rows(rows: npt.NDArray[Any], numbers: Columns) -> npt.NDArray[Any]:
    """Return the rows of these numbers; zeros for -1."""
    found = np.zeros((len(numbers), *rows.shape[1:]), rows.dtype)
    found[numbers >= 0] = rows[numbers[numbers >= 0]]
    return found


def _membership(tag_sets: Sequence[frozenset[str]], tags: tuple[str, ...]) -> Bools:
    """Return (N, V), which of the tags are in each set."""
    column = {tag: number for number, tag in enumerate(tags)}
    table = np.zeros((len(tag_sets), len(tags)), np.bool_)
    for row, own in enumerate(tag_sets):
        table[row, [column[tag] for tag in own]] = True
    return table


def encode_annotated_photos(
    agreed: Sequence[Consensus],
    encoder: Encoder,
    mirror: bool,
    base: Path | None = None,
    progress: Progress = silent,
) -> AnnotatedPhotos:
    """Encode annotated photos; those that cannot be read are named and left out.

    ``base`` is the folder of photos whose place is relative. Raises `LearningError`
    when nothing was annotated, `FitError` when no photo can be read.
    """
    if not agreed:
        raise LearningError(
            "the database holds no judgements; people judge with: "
            "lablr serve --judge DATABASE"
        )
    layout = _AnnotatedLayout(base or Path(), agreed)
    encoded = encode_corpus(Corpus(layout), encoder, mirror=mirror, progress=progress)
    by_name = {one.photo: one for one in agreed}
    readable = [by_name[name] for name in encoded.sources.tolist()]
    return AnnotatedPhotos.of(readable, encoded.latents, encoded.mirrored)


class _AnnotatedLayout:
    """Annotated photos as a corpus in which each photo is a source of its own.

    So the encoded ones are known by name, whichever cannot be read.
    """

    def __init__(self, root: Path, agreed: Sequence[Consensus]) -> None:
        self.root = root
        self._agreed = agreed

    def entries(self) -> Iterator[tuple[str, Callable[[], Photo]]]:
        """Yield the photos as a `lablr.corpus.layouts.Layout` does."""
        for number, consensus in enumerate(self._agreed, start=1):
            yield f"judged photo {number}", partial(self._photo, number, consensus)

    def _photo(self, number: int, consensus: Consensus) -> Photo:
        return Photo(
            # Names that differ only in how a path is written stay apart.
            file=f"{number}: {consensus.photo}",
            path=self.root / consensus.place,
            tags=(),
            split="judged",
            source=consensus.photo,
        )
