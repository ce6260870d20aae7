"""Other methods put into a bundle, beside its Gaussians.

One pass over the corpus: the training photos give the neighbours, the validation
photos calibrate every method and weigh the blend. The methods themselves come from
runs of ``lablr train --method``, made for the encoder of this bundle; nearest
neighbours need no run.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lablr.bundle import METHODS, Bundle
from lablr.corpus import Corpus, Photo
from lablr.corpus.images import count_left_out, name_left_out
from lablr.encoders.encoding import LABEL, EncodedPhotos, encode_photos
from lablr.encoders.engines import in_threads
from lablr.encoders.features import with_features
from lablr.errors import FitError
from lablr.fitting.metrics import calibrated_quality
from lablr.latent_space.gaussians import GaussianStatistics
from lablr.ranking.methods.calibrated import Calibrated
from lablr.ranking.methods.conse import ConSE
from lablr.ranking.methods.neighbours import NeighbourPhotos, Neighbours
from lablr.ranking.methods.stacking import Blend, log_odds
from lablr.ranking.ranker import DESCRIBED, Ranker
from lablr.ranking.tagger import Tagger
from lablr.system.arrays import Arrays, Floats, Pixels
from lablr.system.npz import unpack_arrays
from lablr.system.progress import Progress, silent

# What a bundle calls its encoder's digests, with features and without.
SAME = "encoder_sha256"
# What the blend is made of, where the bundle has it.
BLENDED = ("classifier", "neighbours")


@dataclass(frozen=True, eq=False)
class MethodRun:
    """A finished run of ``lablr train --method``.

    Attributes
    ----------
    name : of the method; arrays : its own; network : its ONNX graph, if it has one.
    description : the run's configuration.
    """

    name: str
    arrays: Arrays
    network: bytes | None
    description: Mapping[str, Any]

    @classmethod
    def read(cls, run: Path) -> MethodRun:
        """Read a run; raises `FitError` when the folder is none."""
        try:
            description = json.loads((run / "config.json").read_text("utf-8"))
            name = description["method"]
            arrays = unpack_arrays((run / "method.npz").read_bytes(), "method.npz")
            graph = run / "network.onnx"
            network = graph.read_bytes() if graph.exists() else None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise FitError(f"{run} is not a run of a method: {error!r}") from error
        if name not in METHODS:
            raise FitError(f"{run}: no method is called {str(name)[:60]!r}")
        return cls(name, arrays, network, description)

    def check(self, bundle: Bundle) -> None:
        """Raise `FitError` when the run was made for other tags or another encoder."""
        if tuple(self.description.get("tags", ())) != bundle.tags:
            raise FitError(f"the {self.name} was trained on other tags than the bundle")
        made_for = self.description.get("encoder_sha256")
        if made_for is not None and made_for not in _names_of(bundle):
            raise FitError(
                f"the {self.name} was trained for the encoder {str(made_for)[:12]}, "
                "the bundle has another: train it with --encoder and this bundle"
            )

    @property
    def wants_features(self) -> bool:
        """Tell whether it was trained on the features instead of the latents."""
        settings = self.description.get("settings")
        return isinstance(settings, Mapping) and settings.get("inputs") == "features"

    def on_descriptions(self, n_latent: int) -> Arrays:
        """Return its arrays for x = (latents, features), see `Encoder.describe`.

        A head on features ignores the latents before them: their weights are 0.
        """
        arrays = dict(self.arrays)
        if self.wants_features:
            weight = arrays["weight_1"]
            blind = np.zeros((n_latent, weight.shape[1]), weight.dtype)
            arrays["weight_1"] = np.concatenate([blind, weight])
        return arrays


def combine(
    bundle: Bundle,
    corpus: Corpus,
    runs: Sequence[MethodRun],
    *,
    precision: float = 0.8,
    progress: Progress = silent,
) -> Bundle:
    """Add the methods of `runs`, nearest neighbours and their blend to the bundle.

    Methods it had are replaced. Calibrations, the thresholds at that `precision` and
    the blend's weights are fitted to the photos of the split "val", so the corpus
    must be the one that the bundle's encoder and the runs learned from. Raises
    `FitError` when a run does not fit the bundle, or photos of a split are missing.
    """
    bundle = _with_what_they_look_at(bundle, runs)
    tagger = Tagger(dataclasses.replace(bundle, methods={}, networks={}))
    validation, kept = _encoded(tagger, _conse(tagger, runs), corpus, progress)
    return combine_encoded(bundle, validation, kept, runs, precision)


def combine_encoded(
    bundle: Bundle,
    validation: EncodedPhotos,
    kept: NeighbourPhotos,
    runs: Sequence[MethodRun],
    precision: float = 0.8,
) -> Bundle:
    """Do the part of `combine` after encoding: seconds.

    The `validation` photos are as `Encoder.describe` has them, followed by ConSE's
    logits where it is among the runs; `kept` are the training photos to be neighbours.
    """
    bundle = _with_what_they_look_at(bundle, runs)
    plain = dataclasses.replace(bundle, methods={}, networks={})
    encoder = Tagger(plain).encoder
    networks = {run.name: run.network for run in runs if run.network is not None}
    methods: dict[str, Arrays] = {
        run.name: run.on_descriptions(encoder.n_latent) for run in runs
    }
    statistics = GaussianStatistics.from_arrays(plain.gaussians, plain.tags)
    absence = statistics.absence(plain.settings["unknown_weight"])
    by_source = dict(zip(statistics.sources, absence, strict=True))
    methods["neighbours"] = Neighbours.fit(kept, by_source).to_arrays()
    seen, carries = validation.latents, validation.membership
    for name, arrays in methods.items():
        logits = seen[:, encoder.n_description :].astype(np.float64)
        if name in DESCRIBED:
            method = DESCRIBED[name].from_arrays(arrays, bundle.tags)
            logits = method.logits(seen[:, : method.n_inputs].astype(np.float32))
        arrays |= Calibrated.fit(logits, carries, precision).to_arrays()
    combined = dataclasses.replace(plain, methods=methods, networks=networks)
    blend = _blend(combined, validation, precision)
    provenance = dict(bundle.provenance) | {
        "methods": {run.name: dict(run.description) for run in runs}
    }
    return dataclasses.replace(
        combined, methods=methods | {"blend": blend}, provenance=provenance
    )


def _with_what_they_look_at(bundle: Bundle, runs: Sequence[MethodRun]) -> Bundle:
    """Give the bundle an encoder with features, where a run wants them.

    Raises `FitError` when a run was made for another bundle.
    """
    for run in runs:
        run.check(bundle)
    if not any(run.wants_features for run in runs):
        return bundle
    return dataclasses.replace(
        bundle,
        encoder_onnx=with_features(bundle.encoder_onnx),
        provenance=dict(bundle.provenance) | {SAME: sorted(_names_of(bundle))},
    )


def _names_of(bundle: Bundle) -> set[str]:
    """Return the SHA-256 of the bundle's encoder, with its features and without."""
    before = bundle.provenance.get(SAME, [])
    encoder = bundle.encoder_onnx
    models = (encoder, with_features(encoder))
    return {str(name) for name in before} | {
        hashlib.sha256(model).hexdigest() for model in models
    }


