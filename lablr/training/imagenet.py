"""A network that names the 1,000 classes of ImageNet, as ONNX, and their names.

EfficientNet-Lite with the classifier it was published with. Where other methods
learn from tagged photos, `lablr.ranking.methods.conse` needs only what this one knows.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from lablr.encoders.encoder import Preprocessing
from lablr.errors import TrainingError
from lablr.training.backbones import (
    EFFICIENTNET_LITE,
    efficientnet_lite_weights,
    load_backbone,
)
from lablr.training.export import export_onnx
from lablr.training.torchvision_import import import_torchvision

SIZE = 224


class _Classifier(nn.Module):
    """Pixels (N, 3, S, S) -> probabilities (N, 1000).

    The last layer is a convolution over one position, so that it is quantized as
    the others are: it holds a quarter of all weights.
    """

    def __init__(self, stages: nn.Module, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        self.stages = stages
        self.classes = nn.Conv2d(weight.shape[1], weight.shape[0], kernel_size=1)
        self.classes.weight = nn.Parameter(weight[:, :, None, None])
        self.classes.bias = nn.Parameter(bias)

    def forward(self, image: Tensor) -> Tensor:
        features = self.stages(image).mean(dim=(2, 3), keepdim=True)
        logits = self.classes(features).flatten(start_dim=1)
        return cast(Tensor, logits.softmax(dim=1))


def imagenet_network(name: str) -> tuple[bytes, Preprocessing]:
    """Return a network as ONNX, and what it expects of an image.

    The graph takes ``image`` (N, 3, 224, 224) float32, normalized, and gives
    ``classes`` (N, 1000), probabilities in the order of `class_names`. Raises
    `TrainingError` for a name other than `EFFICIENTNET_LITE`, `MissingExtra` when
    its package is not installed.
    """
    if name not in EFFICIENTNET_LITE:
        known = ", ".join(EFFICIENTNET_LITE)
        raise TrainingError(f"{name} has no ImageNet classifier here: use {known}")
    backbone = load_backbone(name, n_frozen=-1)
    weights = torch.load(efficientnet_lite_weights(name), weights_only=True)
    network = _Classifier(
        backbone.stages, weights["_fc.weight"], weights["_fc.bias"]
    ).eval()
    preprocessing = Preprocessing(SIZE, backbone.mean, backbone.scale)
    return export_onnx(network, SIZE, ["classes"]), preprocessing


def class_names() -> list[str]:
    """Name ImageNet's 1,000 classes, one a class, as torchvision has them."""
    weights = import_torchvision().models.ResNet50_Weights.DEFAULT
    return list(weights.meta["categories"])
