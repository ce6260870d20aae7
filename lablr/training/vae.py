"""The convolutional variational autoencoder: networks and objective.

An encoder gives each photo a Gaussian posterior ``N(mu, diag(exp(log_variance)))``
over a latent vector of d numbers; a decoder draws the photo back from a sample.
Training minimizes the negative evidence lower bound (Kingma & Welling,
"Auto-Encoding Variational Bayes", 2014) with three weights of ours::

    pixel_weight * MSE(pixels) + feature_weight * MSE(features)
    + beta * KL(posterior || N(0, I)) + tag_weight * BCE(tags)

``tag_weight = 0`` is the plain VAE: its latents know how a photo looks.
``tag_weight > 0`` adds a linear tag head on the posterior mean (lambda in the
documentation), so that the latents also know what people call it.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lablr.errors import TrainingError
from lablr.training.backbones import Backbone, load_backbone
from lablr.training.config import Config, number
from lablr.training.distributed import BatchNorm1d, BatchNorm2d

# A posterior narrower than exp(-8) or wider than exp(4) says nothing more and
# would let exp() run away in the first steps.
LOG_VARIANCE_RANGE = (-8.0, 4.0)


@dataclass(frozen=True)
class VAEConfig(Config):
    """The parts of a VAE, and the weights of its objective.

    Parameters
    ----------
    backbone : ``"seed"`` (two max-pooled convolutions), ``"scratch"`` (strided
        convolutions), ``"efficientnet-lite0|1|2"`` or a torchvision classifier.
    image_size : side of the encoder's input when it serves, in pixels.
    n_latent : d.
    n_frozen : pretrained stages without gradient, counted from the input; -1 all.
    reconstruction_size : side of the decoder's output, in pixels.
    pixel_weight, feature_weight, beta, tag_weight : weights of the objective.
    dropout : share of features hidden from the heads while training.

    Raises `TrainingError` when a number makes no sense.
    """

    backbone: str = "efficientnet-lite2"
    image_size: int = number(224, 32, 1024)  # as `Encoder` serves
    n_latent: int = number(128, 1, 65_536)
    n_frozen: int = 6
    reconstruction_size: int = number(64, 8, 1024)
    pixel_weight: float = number(1.0, 0, 1e9)
    feature_weight: float = number(1.0, 0, 1e9)
    beta: float = number(1e-3, 0, 1e9)
    tag_weight: float = number(1.0, 0, 1e9)
    dropout: float = number(0.2, 0, 0.99)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.pixel_weight or self.feature_weight or self.tag_weight):
            raise TrainingError(
                "nothing to learn: one of pixel_weight, feature_weight and "
                "tag_weight must be above 0"
            )

    @property
    def pretrained(self) -> bool:
        """Tell whether the encoder starts from weights learned elsewhere."""
        return self.backbone not in {"seed", "scratch"}

    @classmethod
    def seed(cls, **changes: Any) -> VAEConfig:
        """Return the recipe Lablr began with: 128 px, d=100, ``128*128*3*MSE + KL``."""
        config = cls(
            backbone="seed",
            image_size=128,
            n_latent=100,
            reconstruction_size=128,
            pixel_weight=128 * 128 * 3,
            feature_weight=0.0,
            beta=1.0,
            tag_weight=0.0,
            dropout=0.0,
        )
        return dataclasses.replace(config, **changes)

    @classmethod
    def scratch(cls, **changes: Any) -> VAEConfig:
        """Return the recipe of a deeper, strided net trained from nothing."""
        return cls.seed(**{"backbone": "scratch", "n_latent": 128, **changes})


class Posterior(NamedTuple):
    """A Gaussian per photo: ``mean`` (N, d), ``log_variance`` (N, d).

    ``features`` (N, F) is what the two heads saw, before dropout.
    """

    mean: Tensor
    log_variance: Tensor
    features: Tensor


class Losses(NamedTuple):
    """The objective and its parts, each a mean over the batch."""

    objective: Tensor
    pixels: Tensor
    features: Tensor
    kl: Tensor
    tags: Tensor


def reparameterize(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Sample ``mean + sigma * eps`` with ``eps ~ N(0, I)``, all (N, d)."""
    return mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Return ``KL(N(mean, exp(log_variance)) || N(0, I))`` per photo (N,), in nats.

    ``1/2 sum_j (mu_j^2 + sigma_j^2 - log sigma_j^2 - 1)``, Kingma & Welling,
    appendix B.
    """
    return 0.5 * (mean**2 + log_variance.exp() - log_variance - 1).sum(dim=1)


class VAE(nn.Module):
    """Encoder, decoder and tag head over one latent space.

    Parameters
    ----------
    config : the networks and the weights of the objective.
    n_tags : T, the outputs of the tag head.
    pretrained : load the backbone's published weights; False before a checkpoint.

    Raises `TrainingError` or `MissingExtra` from `load_backbone`.
    """

    def __init__(self, config: VAEConfig, n_tags: int, pretrained: bool = True) -> None:
        super().__init__()
        self.config = config
        self.encoder = _encoder(config, pretrained)
        n_features, d = self.encoder.n_features, config.n_latent
        self.mean_head = _head(n_features, d, config)
        self.log_variance_head = _head(n_features, d, config)
        self.decoder = _decoder(config)
        self.feature_decoder = nn.Linear(d, n_features)
        self.tag_head = nn.Linear(d, n_tags)
        # A tag fits few photos: start near its odds, not at one half.
        nn.init.constant_(self.tag_head.bias, -3.0)

    def normalize(self, images: Tensor) -> Tensor:
        """Return the float range the encoder expects, of uint8 images (N, 3, H, W)."""
        shape = (1, 3, 1, 1)
        mean = torch.tensor(self.encoder.mean, device=images.device).view(shape)
        scale = torch.tensor(self.encoder.scale, device=images.device).view(shape)
        return ((images.float() - mean) / scale).contiguous(
            memory_format=torch.channels_last
        )

    def encode(self, images: Tensor) -> Posterior:
        """Return posterior of normalized images (N, 3, H, W)."""
        return self.posterior(self.encoder(images))

    def posterior(self, features: Tensor) -> Posterior:
        """Return posterior of the encoder's features (N, F)."""
        seen = F.dropout(features, self.config.dropout, self.training)
        # In mixed precision layers give numbers that are too coarse for losses.
        log_variance = self.log_variance_head(seen).float().clamp(*LOG_VARIANCE_RANGE)
        return Posterior(self.mean_head(seen).float(), log_variance, features.float())

    def decode(self, latents: Tensor) -> Tensor:
        """Return pixels (N, 3, R, R) between 0 and 1 of latents (N, d)."""
        return self.decoder(latents)  # type: ignore[no-any-return]

    def negative_elbo(
        self,
        posterior: Posterior,
        pixels: Tensor,
        tags: Tensor,
        tag_weights: Tensor,
        beta: float,
    ) -> Losses:
        """Return the objective of a batch of N photos.

        The decoder should draw `pixels` (N, 3, R, R) between 0 and 1; `tags` (N, T) are
        1 where a photo has one, and `tag_weights` (N, T) how much each or its absence
        says; `beta` warms up.
        """
        config = self.config
        sample = reparameterize(posterior.mean, posterior.log_variance)
        zero = sample.new_zeros(())
        pixel_loss = feature_loss = tag_loss = zero
        if config.pixel_weight:
            pixel_loss = F.mse_loss(self.decode(sample).float(), pixels)
        if config.feature_weight:
            target = posterior.features.detach()
            feature_loss = F.mse_loss(self.feature_decoder(sample).float(), target)
        kl = kl_divergence(posterior.mean, posterior.log_variance).mean()
        if config.tag_weight:
            logits = self.tag_head(posterior.mean).float()
            errors = F.binary_cross_entropy_with_logits(logits, tags, reduction="none")
            tag_loss = (errors * tag_weights).sum(dim=1).mean()
        objective = (
            config.pixel_weight * pixel_loss
            + config.feature_weight * feature_loss
            + beta * kl
            + config.tag_weight * tag_loss
        )
        return Losses(objective, pixel_loss, feature_loss, kl, tag_loss)


