"""What people said of a photo, and the photo brought into the latent space."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lablr.annotation.update.photos import JudgedPhotos
from lablr.corpus import Corpus, Photo
from lablr.encoders.encoder import Encoder
from lablr.encoders.encoding import encode_corpus
from lablr.errors import LearningError
from lablr.system.progress import Progress, silent

__all__ = ["Judgement", "encode_judgements", "judged_photos"]


@dataclass(frozen=True)
class Judgement:
    """What all who judged a photo said of it together.

    ``place`` is a file's path. ``accepted`` and ``rejected`` are tags, none in both;
    ``asked`` are those of them that were decided whatever the answer.
    """

    photo: str
    place: str
    accepted: frozenset[str]
    rejected: frozenset[str]
    asked: frozenset[str]


def judged_photos(
    judgements: Sequence[Judgement],
    latents: npt.NDArray[np.float32],
    mirrored: npt.NDArray[np.float32] | None = None,
) -> JudgedPhotos:
    """Put judgements beside the latents (N, d) of their photos."""
    decided = {tag for one in judgements for tag in one.accepted | one.rejected}
    tags = tuple(sorted(decided))
    return JudgedPhotos(
        names=tuple(one.photo for one in judgements),
        latents=latents,
        mirrored=mirrored,
        tags=tags,
        accepted=_table([one.accepted for one in judgements], tags),
        rejected=_table([one.rejected for one in judgements], tags),
        asked=_table([one.asked for one in judgements], tags),
    )


def encode_judgements(
    judgements: Sequence[Judgement],
    encoder: Encoder,
    mirror: bool,
    base: Path | None = None,
    progress: Progress = silent,
) -> JudgedPhotos:
    """Encode judged photos; those that cannot be read are named and left out.

    ``base`` is the folder of photos whose place is relative. Raises `LearningError`
    when there are no judgements, `FitError` when no photo can be read.
    """
    if not judgements:
        raise LearningError(
            "the database holds no judgements; people judge with: "
            "lablr serve --judge DATABASE"
        )
    layout = _Judged(base or Path(), judgements)
    encoded = encode_corpus(Corpus(layout), encoder, mirror=mirror, progress=progress)
    by_name = {one.photo: one for one in judgements}
    kept = [by_name[name] for name in encoded.sources.tolist()]
    return judged_photos(kept, encoded.latents, encoded.mirrored)


class _Judged:
    """Judged photos as a corpus of which each photo is a source of its own.

    So the encoded ones are known by name, whichever cannot be read.
    """

    def __init__(self, root: Path, judgements: Sequence[Judgement]) -> None:
        self.root = root
        self._judgements = judgements

    def entries(self) -> Iterator[tuple[str, Callable[[], Photo]]]:
        """As of a `lablr.corpus.layouts.Layout`."""
        for number, judgement in enumerate(self._judgements, start=1):
            yield f"judged photo {number}", partial(self._photo, number, judgement)

    def _photo(self, number: int, judgement: Judgement) -> Photo:
        return Photo(
            # Names that differ only in how a path is written stay apart.
            file=f"{number}: {judgement.photo}",
            path=self.root / judgement.place,
            tags=(),
            split="judged",
            source=judgement.photo,
        )


def _table(
    said: Sequence[frozenset[str]], tags: tuple[str, ...]
) -> npt.NDArray[np.bool_]:
    """(N, V), which of the tags are in each of the sets."""
    place = {tag: column for column, tag in enumerate(tags)}
    table = np.zeros((len(said), len(tags)), np.bool_)
    for row, some in enumerate(said):
        table[row, [place[tag] for tag in some]] = True
    return table
