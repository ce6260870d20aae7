"""The VAE's mathematics against naive code and torch.distributions."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Normal
from torch.distributions import kl_divergence as torch_kl
from training_makers import crops, one_core  # noqa: F401

from lablr.errors import TrainingError
from lablr.training.vae import VAE, Posterior, VAEConfig, kl_divergence, reparameterize

TINY = VAEConfig(
    backbone="efficientnet-lite0",
    image_size=64,
    n_latent=8,
    reconstruction_size=16,
    pixel_weight=3.0,
    feature_weight=2.0,
    beta=0.5,
    tag_weight=0.7,
)


def photos(n_photos: int, side: int) -> torch.Tensor:
    """uint8 crops of real photos (N, 3, side, side)."""
    pixels = [np.asarray(photo) for photo, _ in crops(n_photos, side, seed=2)]
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2)


@pytest.fixture(scope="module")
def tiny() -> VAE:
    torch.manual_seed(0)
    return VAE(TINY, n_tags=3, pretrained=False).eval()


@pytest.fixture(scope="module")
def batch() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Pixels, tags and tag weights of four photos."""
    pixels = photos(4, 16).float() / 255
    tags = torch.tensor([[1, 0, 0], [0, 1, 1], [0, 0, 0], [1, 1, 1.0]])
    return pixels, tags, torch.tensor([[1, 1, 0.1]]).expand(4, 3)


# --- the parts of the objective


def test_kl_divergence_equals_that_of_torch():
    torch.manual_seed(0)
    mean, log_variance = torch.randn(5, 7), torch.randn(5, 7)
    posterior = Normal(mean, torch.exp(log_variance / 2))
    expected = torch_kl(posterior, Normal(0.0, 1.0)).sum(dim=1)
    torch.testing.assert_close(kl_divergence(mean, log_variance), expected)
    assert kl_divergence(torch.zeros(1, 7), torch.zeros(1, 7)).item() == 0


def test_samples_have_the_mean_and_the_variance():
    torch.manual_seed(0)
    mean = torch.tensor([[-2.0, 0.0, 3.0]]).expand(100_000, 3)
    log_variance = torch.log(torch.tensor([[0.25, 1.0, 9.0]])).expand(100_000, 3)
    sample = reparameterize(mean, log_variance)
    sigma = torch.exp(0.5 * log_variance[0])
    assert ((sample.mean(dim=0) - mean[0]).abs() < 5 * sigma / 100_000**0.5).all()
    assert sample.var(dim=0) == pytest.approx(torch.tensor([0.25, 1, 9]), rel=0.03)


def test_the_gradient_passes_through_the_sample():
    mean = torch.zeros(2, 3, requires_grad=True)
    log_variance = torch.zeros(2, 3, requires_grad=True)
    reparameterize(mean, log_variance).sum().backward()
    assert mean.grad.equal(torch.ones(2, 3))
    assert log_variance.grad.abs().min() > 0


def naive_objective(model: VAE, posterior: Posterior, batch, beta: float) -> float:
    """The objective of the module's docstring, photo by photo and term by term."""
    pixels, tags, weights = batch
    sample = reparameterize(posterior.mean, posterior.log_variance)
    drawn = model.decode(sample)
    dreamt = model.feature_decoder(sample)
    logits = model.tag_head(posterior.mean)
    total = 0.0
    for n in range(len(pixels)):
        mse = ((drawn[n] - pixels[n]) ** 2).mean().item()
        feature_mse = ((dreamt[n] - posterior.features[n]) ** 2).mean().item()
        kl = bce = 0.0
        for mu, s in zip(posterior.mean[n], posterior.log_variance[n], strict=True):
            kl += 0.5 * (mu.item() ** 2 + np.exp(s.item()) - 1 - s.item())
        for t in range(tags.shape[1]):
            p = 1 / (1 + np.exp(-logits[n, t].item()))
            right = p if tags[n, t] else 1 - p
            bce -= weights[n, t].item() * np.log(right)
        config = model.config
        total += config.pixel_weight * mse + config.feature_weight * feature_mse
        total += beta * kl + config.tag_weight * bce
    return total / len(pixels)