class _Convolutions(nn.Module):
    """Convolutions over images of 128 px, whose last map is the features as it is."""

    mean = scale = (127.5,) * 3  # pixels between -1 and 1

    def __init__(self, layers: Iterable[nn.Module], n_features: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers, nn.Flatten())
        self.n_features = n_features

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)  # type: ignore[no-any-return]


def _seed_encoder() -> _Convolutions:
    """Stack two max-pooled convolutions."""
    first, second = _convolution(3, 16, kernel=5), _convolution(16, 32, kernel=3)
    layers = [*first, nn.MaxPool2d(2), *second, nn.MaxPool2d(2)]
    return _Convolutions(layers, 32 * 32 * 32)


def _scratch_encoder() -> _Convolutions:
    """Stack five strided convolutions."""
    layers = [
        layer
        for before, after in itertools.pairwise([3, 32, 64, 128, 256, 256])
        for layer in _convolution(before, after, kernel=4, stride=2)
    ]
    return _Convolutions(layers, 4 * 4 * 256)


def _convolution(before: int, after: int, kernel: int, stride: int = 1) -> list[Any]:
    convolution = nn.Conv2d(before, after, kernel, stride, (kernel - 1) // 2)
    return [convolution, BatchNorm2d(after), nn.ReLU(inplace=True)]


def _encoder(config: VAEConfig, pretrained: bool) -> Backbone | _Convolutions:
    if config.pretrained:
        return load_backbone(config.backbone, config.n_frozen, pretrained)
    if config.image_size != 128:
        raise TrainingError(
            f"the {config.backbone} encoder takes 128 px images, not "
            f"{config.image_size}: leave image_size out or set it to 128"
        )
    return _seed_encoder() if config.backbone == "seed" else _scratch_encoder()


def _head(n_features: int, d: int, config: VAEConfig) -> nn.Module:
    """Make a dense layer; batch-normalized for nets from scratch, as in the seed."""
    if config.pretrained:
        return nn.Linear(n_features, d)
    return nn.Sequential(nn.Linear(n_features, d), BatchNorm1d(d))


def _decoder(config: VAEConfig) -> nn.Module:
    if config.backbone == "seed":
        if config.reconstruction_size != 128:
            raise TrainingError("the seed decoder draws 128 px: reconstruction_size")
        return _seed_decoder(config.n_latent)
    return _transposed_decoder(config.n_latent, config.reconstruction_size)


def _seed_decoder(d: int) -> nn.Module:
    """Stack a dense layer and two transposed convolutions, upsampled by two."""
    return nn.Sequential(
        nn.Linear(d, 32 * 32 * 32),
        BatchNorm1d(32 * 32 * 32),
        nn.ReLU(inplace=True),
        nn.Unflatten(1, (32, 32, 32)),
        nn.ConvTranspose2d(32, 16, 3, padding=1),
        BatchNorm2d(16),
        nn.ReLU(inplace=True),
        nn.Upsample(scale_factor=2),
        nn.ConvTranspose2d(16, 3, 5, padding=2),
        BatchNorm2d(3),
        nn.Sigmoid(),
        nn.Upsample(scale_factor=2),
    )


def _transposed_decoder(d: int, size: int) -> nn.Module:
    """Stack a dense layer and transposed convolutions that double up to `size`."""
    n_doublings = size.bit_length() - 3
    if n_doublings < 1 or size != 4 << n_doublings:
        raise TrainingError(f"reconstruction_size {size} is not 8, 16, 32, ...")
    layers: list[nn.Module] = [
        nn.Linear(d, 4 * 4 * 128),
        nn.Unflatten(1, (128, 4, 4)),
        nn.ReLU(inplace=True),
    ]
    width = 128
    for _ in range(n_doublings - 1):
        narrower = max(width // 2, 16)
        layers += [
            nn.ConvTranspose2d(width, narrower, 4, stride=2, padding=1),
            BatchNorm2d(narrower),
            nn.ReLU(inplace=True),
        ]
        width = narrower
    layers += [nn.ConvTranspose2d(width, 3, 4, stride=2, padding=1), nn.Sigmoid()]
    return nn.Sequential(*layers)
