"""The objectives of heads: one class a loss, over the outputs of dense layers.

n photos of a batch, T tags, q outputs of the layers. ``tags`` (n, T) are 1 where a
photo has a tag (or in between, when photos are mixed), ``weights`` (n, T) say how much
each of them, or its absence, tells (`lablr.corpus.label_weights`).
"""

from __future__ import annotations

from abc import abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Ridnik et al., "Asymmetric loss for multi-label classification", ICCV 2021: how much
# less an absent tag counts the surer it is, and the chance below which it is ignored.
FOCUS, SHIFT = 4.0, 0.05

# How hard the negatives are: the share of each falls by e with so much distance.
HARDNESS = 0.1


class Objective(nn.Module):
    """A loss over the outputs of layers; its parameters are learned with them.

    Parameters
    ----------
    n_outputs : q.
    bias : (q,) that the layers give before they have learned anything; None is for
        outputs that start small and at random instead, as directions must.
    """

    def __init__(self, n_outputs: int, bias: Tensor | None = None) -> None:
        super().__init__()
        self.n_outputs = n_outputs
        self.starts_at_bias = bias is not None
        self.first_bias = torch.zeros(n_outputs) if bias is None else bias

    @abstractmethod
    def forward(self, outputs: Tensor, tags: Tensor, weights: Tensor) -> Tensor:
        """Return the mean over photos of their losses."""


class TagLogits(Objective):
    """Every tag a question of its own: cross-entropy, or its asymmetric relative.

    Parameters
    ----------
    frequency : (T,) share of the photos that have a tag, where logits start.
    asymmetric : let absent tags that are easy count little.
    label_smoothing : share of the targets that is the frequency.
    """

    def __init__(
        self, frequency: Tensor, asymmetric: bool, label_smoothing: float
    ) -> None:
        super().__init__(len(frequency), torch.logit(frequency, eps=1e-4))
        self.frequency = frequency
        self.asymmetric = asymmetric
        self.label_smoothing = label_smoothing

    def forward(self, outputs: Tensor, tags: Tensor, weights: Tensor) -> Tensor:
        """Return the weighted sum over tags, averaged over photos."""
        targets = torch.lerp(tags, self.frequency, self.label_smoothing)
        if self.asymmetric:
            losses = asymmetric_loss(outputs, targets)
        else:
            losses = F.binary_cross_entropy_with_logits(
                outputs, targets, reduction="none"
            )
        return (losses * weights).sum(dim=1).mean()


def asymmetric_loss(logits: Tensor, tags: Tensor) -> Tensor:
    """Return ``-y log p - (1 - y) p_m^4 log(1 - p_m)``, ``p_m = max(p - .05, 0)``: (n,
    T).

    Ridnik et al., equations 4 to 6, positives without focus.
    """
    shifted = (torch.sigmoid(logits) - SHIFT).clamp(min=0)
    absent = shifted**FOCUS * torch.log1p(-shifted)
    return -tags * F.logsigmoid(logits) - (1 - tags) * absent


class Triplets(Objective):
    """``max(d(a, p) - d(a, n) + margin, 0)`` with hard negatives, both ways.

    For every photo and every tag of it, the negatives are the tags that it lacks; for
    every tag and every photo that has it, the photos of the batch that lack it. A
    negative is drawn with a chance that falls with its distance and grows with the
    evidence that it is one; the loss is the expectation over that draw, so nearly
    always the hardest few decide. (The very hardest alone would often be tags that
    fit and that nobody gave.)

    Parameters
    ----------
    n_tags, dimensions : T and e; ``points`` (T, e) are the tags.
    margin : in units of the distance.
    """

    def __init__(self, n_tags: int, dimensions: int, margin: float) -> None:
        super().__init__(dimensions)
        self.margin = margin
        self.points = nn.Parameter(torch.randn(n_tags, dimensions) / dimensions**0.5)

    def forward(self, outputs: Tensor, tags: Tensor, weights: Tensor) -> Tensor:
        """Return the sum over pairs and both ways, averaged over photos."""
        squares = (outputs[:, None] - self.points).square().sum(dim=2)
        distances = (squares + 1e-12).sqrt()
        both = _with_negatives(distances, tags, weights, self.margin)
        both = both + _with_negatives(distances.T, tags.T, weights.T, self.margin)
        return both / len(outputs)


def _with_negatives(
    distances: Tensor, positive: Tensor, weights: Tensor, margin: float
) -> Tensor:
    """Sum the triplet losses of every row's pairs (rows, columns)."""
    # A row without a negative has no loss.
    chances = _softmax(-distances.detach() / HARDNESS, (1 - positive) * weights)
    row, column = (positive > 0).nonzero(as_tuple=True)
    near = distances[row, column][:, None]
    violations = (near - distances[row] + margin).clamp(min=0)
    return (violations * chances[row]).sum()


def _softmax(values: Tensor, weights: Tensor) -> Tensor:
    """Return shares of a row by ``weight * exp(value)``; 0 without weights."""
    highest = values.masked_fill(weights <= 0, -torch.inf).amax(dim=1, keepdim=True)
    parts = weights * torch.exp((values - highest.clamp(min=-1e30)).clamp(max=0))
    return parts / parts.sum(dim=1, keepdim=True).clamp(min=1e-30)


class Cosines(Objective):
    """One minus the cosine between a photo and the mean of its tags' texts.

    Parameters
    ----------
    texts : (T, e) unit vectors of the tags.
    """

    def __init__(self, texts: Tensor) -> None:
        super().__init__(texts.shape[1])
        self.texts = texts

    def forward(self, outputs: Tensor, tags: Tensor, weights: Tensor) -> Tensor:
        """Return the mean over photos that have a tag."""
        has_tag = tags.sum(dim=1) > 0
        targets = tags[has_tag] @ self.texts
        losses = 1 - F.cosine_similarity(outputs[has_tag], targets, dim=1)
        return losses.sum() / max(len(losses), 1)


class Ranks(Objective):
    """``max(margin - cos(photo, its tag) + cos(photo, another tag), 0)``.

    Frome et al., "DeViSE", NeurIPS 2013, equation 1, with the sum over other tags
    weighed by the evidence that the photo lacks them.

    Parameters
    ----------
    texts : (T, e) unit vectors of the tags.
    margin : in cosine.
    """

    def __init__(self, texts: Tensor, margin: float) -> None:
        super().__init__(texts.shape[1])
        self.texts = texts
        self.margin = margin

    def forward(self, outputs: Tensor, tags: Tensor, weights: Tensor) -> Tensor:
        """Return the sum over a photo's tags and the others, averaged over photos."""
        cosines = F.normalize(outputs, dim=1) @ self.texts.T
        photo, tag = (tags > 0).nonzero(as_tuple=True)
        own = cosines[photo, tag][:, None]
        violations = (self.margin - own + cosines[photo]).clamp(min=0)
        negative = ((1 - tags) * weights)[photo]
        return (violations * negative).sum() / len(outputs)