@torch.no_grad()
def test_the_objective_equals_a_naive_one(tiny, batch):
    posterior = tiny.encode(tiny.normalize(photos(4, 64)))
    torch.manual_seed(1)
    expected = naive_objective(tiny, posterior, batch, beta=0.25)
    torch.manual_seed(1)
    losses = tiny.negative_elbo(posterior, *batch, beta=0.25)
    assert losses.objective.item() == pytest.approx(expected, rel=1e-5)
    parts = 3 * losses.pixels + 2 * losses.features + 0.25 * losses.kl
    torch.testing.assert_close(losses.objective, parts + 0.7 * losses.tags)


@pytest.mark.parametrize(
    ("weight", "part", "untouched"),
    [
        ("pixel_weight", "pixels", "decoder"),
        ("feature_weight", "features", "feature_decoder"),
        ("tag_weight", "tags", "tag_head"),
    ],
)
def test_a_weight_of_zero_drops_its_term(batch, weight, part, untouched):
    torch.manual_seed(0)
    config = dataclasses.replace(TINY, **{weight: 0.0})
    model = VAE(config, n_tags=3, pretrained=False)
    posterior = model.encode(model.normalize(photos(4, 64)))
    losses = model.negative_elbo(posterior, *batch, beta=0.5)
    assert getattr(losses, part).item() == 0
    losses.objective.backward()
    dropped = getattr(model, untouched).parameters()
    assert all(parameter.grad is None for parameter in dropped)
    assert model.mean_head.weight.grad.abs().max() > 0


def test_a_head_that_runs_away_is_held(tiny):
    posterior = tiny.posterior(torch.full((1, 1280), 1e6))
    assert posterior.log_variance.min() >= -8
    assert posterior.log_variance.max() <= 4


def test_dropout_hides_features_from_the_heads_only_while_training():
    config = dataclasses.replace(TINY, dropout=0.5)
    model = VAE(config, n_tags=1, pretrained=False)
    features = torch.ones(2, 1280)
    model.eval()
    assert model.posterior(features).mean.equal(model.posterior(features).mean)
    model.train()
    seen = model.posterior(features)
    assert not seen.mean.equal(model.posterior(features).mean)
    assert seen.features is features


def test_normalizing_is_that_of_the_backbone(tiny):
    white = torch.full((1, 3, 2, 2), 255, dtype=torch.uint8)
    assert tiny.normalize(white).unique().item() == 1.0
    seed = VAE(VAEConfig.seed(), n_tags=1)
    assert seed.normalize(white).unique().item() == 1.0
    assert seed.normalize(0 * white).unique().item() == -1.0


# --- the seed's net


def layers(module: nn.Module) -> list[nn.Module]:
    return [m for m in module.modules() if not list(m.children())]


def words(module: nn.Module) -> str:
    """A layer and its shape, shortly."""
    shape = "x".join(
        str(size) for size in getattr(module, "weight", torch.empty(0)).shape
    )
    extra = {
        nn.MaxPool2d: lambda m: str(m.kernel_size),
        nn.Upsample: lambda m: f"{m.scale_factor:g}",
    }.get(type(module), lambda m: shape)(module)
    return f"{type(module).__name__} {extra}".strip()


@pytest.fixture(scope="module")
def seed() -> VAE:
    torch.manual_seed(0)
    return VAE(VAEConfig.seed(), n_tags=2)


def test_the_seeds_encoder_has_its_layers(seed):
    assert [words(layer) for layer in layers(seed.encoder)] == [
        "Conv2d 16x3x5x5",
        "BatchNorm2d 16",
        "ReLU 0",
        "MaxPool2d 2",
        "Conv2d 32x16x3x3",
        "BatchNorm2d 32",
        "ReLU 0",
        "MaxPool2d 2",
        "Flatten 0",
    ]
    for head in (seed.mean_head, seed.log_variance_head):
        assert [words(layer) for layer in layers(head)] == [
            "Linear 100x32768",
            "BatchNorm1d 100",
        ]


