"""Settings of the training of heads: one frozen configuration a method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from lablr.errors import TrainingError
from lablr.training.config import Config

__all__ = [
    "CONFIGS",
    "ClassifierConfig",
    "HeadConfig",
    "SemanticConfig",
    "TripletConfig",
]

Ranges = Mapping[str, tuple[float, float]]
Choices = Mapping[str, tuple[str, ...]]

INPUTS = ("latents", "features")


@dataclass(frozen=True)
class HeadConfig(Config):
    """The settings that all heads have in common.

    Parameters
    ----------
    inputs : ``"latents"``, or ``"features"``, the numbers that an encoder makes its
        latents of: more of them, and they know more.
    views : random views of each training photo (crop, rotation, colour), beside the
        photo and its mirror image.
    loss : one of the method's `choices`, of which the first is the usual one.
    epochs : passes over the training photos; each shows one view of each.
    batch_size : photos a step.
    learning_rate : the highest of one cycle (Smith & Topin, "Super-convergence",
        2018).
    weight_decay : of AdamW, on the matrices.
    dropout : share of the inputs hidden in a step. That is a penalty on the weights
        of inputs that vary (Wager et al., "Dropout training as adaptive
        regularization", NeurIPS 2013).
    hidden : units of a hidden layer; 0 is a linear head.
    patience : epochs without a better validation loss before stopping; 0 never
        stops early. The best epoch is kept either way.
    unknown_weight : evidence of a missing tag where its source never uses it.

    Raises `TrainingError` when a number makes no sense.
    """

    method: ClassVar[str] = ""
    ranges: ClassVar[Ranges] = {
        "views": (0, 64),
        "epochs": (1, 100_000),
        "batch_size": (2, 65_536),
        "learning_rate": (0, 10),
        "weight_decay": (0, 100),
        "dropout": (0, 0.99),
        "hidden": (0, 65_536),
        "patience": (0, 100_000),
        "unknown_weight": (0, 1),
        "seed": (0, 2**32 - 1),
    }

    inputs: str = "latents"
    views: int = 0
    loss: str = ""
    epochs: int = 30
    batch_size: int = 256
    learning_rate: float = 2e-3
    weight_decay: float = 0.01
    dropout: float = 0.1
    hidden: int = 0
    patience: int = 5
    unknown_weight: float = 0.1
    seed: int = 0


@dataclass(frozen=True)
class ClassifierConfig(HeadConfig):
    """A logit for each tag.

    The defaults are for features, of which there are thousands: four fifths of them
    are hidden in every step. A hundred latents take dropout=.1, weight_decay=.01 and
    epochs=30.

    Parameters
    ----------
    heads : how many are trained, from different seeds; what is kept is their mean,
        which is one head again.
    mixup : alpha of Beta(alpha, alpha), by which two photos and their tags are mixed
        (Zhang et al., "mixup", ICLR 2018); 0 mixes none.
    label_smoothing : share of a tag's target that is its frequency.
    doubt : from half of the epochs on, a tag counts nothing where the head gives it
        less than this probability though the photo has it, or more than 1 minus
        this though the photo lacks it; 0 believes every tag.
    """

    method: ClassVar[str] = "classifier"
    ranges: ClassVar[Ranges] = {
        **HeadConfig.ranges,
        "heads": (1, 100),
        "mixup": (0, 10),
        "label_smoothing": (0, 0.9),
        "doubt": (0, 0.5),
    }
    choices: ClassVar[Choices] = {
        "inputs": INPUTS,
        "loss": ("cross-entropy", "asymmetric"),
    }

    inputs: str = "features"
    loss: str = "cross-entropy"
    epochs: int = 12
    weight_decay: float = 0.1
    dropout: float = 0.8
    heads: int = 5
    mixup: float = 0.2
    label_smoothing: float = 0.0
    doubt: float = 0.0


@dataclass(frozen=True)
class TripletConfig(HeadConfig):
    """Photos and tags in one space.

    Parameters
    ----------
    dimensions : of the space.
    margin : by how much nearer a photo should be to its tags than to others.
    """

    method: ClassVar[str] = "triplet"
    ranges: ClassVar[Ranges] = {
        **HeadConfig.ranges,
        "dimensions": (1, 65_536),
        "margin": (0, 100),
    }
    choices: ClassVar[Choices] = {"inputs": INPUTS, "loss": ("triplet",)}

    loss: str = "triplet"
    dimensions: int = 50
    margin: float = 0.4


@dataclass(frozen=True)
class SemanticConfig(HeadConfig):
    """Photos in the space of their tags' texts.

    Parameters
    ----------
    prompt : what is embedded for a tag, which stands for ``{}``.
    margin : of ``loss="rank"``, in cosine.
    ridge : of ``loss="ridge"``: the penalty on the inputs' weights, as a share of the
        photos.
    text_ridge : the same on the texts' side, in tags.
    hold_out : so many tags are kept out of training, to see how they are ranked.
    """

    method: ClassVar[str] = "semantic"
    ranges: ClassVar[Ranges] = {
        **HeadConfig.ranges,
        "margin": (0, 100),
        "ridge": (1e-9, 1e9),
        "text_ridge": (1e-9, 1e9),
        "hold_out": (0, 65_536),
    }
    choices: ClassVar[Choices] = {
        "inputs": INPUTS,
        "loss": ("ridge", "cosine", "rank"),
    }

    loss: str = "ridge"
    prompt: str = "{}"
    margin: float = 0.1
    ridge: float = 0.1
    text_ridge: float = 0.3
    hold_out: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if "{}" not in self.prompt:
            raise TrainingError(f"prompt is {self.prompt!r}: write {{}} for the tag")


CONFIGS: Mapping[str, type[HeadConfig]] = {
    config.method: config
    for config in (ClassifierConfig, TripletConfig, SemanticConfig)
}
