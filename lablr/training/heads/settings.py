"""Settings of the training of heads: one frozen configuration a method."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from lablr.errors import TrainingError
from lablr.training.config import Config, number, word

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
    loss : one of the method's, of which the first is the usual one.
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

    inputs: str = word(*INPUTS)
    views: int = number(0, 0, 64)
    loss: str = ""
    epochs: int = number(30, 1, 100_000)
    batch_size: int = number(256, 2, 65_536)
    learning_rate: float = number(2e-3, 0, 10)
    weight_decay: float = number(0.01, 0, 100)
    dropout: float = number(0.1, 0, 0.99)
    hidden: int = number(0, 0, 65_536)
    patience: int = number(5, 0, 100_000)
    unknown_weight: float = number(0.1, 0, 1)
    seed: int = number(0, 0, 2**32 - 1)


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

    inputs: str = word(*INPUTS, default="features")
    loss: str = word("cross-entropy", "asymmetric")
    epochs: int = number(12, 1, 100_000)
    weight_decay: float = number(0.1, 0, 100)
    dropout: float = number(0.8, 0, 0.99)
    heads: int = number(5, 1, 100)
    mixup: float = number(0.2, 0, 10)
    label_smoothing: float = number(0.0, 0, 0.9)
    doubt: float = number(0.0, 0, 0.5)


@dataclass(frozen=True)
class TripletConfig(HeadConfig):
    """Photos and tags in one space.

    Parameters
    ----------
    dimensions : of the space.
    margin : by how much nearer a photo should be to its tags than to others.
    """

    method: ClassVar[str] = "triplet"

    loss: str = word("triplet")
    dimensions: int = number(50, 1, 65_536)
    margin: float = number(0.4, 0, 100)


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

    loss: str = word("ridge", "cosine", "rank")
    prompt: str = "{}"
    margin: float = number(0.1, 0, 100)
    ridge: float = number(0.1, 1e-9, 1e9)
    text_ridge: float = number(0.3, 1e-9, 1e9)
    hold_out: int = number(0, 0, 65_536)

    def __post_init__(self) -> None:
        super().__post_init__()
        if "{}" not in self.prompt:
            raise TrainingError(f"prompt is {self.prompt!r}: write {{}} for the tag")


CONFIGS: Mapping[str, type[HeadConfig]] = {
    config.method: config
    for config in (ClassifierConfig, TripletConfig, SemanticConfig)
}
