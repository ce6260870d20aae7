"""An ImageNet backbone as it is, made an encoder that `lablr fit` takes.

Its features are brought to length 1, so that bright and busy photos count no more than
others, and turned onto the principal axes of the training photos::

    posterior_mean = P (features / |features| - mean)

Nothing is learned but P and the mean; the log-variance of such an encoder is 0: it
does not know how sure it is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lablr.corpus import Corpus
from lablr.encoders.encoder import Preprocessing
from lablr.system.arrays import Float32s, Floats
from lablr.training.array_cache import ArrayCache
from lablr.training.backbones import Backbone, load_backbone
from lablr.training.export import encoder_onnx, rounded
from lablr.training.heads.inputs import Encoded, encoded_photos
from lablr.training.heads.settings import HeadConfig


@dataclass(frozen=True)
class Frozen:
    """A backbone that stays as it is.

    Attributes
    ----------
    backbone : a name as `lablr.training.backbones.load_backbone` takes it.
    image_size : side of its input in pixels.
    n_latent : how many principal axes are kept, where there are so many.
    pretrained : False leaves its weights random, for tests.
    """

    backbone: str
    image_size: int = 224
    n_latent: int = 256
    pretrained: bool = True


def encoded_frozen(
    frozen: Frozen, corpus: Corpus, config: HeadConfig, store: ArrayCache
) -> Encoded:
    """Encode the photos by a backbone, or find them in `store`, and turn them.

    Raises as `load_backbone` and `encoded_photos`.
    """
    torch.manual_seed(config.seed)
    backbone = load_backbone(frozen.backbone, -1, frozen.pretrained)
    preprocessing = Preprocessing(frozen.image_size, backbone.mean, backbone.scale)
    network = rounded(_Axes(backbone)).eval()
    # For features alone, whatever the head learns from: the axes follow from them.
    photos = encoded_photos(
        corpus,
        encoder_onnx(network, frozen.image_size),
        preprocessing,
        replace(config, inputs="features"),
        store,
    )
    network.turn(*_principal_axes(photos.of(photos.train_rows), frozen.n_latent))
    network = rounded(network)
    if config.inputs == "latents":
        photos = replace(photos, views=network.turned(photos.views))
    model = encoder_onnx(network, frozen.image_size)
    return Encoded(model, preprocessing, photos)


class _Axes(nn.Module):
    """A backbone, and an affine map of its features at length 1."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone
        self.axes = nn.Linear(backbone.n_features, 1)
        nn.init.zeros_(self.axes.weight)
        nn.init.zeros_(self.axes.bias)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        latents = self.axes(F.normalize(self.backbone(image)))
        return latents, torch.zeros_like(latents)

    @torch.no_grad()
    def turn(self, mean: Floats, axes: Floats) -> None:
        """Give the principal `axes` (d, F) around the `mean` (F,)."""
        self.axes = nn.Linear(axes.shape[1], len(axes))
        self.axes.weight.copy_(torch.from_numpy(axes))
        self.axes.bias.copy_(torch.from_numpy(-axes @ mean))

    @torch.no_grad()
    def turned(self, features: Float32s) -> Float32s:
        """Turn features (..., F) into latents (..., d)."""
        latents: Float32s = self.axes(torch.from_numpy(features)).numpy()
        return latents


def _principal_axes(features: Float32s, n_latent: int) -> tuple[Floats, Floats]:
    """Return mean (F,) and principal axes (d, F) of features, the longest first."""
    mean = features.mean(axis=0, dtype=np.float64)
    centred = features - mean
    n_axes = max(min(n_latent, len(features) - 1, len(mean)), 1)
    axes = np.linalg.eigh(centred.T @ centred)[1][:, ::-1][:, :n_axes].T
    # Either sign is as good: the largest number of an axis is positive.
    largest = np.abs(axes).argmax(axis=1)
    axes = axes * np.sign(axes[np.arange(n_axes), largest])[:, None]
    return mean, axes