def _conse(tagger: Tagger, runs: Sequence[MethodRun]) -> ConSE | None:
    """Return the method that looks at the image itself, if it is among the runs."""
    run = next((run for run in runs if run.name == "conse"), None)
    if run is None:
        return None
    if run.network is None:
        raise FitError("the run of conse has no network")
    return ConSE.from_arrays(run.arrays, tagger.tags, run.network)


def _encoded(
    tagger: Tagger, conse: ConSE | None, corpus: Corpus, progress: Progress
) -> tuple[EncodedPhotos, NeighbourPhotos]:
    """Encode the validation photos as `_seen`, and the training photos to keep."""
    validation: list[EncodedPhotos] = []
    kept: list[NeighbourPhotos] = []
    n_photos = n_left_out = 0
    do = partial(_block, tagger=tagger, conse=conse)
    for part, neighbours in in_threads(
        do, corpus.photos(), corpus.read().count_records(), progress, LABEL
    ):
        for photo in part.left_out:
            name_left_out(photo)
        n_left_out += len(part.left_out)
        n_photos += len(part.latents) + len(neighbours.keys)
        validation.append(part)
        kept = [NeighbourPhotos.joined([*kept, neighbours])]
    count_left_out(n_photos, n_left_out)
    whole = EncodedPhotos.joined(validation).with_tags(tagger.tags)
    if not len(whole.latents) or not len(kept[0].keys):
        raise FitError("both training and validation photos are needed")
    return whole, kept[0]


def _block(
    photos: Sequence[Photo], tagger: Tagger, conse: ConSE | None
) -> tuple[EncodedPhotos, NeighbourPhotos]:
    """Encode a block's validation photos as `_seen`, and its training photos."""
    encoder = tagger.encoder
    train = encode_photos(photos, encoder, ("train",)).with_tags(tagger.tags)
    validation = encode_photos(
        photos, encoder, ("val",), see=partial(_seen, tagger, conse)
    )
    flickr_ids = {photo.file: photo.flickr_id for photo in photos}
    files = [str(file) for file in train.files]
    kept = NeighbourPhotos.of(
        train.latents,
        train.membership,
        files,
        train.sources,
        [flickr_ids[file] for file in files],
        tagger.tags,
    )
    left_out = train.left_out + validation.left_out
    return dataclasses.replace(validation, left_out=left_out), kept


def _seen(tagger: Tagger, conse: ConSE | None, images: Pixels) -> npt.NDArray[Any]:
    """Return the descriptions of images, followed by ConSE's logits, if it is there."""
    described = tagger.encode(images)
    if conse is None:
        return described
    return np.hstack([described, conse.logits(images)])


def _blend(bundle: Bundle, validation: EncodedPhotos, precision: float) -> Arrays:
    """Weigh the Gaussians and the methods, and calibrate their sum."""
    ranker = Ranker(bundle)
    x = validation.latents.astype(np.float32)
    membership, sources = validation.membership, validation.sources.tolist()
    parts = {
        name: log_odds(ranker.scores(x, name).probability)
        for name in ("calibrated", *BLENDED)
        if name in ranker.rankings
    }

    def quality(mixed: Floats) -> float:
        return calibrated_quality(mixed, membership, sources)

    blend = Blend.fit(parts, quality)
    logits = blend.logits(parts)
    calibrated = Calibrated.fit(logits, membership, precision)
    return blend.to_arrays() | calibrated.to_arrays()
