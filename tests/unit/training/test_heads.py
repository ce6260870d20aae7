"""Heads learned from drawn photos: what they find, beside naive versions."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from head_makers import TAGS, drawn_photos, write_vectors
from training_makers import Heard, one_core  # noqa: F401

from lablr.encoders.text import WordVectors
from lablr.errors import TextError, TrainingError
from lablr.fitting.metrics import macro_average_precision
from lablr.system.progress import silent
from lablr.training.heads.descent import descend
from lablr.training.heads.judging import choose_held_out, figures, rank_unseen, table
from lablr.training.heads.learning import (
    learn_classifier,
    learn_semantic,
    learn_triplet,
)
from lablr.training.heads.objectives import TagLogits
from lablr.training.heads.run import embedded
from lablr.training.heads.settings import (
    ClassifierConfig,
    SemanticConfig,
    TripletConfig,
)

QUICK = {"epochs": 12, "batch_size": 50, "learning_rate": 0.02}
QUICK |= {"dropout": 0.1, "weight_decay": 0.01}


@pytest.fixture(scope="module")
def photos():
    return drawn_photos()


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    path = write_vectors(tmp_path_factory.mktemp("words") / "vectors.txt")
    return embedded(TAGS, "{}", path)[0]


def learn(method: str, photos, texts=None, **settings):
    if method == "classifier":
        return learn_classifier(photos, ClassifierConfig(**QUICK | settings))
    if method == "triplet":
        return learn_triplet(photos, TripletConfig(**QUICK | settings))
    return learn_semantic(photos, SemanticConfig(**QUICK | settings), texts)


def quality(method, photos) -> float:
    rows = photos.validation_rows
    return macro_average_precision(
        photos.membership[rows], method.logits(photos.of(rows))
    )


KINDS = [
    ("classifier", {}),
    ("classifier", {"hidden": 16, "heads": 2}),
    ("classifier", {"loss": "asymmetric", "label_smoothing": 0.1}),
    ("triplet", {"dimensions": 6}),
    ("triplet", {"dimensions": 6, "hidden": 16}),
    ("semantic", {}),
    ("semantic", {"loss": "cosine"}),
    ("semantic", {"loss": "rank"}),
]


# --- learning


@pytest.mark.parametrize(("method", "settings"), KINDS)
def test_a_head_finds_the_tags(photos, texts, method, settings):
    learned = learn(method, photos, texts, **settings)
    assert learned.method.name == method
    assert learned.method.tags == TAGS
    assert quality(learned.method, photos) > 0.85


@pytest.mark.parametrize(("method", "settings"), KINDS)
def test_a_seed_gives_the_same_bits(photos, texts, method, settings):
    once, again = (
        learn(method, photos, texts, **settings).method.to_arrays() for _ in range(2)
    )
    assert once.keys() == again.keys()
    for name, array in once.items():
        np.testing.assert_array_equal(array, again[name])
    if settings.get("loss") in {"cosine", "rank"} or method != "semantic":
        other = learn(method, photos, texts, seed=7, **settings).method.to_arrays()
        assert (other["weight_1"] != once["weight_1"]).any()


def test_several_heads_are_their_mean(photos):
    three = learn("classifier", photos, heads=3).method
    x = photos.of(photos.validation_rows)
    config = ClassifierConfig(**QUICK, heads=1, seed=0)
    # The seeds of three heads are 0, 1 and 2: those of single heads of such seeds.
    alone = [
        learn_classifier(photos, dataclasses.replace(config, seed=seed)).method
        for seed in range(3)
    ]
    mean = np.mean([head.logits(x) for head in alone], axis=0)
    np.testing.assert_allclose(three.logits(x), mean, rtol=1e-9, atol=1e-9)


def test_the_best_epoch_is_kept(photos):
    learned = learn("classifier", photos, heads=1, epochs=8, learning_rate=1.0)
    losses = [record["validation_loss"] for record in learned.history]
    rows = photos.validation_rows
    logits = torch.from_numpy(learned.method.logits(photos.of(rows)))
    tags = torch.from_numpy(photos.membership[rows].astype(float))
    loss = torch.nn.functional.binary_cross_entropy_with_logits(
        logits, tags, reduction="none"
    )
    assert float(loss.sum(dim=1).mean()) == pytest.approx(min(losses), rel=1e-4)


def test_training_stops_when_validation_no_longer_improves(photos):
    settings = {"heads": 1, "epochs": 40, "learning_rate": 3.0, "patience": 2}
    stopped = learn("classifier", photos, **settings).history
    losses = [record["validation_loss"] for record in stopped]
    assert len(losses) < 40
    assert losses.index(min(losses)) == len(losses) - 3
    whole = learn("classifier", photos, **settings | {"patience": 0, "epochs": 12})
    assert len(whole.history) == 12


def test_a_loss_that_is_lost_is_an_error(photos):
    views = photos.views.copy()
    views[photos.validation_rows[0]] = np.inf
    broken = dataclasses.replace(photos, views=views)
    with pytest.raises(TrainingError, match="lower learning_rate"):
        learn("classifier", broken)


def test_what_is_unknown_teaches_less(photos):
    """Of photos whose source never says "cat", a missing cat must not count."""
    hidden = photos.membership.copy()
    silent_source = photos.sources == "flickr"
    hidden[silent_source, TAGS.index("cat")] = False
    evidence = photos.evidence.copy()
    evidence[silent_source, TAGS.index("cat")] = 0.0
    believing = dataclasses.replace(photos, membership=hidden)
    knowing = dataclasses.replace(believing, evidence=evidence)
    x = photos.of(photos.validation_rows)
    cats = photos.membership[photos.validation_rows, TAGS.index("cat")]

    def chance(method):
        return method.logits(x)[cats, TAGS.index("cat")].mean()

    told, asked = (learn("classifier", seen).method for seen in (believing, knowing))
    assert chance(asked) > chance(told) + 0.3


def test_doubt_takes_wrong_tags_off(photos):
    """A tenth of the photos is said to show a cat; a head that doubts sees through."""
    generator = np.random.default_rng(5)
    wrong = photos.membership.copy()
    lied = np.zeros(len(wrong), bool)
    lied[generator.choice(photos.train_rows, 40, replace=False)] = True
    lied &= ~wrong[:, 1]
    wrong[lied, 1] = True
    noisy = dataclasses.replace(photos, membership=wrong)
    x = photos.of(np.flatnonzero(lied))
    settings = {"epochs": 20, "heads": 1, "mixup": 0, "patience": 0}
    believing = learn("classifier", noisy, **settings).method
    doubting = learn("classifier", noisy, doubt=0.2, **settings).method
    assert doubting.logits(x)[:, 1].mean() < believing.logits(x)[:, 1].mean() - 0.2


def test_ctrl_c_comes_through(photos):
    with pytest.raises(KeyboardInterrupt):
        descend(
            TagLogits(torch.full((5,), 0.2), False, 0.0),
            photos,
            ClassifierConfig(**QUICK),
            0,
            progress=Heard("descending", 2),
            label="descending",
        )


# --- the closed form


def test_the_ridge_is_the_minimum(photos, texts):
    """Of |X V U' - Y|^2 + a |V U'|^2 + b |X V|^2 + a b |V|^2 in V, where it is flat."""
    config = SemanticConfig(ridge=0.1, text_ridge=2.0)
    method = learn_semantic(photos, config, texts).method
    units = method.vectors_of(texts)
    rows = photos.train_rows
    assert len(rows) == 300  # a tenth of them is 30
    mean, scale = (part.astype(float) for part in photos.moments())
    views = [(photos.views[rows, v] - mean) / scale for v in (0, 1)]
    x = np.concatenate(views) / np.sqrt(2)
    y = photos.membership[rows] - photos.membership[rows].mean(axis=0)
    y = np.concatenate([y, y]) / np.sqrt(2)
    v = torch.tensor(method.layers.weights[0] * scale[:, None], requires_grad=True)
    xt, ut, yt = map(torch.tensor, (x, units, y))
    loss = (xt @ v @ ut.T - yt).square().sum() + 30 * (v @ ut.T).square().sum()
    loss = loss + 2 * (xt @ v).square().sum() + 60 * v.square().sum()
    loss.backward()
    assert v.grad.abs().max() < 1e-6 * (xt.T @ yt @ ut).abs().max()


def test_tags_that_say_the_same_are_refused(photos):
    with pytest.raises(TrainingError, match="at least two tags"):
        learn_semantic(photos, SemanticConfig(), np.ones((5, 8)))


# --- texts


def test_a_prompt_is_put_around_every_tag(tmp_path):
    path = write_vectors(tmp_path / "vectors.txt")
    found, digest = embedded(["cat", "dog"], "a photo of {}", path)
    words = WordVectors.load(path)
    expected = words.embed(["a photo of cat", "a photo of dog"])
    np.testing.assert_allclose(found, expected)
    assert digest == words.digest
    with pytest.raises(TextError, match="'unicorn'"):
        embedded(["cat", "unicorn"], "{}", path)


# --- tags never seen


def test_a_tag_never_seen_is_found_by_its_meaning(photos, texts):
    """ "sea" means nearly what "beach" does, and looks like it."""
    column = np.array([TAGS.index("sea")])
    known = photos.without_tags(column)
    assert known.tags == ("beach", "cat", "dog", "snow")
    config = SemanticConfig(**QUICK)
    method = learn_semantic(known, config, np.delete(texts, column, axis=0)).method
    unseen = rank_unseen(method, photos, texts, column)
    assert unseen.tags == ("sea",)
    assert unseen.median_rank <= 2
    rows = photos.validation_rows
    novel = [False, False, False, True, False]
    scores = method.scores_of(photos.of(rows), texts, novel)
    with_sea = photos.membership[rows, column[0]]
    expected = [
        1 + sum(score > row[column[0]] for score in row) for row in scores[with_sea]
    ]
    assert list(unseen.ranks) == expected


def test_held_out_tags_are_drawn_by_the_seed(photos):
    drawn = choose_held_out(photos, 3, seed=1)
    np.testing.assert_array_equal(drawn, choose_held_out(photos, 3, seed=1))
    assert len(set(drawn.tolist())) == 3
    others = [choose_held_out(photos, 3, seed).tolist() for seed in range(2, 8)]
    assert any(other != drawn.tolist() for other in others)
    with pytest.raises(TrainingError, match="4 of 5 tags cannot be held out"):
        choose_held_out(photos, 4, seed=1)
    few = dataclasses.replace(photos, train_rows=photos.train_rows[:40])
    with pytest.raises(TrainingError, match="have 20 training photos"):
        choose_held_out(few, 3, seed=1)


# --- figures


def test_accuracy_is_counted_as_the_seed_did(photos):
    method = learn("classifier", photos).method
    found = {one.report.source: one for one in figures(method, photos)}
    assert list(found) == ["flickr", "scenes", "all"] or list(found)[-1] == "all"
    relevant = photos.membership[photos.validation_rows]
    assert found["all"].accuracy_of_none == pytest.approx(1 - relevant.mean())
    assert found["all"].accuracy > found["all"].accuracy_of_none
    assert found["all"].report.macro_average_precision == pytest.approx(
        quality(method, photos)
    )
    rows = table(list(found.values()))
    assert rows[0][0] == "photos"
    assert rows[-1][0] == "all"
    assert rows[-1][4] == f"{found['all'].accuracy:.3f}"


# --- settings


@pytest.mark.parametrize(
    ("config", "settings", "message"),
    [
        (ClassifierConfig, {"dropout": 1.0}, "dropout is 1.0: give 0 to 0.99"),
        (ClassifierConfig, {"loss": "rank"}, "give cross-entropy or asymmetric"),
        (TripletConfig, {"inputs": "pixels"}, "give latents or features"),
        (SemanticConfig, {"prompt": "a photo"}, "write {} for the tag"),
        (SemanticConfig, {"ridge": float("nan")}, "ridge is nan"),
    ],
)
def test_settings_that_make_no_sense_are_refused(config, settings, message):
    with pytest.raises(TrainingError, match=message):
        config(**settings)


def test_nothing_is_said_without_progress(photos):
    heard = Heard()
    learn_classifier(photos, ClassifierConfig(**QUICK, heads=2), heard)
    assert heard.labels == ["head 1 of 2", "head 2 of 2"]
    learn_triplet(photos, TripletConfig(**QUICK), silent)
