"""An index of a folder's photos, and what is found with it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from model_makers import GREY, encoder_onnx
from training_makers import make_corpus

from lablr.bundle import Bundle
from lablr.corpus import Corpus
from lablr.errors import BrokenPhoto, IndexFolderError, PhotoError, RankingError
from lablr.fitting.fit import FitConfig, fit
from lablr.ranking.tagger import Tagger
from lablr.search.builder import build
from lablr.search.features import FeatureExtractor
from lablr.search.index import Index
from lablr.search.query import Query, Search

OLD_INDEX = Path(__file__).parent / "old" / "index"


@pytest.fixture(scope="module")
def corpus_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("corpus") / "corpus"
    make_corpus(folder, n_train=60, n_val=12, side=64)
    return folder


@pytest.fixture(scope="module")
def bundle(corpus_folder) -> Bundle:
    corpus = Corpus.open(corpus_folder)
    return fit(corpus, encoder_onnx(), GREY, FitConfig(shrinkage=30.0))


@pytest.fixture(scope="module")
def extractor(bundle) -> FeatureExtractor:
    return FeatureExtractor(Tagger(bundle))


@pytest.fixture
def photos(corpus_folder, tmp_path) -> Path:
    folder = tmp_path / "photos"
    (folder / "deep").mkdir(parents=True)
    for number, path in enumerate(sorted(corpus_folder.glob("*.jpg"))[:20]):
        shutil.copy2(path, folder / ("deep" if number % 2 else ".") / path.name)
    return folder


def counts(built) -> tuple[int, ...]:
    return (built.n_new, built.n_kept, built.n_moved, built.n_gone, built.n_failed)


def test_what_changed_is_looked_at_and_nothing_else(photos, extractor, tmp_path):
    folder = tmp_path / "index"
    first = build(str(photos), folder, extractor)
    assert counts(first) == (20, 0, 0, 0, 0)
    again = build(str(photos), folder, extractor)
    assert counts(again) == (0, 20, 0, 0, 0)
    names = sorted(entry.file for entry in again.index.entries)
    assert names == [entry.file for entry in again.index.entries]
    one, two, three = sorted(photos.glob("*.jpg"))[:3]
    one.rename(photos / "deep" / "elsewhere.jpg")
    two.unlink()
    shutil.copy2(sorted(photos.glob("deep/*.jpg"))[0], photos / "new.jpg")
    os.utime(three)  # only touched
    (photos / "broken.jpg").write_bytes(b"no photo")
    changed = build(str(photos), folder, extractor)
    # The copy is a photo that is known, by its bytes.
    assert counts(changed) == (0, 17, 3, 1, 1)
    assert changed.n_attempted == 21
    # Rows have gone with their photos.
    whole = build(str(photos), tmp_path / "fresh", extractor).index
    assert whole.entries == changed.index.entries
    for name in ("latents", "probabilities", "semantic"):
        ours, theirs = (
            getattr(whole.features, name),
            getattr(changed.index.features, name),
        )
        assert np.allclose(ours, theirs, atol=1e-3)


def test_a_photo_finds_itself_and_then_the_nearest(photos, extractor, tmp_path):
    index = build(str(photos), tmp_path / "index", extractor).index
    search = Search(Index.read(tmp_path / "index"), extractor)
    for row in (0, 7, 19):
        found = search.find(Query(photo=index.path(row)), k=5)
        assert found[0].row == row
        assert found[0].similarity == pytest.approx(1, abs=1e-5)
        cosines = index.features.latents @ index.features.latents[row]
        expected = sorted(cosines.tolist(), reverse=True)[:5]
        assert [one.similarity for one in found] == pytest.approx(expected, abs=1e-5)


def test_a_tag_finds_photos_by_its_probability(photos, extractor, tmp_path):
    index = build(str(photos), tmp_path / "index", extractor).index
    search = Search(index, extractor)
    tag = index.tags[2]
    found = search.find(Query(plus=(f" {tag.upper()} ",)), k=0)
    assert len(found) == 20
    chances = index.features.probabilities[[one.row for one in found], 2].astype(float)
    assert (np.diff(chances) <= 0).all()
    assert [one.similarity for one in found] == pytest.approx(chances, abs=1e-3)
    # Not a tag, plus and minus: the numbers change places.
    less = search.find(Query(minus=(tag,)), k=0)
    assert index.features.probabilities[less[0].row, 2] == chances.min()


def test_terms_add(photos, extractor, tmp_path):
    index = build(str(photos), tmp_path / "index", extractor).index
    search = Search(index, extractor)
    one, two = index.tags[:2]
    found = search.find(Query(photo=index.path(3), plus=(one,), minus=(two,)), k=0)

    def z(numbers):
        return (numbers - numbers.mean()) / numbers.std()

    chances = np.clip(index.features.probabilities.astype(float), 1e-7, 1 - 1e-4)
    odds = np.log(chances / (1 - chances))
    cosines = (index.features.latents @ index.features.latents[3]).astype(float)
    expected = z(cosines) + z(odds[:, 0]) - z(odds[:, 1])
    by_row = {each.row: each.similarity for each in found}
    assert [by_row[row] for row in range(20)] == pytest.approx(expected, abs=1e-4)


def test_queries_that_cannot_be_answered(photos, extractor, tmp_path):
    search = Search(build(str(photos), tmp_path / "index", extractor).index, extractor)
    with pytest.raises(ValueError, match="a photo or a word"):
        search.find(Query())
    with pytest.raises(ValueError, match="at most 20"):
        search.find(Query(plus=("sky",) * 21))
    with pytest.raises(RankingError, match="no words but its tags"):
        search.find(Query(plus=("a sleepy walrus",)))
    (tmp_path / "broken.jpg").write_bytes(b"no photo")
    with pytest.raises(PhotoError):
        search.find(Query(photo=tmp_path / "broken.jpg"))
    assert not issubclass(BrokenPhoto, ValueError)


def test_another_model_is_refused_and_looked_at_anew(
    photos, extractor, bundle, tmp_path, caplog
):
    from dataclasses import replace

    index = build(str(photos), tmp_path / "index", extractor).index
    other = FeatureExtractor(Tagger(replace(bundle, model_card="# another")))
    with pytest.raises(IndexFolderError, match="another model"):
        Search(index, other)
    assert counts(build(str(photos), tmp_path / "index", other))[0] == 20
    assert "of another model" in caplog.text


def test_a_broken_index_is_said_and_made_anew(photos, extractor, tmp_path, caplog):
    folder = tmp_path / "index"
    with pytest.raises(IndexFolderError, match="lablr index makes one"):
        Index.read(folder)
    build(str(photos), folder, extractor)
    for damage in ("index.json", "latents-*.npy", "photos-*.jsonl", "chances-*.npy"):
        (path,) = folder.glob(damage)
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(IndexFolderError):
            Index.read(folder)
        path.unlink()
        with pytest.raises(IndexFolderError):
            Index.read(folder)
        path.write_bytes(whole)
    (path,) = folder.glob("latents-*.npy")
    path.write_bytes(b"")
    assert counts(build(str(photos), folder, extractor))[0] == 20
    assert len(Index.read(folder)) == 20
    # One generation remains.
    assert len(list(folder.iterdir())) == 5


def test_an_index_of_an_earlier_version_is_read():
    """A folder that an earlier Lablr wrote, under the same names of files."""
    index = Index.read(OLD_INDEX)
    assert [entry.file for entry in index.entries] == [
        "a.jpg",
        "deep/b.jpg",
        "deep/café.jpg",
    ]
    assert (index.tags, index.model) == (("beach", "dog"), "ab" * 32)
    assert index.path(1) == Path("/photos/deep/b.jpg")
    assert np.linalg.norm(index.features.latents, axis=1) == pytest.approx(1)
    assert index.features.probabilities[:, 0] == pytest.approx(
        [0.9, 0.2, 0.5], abs=1e-3
    )
    assert index.features.semantic.shape == (3, 0)


def test_a_folder_of_something_else_is_left_alone(photos, extractor, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(IndexFolderError, match="holds something else"):
        build(str(photos), tmp_path / "mine", extractor)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]


def test_what_was_seen_is_kept_when_interrupted(photos, extractor, tmp_path):
    def interrupted(items, n, label=""):
        for number, item in enumerate(items):
            if number == 1:
                raise KeyboardInterrupt
            yield item

    with pytest.raises(KeyboardInterrupt):
        build(str(photos), tmp_path / "index", extractor, progress=interrupted)
    assert len(Index.read(tmp_path / "index")) == 16
    rest = build(str(photos), tmp_path / "index", extractor)
    assert counts(rest) == (4, 16, 0, 0, 0)


def test_links_are_not_followed(photos, extractor, tmp_path):
    (tmp_path / "outside.jpg").write_bytes(next(photos.glob("*.jpg")).read_bytes())
    (photos / "link.jpg").symlink_to(tmp_path / "outside.jpg")
    built = build(str(photos), tmp_path / "index", extractor)
    assert "link.jpg" not in {entry.file for entry in built.index.entries}


def test_very_many_photos_are_found_by_their_graph(
    photos, extractor, tmp_path, monkeypatch
):
    """The graph answers as comparing all does, where it finds all there is."""
    exact = Search(build(str(photos), tmp_path / "exact", extractor).index, extractor)
    for name in ("index", "nearest"):
        monkeypatch.setattr(f"lablr.search.{name}.EXACT_UP_TO", 10)
    build(str(photos), tmp_path / "graph", extractor)
    index = Index.read(tmp_path / "graph")
    assert index.graph is not None
    query = Query(photo=index.path(4))
    found = Search(index, extractor).find(query, k=6)
    expected = exact.find(query, k=6)
    assert [one.row for one in found] == [one.row for one in expected]
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.similarity == pytest.approx(theirs.similarity, abs=1e-6)
    (graph,) = (tmp_path / "graph").glob("graph-*")
    graph.write_bytes(graph.read_bytes()[:100])
    with pytest.raises(IndexFolderError):
        Index.read(tmp_path / "graph")
