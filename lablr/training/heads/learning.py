"""From photos as a head sees them to a method that serves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import torch

from lablr.errors import TrainingError
from lablr.ranking.methods.classifier import Classifier
from lablr.ranking.methods.layers import Layers
from lablr.ranking.methods.semantic import Semantic, unit_rows
from lablr.ranking.methods.triplet import Triplet
from lablr.system.arrays import Floats, Reals
from lablr.system.progress import Progress, silent
from lablr.training.heads.descent import Batch, History, descend
from lablr.training.heads.inputs import HeadPhotos
from lablr.training.heads.objectives import (
    Cosines,
    Objective,
    Ranks,
    TagLogits,
    Triplets,
)
from lablr.training.heads.settings import (
    ClassifierConfig,
    SemanticConfig,
    TripletConfig,
)

# Whose vectors are held together while their moments are summed.
PHOTOS_AT_ONCE = 1024
Method = TypeVar("Method", Classifier, Triplet, Semantic)


@dataclass(frozen=True)
class Learned(Generic[Method]):
    """A method, and the losses of every epoch of every head of it."""

    method: Method
    history: History


def learn_classifier(
    photos: HeadPhotos, config: ClassifierConfig, progress: Progress = silent
) -> Learned[Classifier]:
    """Train the heads of a classifier and take their mean."""
    tags = torch.from_numpy(photos.membership[photos.train_rows].astype(np.float32))
    frequency = tags.mean(dim=0)
    heads, history = [], []
    for number in range(config.heads):
        objective = TagLogits(
            frequency, config.loss == "asymmetric", config.label_smoothing
        )
        layers, losses = descend(
            objective,
            photos,
            config,
            config.seed * config.heads + number,
            mix=_mixing(config.mixup) if config.mixup else None,
            doubt=config.doubt,
            progress=progress,
            label=f"head {number + 1} of {config.heads}",
        )
        heads.append(layers)
        history += [{"head": float(number + 1), **record} for record in losses]
    return Learned(Classifier(Layers.mean_of(heads), photos.tags), history)


def _mixing(alpha: float) -> Callable[[Batch, np.random.Generator], Batch]:
    """Mix every photo of a batch with another by a share from Beta(alpha, alpha)."""

    def mix(batch: Batch, generator: np.random.Generator) -> Batch:
        n_photos = len(batch[0])
        shares = generator.beta(alpha, alpha, (n_photos, 1)).astype(np.float32)
        share = torch.from_numpy(shares)
        other = torch.from_numpy(generator.permutation(n_photos))
        x, tags, weights = (torch.lerp(part[other], part, share) for part in batch)
        return x, tags, weights

    return mix


def learn_triplet(
    photos: HeadPhotos, config: TripletConfig, progress: Progress = silent
) -> Learned[Triplet]:
    """Bring photos and tags into one space."""
    torch.manual_seed(config.seed)
    objective = Triplets(len(photos.tags), config.dimensions, config.margin)
    layers, history = descend(
        objective, photos, config, config.seed, progress=progress, label="triplets"
    )
    points = objective.points.detach().numpy().astype(np.float64)
    return Learned(Triplet(layers, points, photos.tags), history)


def learn_semantic(
    photos: HeadPhotos,
    config: SemanticConfig,
    embeddings: Reals,
    progress: Progress = silent,
) -> Learned[Semantic]:
    """Bring photos to where the texts of their tags are, `embeddings` (T, e).

    Raises `TrainingError` when there are too few tags, or all of them say the same.
    """
    texts = np.asarray(embeddings, np.float64)
    centre = texts.mean(axis=0)
    units = unit_rows(texts - centre)
    if not units.any(axis=1).all():
        raise TrainingError("semantic: the texts of at least two tags must differ")
    history: list[dict[str, float]] = []
    if config.loss == "ridge":
        layers = _ridge_layers(photos, config, units)
    else:
        directions = torch.from_numpy(units.astype(np.float32))
        objective: Objective = Cosines(directions)
        if config.loss == "rank":
            objective = Ranks(directions, config.margin)
        layers, history = descend(
            objective, photos, config, config.seed, progress=progress, label="semantics"
        )
    mean, covariance = _vector_moments(photos, layers)
    method = Semantic(layers, texts, centre, mean, covariance, photos.tags)
    return Learned(method, history)


def _vector_moments(photos: HeadPhotos, layers: Layers) -> tuple[Floats, Floats]:
    """Return mean (e,) and covariance (e, e) of the training photos' unit vectors."""
    total = np.zeros(layers.n_outputs)
    products = np.zeros((layers.n_outputs, layers.n_outputs))
    rows = photos.train_rows
    for part in np.array_split(rows, -(-len(rows) // PHOTOS_AT_ONCE)):
        vectors = unit_rows(layers(photos.of(part)))
        total += vectors.sum(axis=0)
        products += vectors.T @ vectors
    mean = total / len(rows)
    return mean, products / len(rows) - np.outer(mean, mean)


def _ridge_layers(photos: HeadPhotos, config: SemanticConfig, units: Floats) -> Layers:
    """Return the linear V that minimizes ``|X V U^T - Y|^2``, penalized on both sides.

    ``V = (X^T X + a n I)^-1 X^T Y (U U^T + b I)^-1 U``: Romera-Paredes and Torr, "An
    embarrassingly simple approach to zero-shot learning" (ICML 2015), X (n, p) the
    standardized inputs, U (T, e) the texts' `units`. Y (n, T) is what is known of the
    tags around its mean, weighed by the evidence. A small penalty b on the texts'
    side fits the tags of training best; a large one leaves more to those that have a
    like meaning, and so to tags never seen.
    """
    rows = photos.train_rows
    mean, scale = photos.moments()
    evidence = photos.evidence[rows].astype(np.float64)
    carries = photos.membership[rows]
    frequency = carries.sum(axis=0) / np.maximum(evidence.sum(axis=0), 1e-9)
    known = (carries - frequency) * evidence
    n_views = photos.views.shape[1]
    products = np.zeros((photos.n_inputs, photos.n_inputs))
    toward = np.zeros((photos.n_inputs, len(units)))
    for view in range(n_views):
        x = (photos.views[rows, view] - mean).astype(np.float64) / scale
        products += x.T @ x / n_views
        toward += x.T @ known / n_views
    penalty = config.ridge * len(rows) * np.eye(len(products))
    per_tag = np.linalg.solve(products + penalty, toward)
    likeness = units @ units.T + config.text_ridge * np.eye(len(units))
    weight = per_tag @ np.linalg.solve(likeness, units) / scale[:, None]
    matrix = np.asarray(weight, np.float64)
    shift = np.asarray(-mean.astype(np.float64) @ matrix, np.float64)
    return Layers((matrix,), (shift,))
