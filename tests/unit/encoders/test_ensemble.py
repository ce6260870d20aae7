"""Encoders side by side: the latents of each, one after the other."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from model_makers import GREY, SIZE, encoder_model, encoder_onnx
from training_makers import make_corpus
from training_runs import LITE

from lablr.bundle import Bundle
from lablr.cli import main
from lablr.encoders.encoder import Encoder
from lablr.encoders.ensemble import joined
from lablr.encoders.source import read_encoder
from lablr.errors import FitError
from lablr.ranking.tagger import Tagger
from lablr.training.export import export_encoder
from lablr.training.vae import VAE, VAEConfig


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    rng = np.random.default_rng(3)
    return rng.integers(0, 256, (4, SIZE, SIZE, 3), np.uint8)


def shifted(model: onnx.ModelProto) -> bytes:
    """The linear encoder with other weights, so that its latents are others."""
    for tensor in model.graph.initializer:
        if tensor.name == "weights":
            weights = onnx.numpy_helper.to_array(tensor)[::-1]
            tensor.CopyFrom(onnx.numpy_helper.from_array(weights.copy(), "weights"))
    return model.SerializeToString()


def test_latents_stand_side_by_side_of_every_second_ones_mirror_image(images):
    models = [encoder_onnx(), shifted(encoder_model(4)), encoder_onnx()]
    encoder = Encoder(*joined([(model, GREY) for model in models]))
    assert encoder.n_latent == 6 + 4 + 6
    mirrored = images[:, :, ::-1]
    apart = [
        Encoder(model, GREY).posterior(shown)
        for model, shown in zip(models, (images, mirrored, images), strict=True)
    ]
    found = encoder.posterior(images)
    for own, parts in zip(found, zip(*apart, strict=True), strict=True):
        np.testing.assert_array_equal(own, np.concatenate(parts, axis=1))
    np.testing.assert_array_equal(found[0][:, :6], found[0][:, 10:])


def test_one_encoder_stays_as_it_is():
    assert joined([(encoder_onnx(), GREY)]) == (encoder_onnx(), GREY)


def test_what_does_not_fit_together_is_refused():
    other = dataclasses.replace(GREY, mean=(1.0, 2.0, 3.0))
    with pytest.raises(FitError, match="must prepare images alike"):
        joined([(encoder_onnx(), GREY), (encoder_onnx(), other)])
    newer = encoder_model()
    newer.opset_import[0].version += 1
    with pytest.raises(FitError, match="same ONNX operator sets"):
        joined([(encoder_onnx(), GREY), (newer.SerializeToString(), GREY)])
    with pytest.raises(FitError, match="no encoder"):
        joined([])


def test_the_command_fits_a_bundle_to_two_networks(tmp_path: Path):
    """Two VAEs of their own sizes, through `lablr fit`, to a bundle that suggests."""
    corpus = make_corpus(tmp_path / "corpus", n_train=30)
    runs = [tmp_path / "one", tmp_path / "two"]
    for run, n_latent in zip(runs, (5, 3), strict=True):
        run.mkdir()
        config = VAEConfig(**LITE | {"n_latent": n_latent})
        export_encoder(VAE(config, n_tags=3), run)
        (run / "config.json").write_text(json.dumps({"vae": {"n_latent": n_latent}}))
    bundle = tmp_path / "bundle"
    words = ["--encoder", runs[0], "--encoder", runs[1], "--out", bundle]
    words = ["fit", tmp_path / "corpus", *words]
    done = CliRunner().invoke(main, list(map(str, words)))
    assert done.exit_code == 0, done.output
    loaded = Bundle.load(bundle)
    sizes = [own["vae"]["n_latent"] for own in loaded.provenance["training"]]
    assert sizes == [5, 3]
    photo = next(iter(corpus.photos())).path
    latent = Tagger(loaded).suggest(photo).latent
    image = Tagger(loaded).read(photo)[np.newaxis]
    shown = (image, image[:, :, ::-1])
    apart = [
        Encoder(*read_encoder(run)).encode(own)[0]
        for run, own in zip(runs, shown, strict=True)
    ]
    np.testing.assert_array_equal(latent, np.concatenate(apart))
