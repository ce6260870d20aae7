"""What heads minimize, beside loops that say the same."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lablr.training.heads.objectives import (
    Cosines,
    Ranks,
    TagLogits,
    Triplets,
    asymmetric_loss,
)


def a_batch(seed: int = 0, n: int = 6):
    generator = torch.Generator().manual_seed(seed)
    tags = (torch.rand(n, 5, generator=generator) < 0.4).float()
    tags[0] = 0  # a photo without tags
    tags[1] = 1  # and one with all of them
    weights = torch.where(tags > 0, 1.0, torch.rand(n, 5, generator=generator))
    return tags, weights, generator


def hardness(distances, weights):
    shares = [w * np.exp(-d / 0.1) for d, w in zip(distances, weights, strict=True)]
    return [share / sum(shares) for share in shares]


def naive_pairs(distances, positive, weights, margin) -> float:
    total = 0.0
    for i, row in enumerate(distances):
        others = [n for n in range(len(row)) if not positive[i][n]]
        if not others:
            continue
        shares = hardness([row[n] for n in others], [weights[i][n] for n in others])
        for p in np.flatnonzero(positive[i]):
            for n, share in zip(others, shares, strict=True):
                total += share * max(row[p] - row[n] + margin, 0)
    return total


def test_triplets_are_what_they_say():
    tags, weights, generator = a_batch()
    torch.manual_seed(0)
    objective = Triplets(5, 3, margin=0.4)
    outputs = torch.randn(6, 3, generator=generator) * 0.3
    distances = torch.cdist(outputs, objective.points).detach().double().numpy()
    positive, sure = tags.numpy() > 0, weights.double().numpy()
    expected = naive_pairs(distances, positive, sure, 0.4)
    expected += naive_pairs(distances.T, positive.T, sure.T, 0.4)
    found = objective(outputs, tags, weights)
    assert found.item() == pytest.approx(expected / 6, rel=1e-4)


def test_triplets_that_are_far_enough_lose_nothing():
    objective = Triplets(2, 2, margin=0.4)
    with torch.no_grad():
        objective.points.copy_(torch.tensor([[0.0, 0.0], [5.0, 0.0]]))
    outputs = torch.tensor([[0.0, 0.0], [5.0, 0.0]], requires_grad=True)
    loss = objective(outputs, torch.eye(2), torch.ones(2, 2))
    loss.backward()
    assert loss.item() == 0
    assert torch.isfinite(outputs.grad).all()  # at distance 0 as well


def test_ranks_are_what_they_say():
    tags, weights, generator = a_batch()
    texts = torch.nn.functional.normalize(torch.randn(5, 4, generator=generator))
    outputs = torch.randn(6, 4, generator=generator)
    cosines = torch.nn.functional.normalize(outputs) @ texts.T
    expected = 0.0
    for n in range(6):
        for own in range(5):
            for other in range(5):
                if tags[n, own] and not tags[n, other]:
                    gap = 0.3 - cosines[n, own] + cosines[n, other]
                    expected += float(weights[n, other] * max(gap, 0))
    found = Ranks(texts, 0.3)(outputs, tags, weights)
    assert found.item() == pytest.approx(expected / 6, rel=1e-4)


def test_cosines_are_what_they_say():
    tags, weights, generator = a_batch()
    texts = torch.nn.functional.normalize(torch.randn(5, 4, generator=generator))
    outputs = torch.randn(6, 4, generator=generator)
    losses = []
    for n in range(1, 6):
        mean = texts[tags[n] > 0].mean(dim=0)
        length = outputs[n].norm() * mean.norm()
        losses.append(1 - float(outputs[n] @ mean / length))
    found = Cosines(texts)(outputs, tags, weights)
    assert found.item() == pytest.approx(np.mean(losses), rel=1e-4)


def test_the_asymmetric_loss_is_what_it_says():
    logits = torch.tensor([[-8.0, -1.0, 0.0, 3.0, 60.0]])
    chance = torch.sigmoid(logits.double())[0].numpy()
    present = asymmetric_loss(logits, torch.ones(1, 5))[0].numpy()
    np.testing.assert_allclose(present, -np.log(chance), rtol=1e-5, atol=1e-7)
    shifted = np.maximum(chance - 0.05, 0)
    absent = asymmetric_loss(logits, torch.zeros(1, 5))[0].numpy()
    np.testing.assert_allclose(absent, -(shifted**4) * np.log(1 - shifted), rtol=1e-5)
    assert absent[0] == 0


def test_smoothing_leads_to_the_frequency():
    frequency = torch.tensor([0.1, 0.5])
    tags, weights = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.5]])
    logits = torch.tensor([[0.3, -0.7]])
    targets = 0.8 * tags + 0.2 * frequency
    expected = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, targets, weights, reduction="sum"
    )
    found = TagLogits(frequency, False, 0.2)(logits, tags, weights)
    torch.testing.assert_close(found, expected)
