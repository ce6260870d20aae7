"""A run of a method: from a corpus to a folder that `lablr fit` reads.

::

    run/method.npz       the head, see `lablr.ranking.methods`
        history.json     the losses of every epoch
        loss.png         the same as curves, where there were epochs
        encoder.onnx     the encoder, when it is a backbone as it is
        encoder.json     what `lablr fit` must know about it
        config.json      everything else: method, settings, tags, digests, figures
        cache/           decoded photos and what encoders say of them; may be deleted

``config.json`` comes last: a folder without it holds no run, and the next attempt goes
over it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lablr.corpus import Corpus
from lablr.encoders.ensemble import joined
from lablr.encoders.source import read_encoder
from lablr.encoders.text import SentenceEncoder, WordVectors
from lablr.errors import TrainingError
from lablr.system.arrays import Floats
from lablr.system.npz import pack_arrays
from lablr.system.progress import Progress, silent
from lablr.training.array_cache import ArrayCache
from lablr.training.distributed import threads_of_a_process
from lablr.training.heads.frozen import Frozen, encoded_frozen
from lablr.training.heads.inputs import Encoded, HeadPhotos, encoded_photos
from lablr.training.heads.judging import (
    Figures,
    Unseen,
    choose_held_out,
    figures,
    rank_unseen,
)
from lablr.training.heads.learning import (
    Learned,
    learn_classifier,
    learn_semantic,
    learn_triplet,
)
from lablr.training.heads.settings import (
    ClassifierConfig,
    HeadConfig,
    SemanticConfig,
    TripletConfig,
)
from lablr.training.run_folder import locked, write_json, write_whole


@dataclass(frozen=True)
class HeadRun:
    """The results of a run.

    Attributes
    ----------
    learned : the method and its history.
    figures : on the validation photos, of each source and of all.
    unseen : of tags kept out of training, when some were.
    text_model : digest of the model of the tags' texts, when there is one.
    """

    learned: Learned[Any]
    figures: list[Figures]
    unseen: Unseen | None = None
    text_model: str | None = None


def train_head(
    corpus: Corpus,
    folder: Path,
    config: HeadConfig,
    *,
    encoders: Sequence[Path] = (),
    frozen: Frozen | None = None,
    vectors: Path | None = None,
    cache_folder: Path | None = None,
    progress: Progress = silent,
) -> HeadRun:
    """Train a head on what `encoders` say of the photos of `corpus`, into `folder`.

    `encoders` are finished training runs or bundles, joined as by `lablr fit`; or give
    a `frozen` backbone, which becomes the run's own encoder. `vectors` is a file of
    word vectors for the semantic method. Stopped before its end it leaves no run, only
    what is in the cache.

    Raises `TrainingError` when the folder holds a run or is in use, or photos or tags
    are lacking; `FitError` or `BundleError` for encoders that will not do;
    `TextError` for word vectors; `MissingExtra` when a package is not installed.
    """
    if bool(encoders) == (frozen is not None):
        raise TrainingError("a head needs encoders, or else a backbone")
    folder.mkdir(parents=True, exist_ok=True)
    busy = f"another process is training in {folder}"
    with locked(folder / ".training", busy, wait=False):
        if (folder / "config.json").exists():
            raise TrainingError(f"{folder} holds a run: choose another folder")
        torch.set_num_threads(threads_of_a_process())
        store = ArrayCache(cache_folder or folder / "cache", progress=progress)
        encoded = _encoded(corpus, config, encoders, frozen, store)
        run = _learned(encoded.photos, config, vectors, progress)
        _write(folder, run)
        if frozen is not None:
            write_json(folder / "encoder.json", encoded.preprocessing.to_dict())
            model = encoded.model
            write_whole(folder / "encoder.onnx", lambda file: file.write(model))
        described = _described(config, corpus, encoded.model, run) | {
            "encoders": [path.name for path in encoders],
            "backbone": None if frozen is None else frozen.backbone,
        }
        write_json(folder / "config.json", described)
    return run


def _encoded(
    corpus: Corpus,
    config: HeadConfig,
    encoders: Sequence[Path],
    frozen: Frozen | None,
    store: ArrayCache,
) -> Encoded:
    """Return what the encoders, or the backbone, say of the photos."""
    if frozen is not None:
        encoded = encoded_frozen(frozen, corpus, config, store)
    else:
        model, preprocessing = joined([read_encoder(run) for run in encoders])
        photos = encoded_photos(corpus, model, preprocessing, config, store)
        encoded = Encoded(model, preprocessing, photos)
    if not encoded.photos.tags:
        raise TrainingError("no photo of the corpus has a tag")
    return encoded


def _learned(
    photos: HeadPhotos, config: HeadConfig, vectors: Path | None, progress: Progress
) -> HeadRun:
    """Train the method of `config`, and judge it."""
    if isinstance(config, ClassifierConfig):
        return _judged(learn_classifier(photos, config, progress), photos)
    if isinstance(config, TripletConfig):
        return _judged(learn_triplet(photos, config, progress), photos)
    if isinstance(config, SemanticConfig):
        texts, digest = embedded(photos.tags, config.prompt, vectors)
        held_out = choose_held_out(photos, config.hold_out, config.seed)
        known = photos.without_tags(held_out)
        kept = np.delete(texts, held_out, axis=0)
        learned = learn_semantic(known, config, kept, progress)
        run = replace(_judged(learned, known), text_model=digest)
        if not config.hold_out:
            return run
        unseen = rank_unseen(learned.method, photos, texts, held_out)
        return replace(run, unseen=unseen)
    raise TrainingError(f"there is no method for {config!r}")


def embedded(
    tags: Sequence[str], prompt: str, vectors: Path | None
) -> tuple[Floats, str]:
    """Embed tags (T, e), each in place of ``{}``; name the text model by its digest.

    By the sentence encoder, or by the word vectors of a file. Raises `MissingExtra`
    when the text model is not installed, `TextError` for a file that will not do or
    does not know a tag.
    """
    model = SentenceEncoder.load() if vectors is None else WordVectors.load(vectors)
    texts = [prompt.replace("{}", tag) for tag in tags]
    return model.embed(texts).astype(np.float64), model.digest


def _judged(learned: Learned[Any], photos: HeadPhotos) -> HeadRun:
    return HeadRun(learned, figures(learned.method, photos))


def _described(
    config: HeadConfig, corpus: Corpus, model: bytes, run: HeadRun
) -> dict[str, Any]:
    """Return what config.json says, but for where the encoder came from."""
    return {
        "method": config.method,
        "settings": config.to_dict(),
        "tags": list(run.learned.method.tags),
        "corpus_digest": corpus.digest,
        "encoder_sha256": hashlib.sha256(model).hexdigest(),
        "validation": [one.to_dict() for one in run.figures],
        "text_model": run.text_model,
        "unseen": None if run.unseen is None else run.unseen.to_dict(),
    }


def _write(folder: Path, run: HeadRun) -> None:
    from lablr.training.export import draw_losses

    packed = pack_arrays(run.learned.method.to_arrays(), "method.npz")
    write_whole(folder / "method.npz", lambda file: file.write(packed))
    history = run.learned.history
    write_json(folder / "history.json", history)
    if history:
        losses = [
            {name: value for name, value in record.items() if name != "head"}
            for record in history
        ]
        draw_losses(losses, folder / "loss.png")