def test_the_seeds_decoder_has_its_layers(seed):
    assert [words(layer) for layer in layers(seed.decoder)] == [
        "Linear 32768x100",
        "BatchNorm1d 32768",
        "ReLU 0",
        "Unflatten 0",
        "ConvTranspose2d 32x16x3x3",
        "BatchNorm2d 16",
        "ReLU 0",
        "Upsample 2",
        "ConvTranspose2d 16x3x5x5",
        "BatchNorm2d 3",
        "Sigmoid 0",
        "Upsample 2",
    ]
    with torch.no_grad():
        assert seed.eval().decode(torch.zeros(2, 100)).shape == (2, 3, 128, 128)


@torch.no_grad()
def test_the_seeds_objective_is_its_own(seed):
    """``128*128*3*MSE + KL``: the squared errors of a photo, summed, and its KL."""
    images = photos(3, 128)
    pixels = images.float() / 255
    posterior = seed.eval().encode(seed.normalize(images))
    torch.manual_seed(3)
    drawn = seed.decode(reparameterize(posterior.mean, posterior.log_variance))
    squares = ((drawn - pixels) ** 2).flatten(1).sum(dim=1)
    kl = kl_divergence(posterior.mean, posterior.log_variance)
    torch.manual_seed(3)
    no_tags = torch.zeros(3, 2)
    found = seed.negative_elbo(
        posterior, pixels, no_tags, no_tags + 1, seed.config.beta
    )
    torch.testing.assert_close(found.objective, (squares + kl).mean())
    assert found.tags.item() == found.features.item() == 0


# --- other nets and configurations


@torch.no_grad()
def test_the_scratch_net_strides_from_128_to_4():
    model = VAE(VAEConfig.scratch(), n_tags=2).eval()
    posterior = model.encode(model.normalize(photos(2, 128)))
    assert posterior.features.shape == (2, 4 * 4 * 256)
    assert posterior.mean.shape == posterior.log_variance.shape == (2, 128)
    assert model.decode(posterior.mean).shape == (2, 3, 128, 128)


@pytest.mark.parametrize("size", [8, 16, 64, 128])
def test_the_decoder_draws_the_size_it_is_asked_for(size):
    config = dataclasses.replace(VAEConfig.scratch(), reconstruction_size=size)
    drawn = VAE(config, n_tags=1).eval().decode(torch.zeros(2, 128))
    assert drawn.shape == (2, 3, size, size)
    assert drawn.min() >= 0
    assert drawn.max() <= 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_latent": 0}, "n_latent is 0: give 1 to"),
        ({"image_size": 2000}, "image_size is 2000: give 32 to 1024"),
        ({"beta": float("nan")}, "beta is nan"),
        ({"tag_weight": -1.0}, "tag_weight is -1.0"),
        ({"dropout": 1.0}, "dropout is 1.0: give 0 to 0.99"),
        (
            {"pixel_weight": 0, "feature_weight": 0, "tag_weight": 0},
            "nothing to learn",
        ),
    ],
)
def test_a_configuration_that_makes_no_sense_is_refused(changes, message):
    with pytest.raises(TrainingError, match=message):
        VAEConfig(**changes)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (VAEConfig.scratch(image_size=64), "scratch encoder takes 128 px images"),
        (VAEConfig.scratch(reconstruction_size=48), "size 48 is not 8, 16, 32"),
        (VAEConfig.seed(reconstruction_size=64), "seed decoder draws 128 px"),
    ],
)
def test_networks_that_do_not_fit_are_refused(config, message):
    with pytest.raises(TrainingError, match=message):
        VAE(config, n_tags=1)


def test_the_configuration_survives_json():
    assert VAEConfig(**TINY.to_dict()) == TINY
