"""``lablr learn`` from end to end: a database, real photos, a bundle, and back."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from database_makers import database_url, postgresql
from model_makers import GREY, SIZE, draw_photos, encoder_onnx, make_bundle
from PIL import Image
from skimage.data import astronaut

from lablr.annotation.consensus import read_consensus
from lablr.annotation.database.database import Database
from lablr.annotation.database.records import Consensus, ModelRecord, StoredPhoto
from lablr.annotation.update.annotated_photos import encode_annotated_photos
from lablr.annotation.update.learned_bundle import DEFAULT_WEIGHT, previous_folder
from lablr.bundle import Bundle
from lablr.cli import main
from lablr.cli.learn import learn_command
from lablr.encoders.encoder import Encoder
from lablr.photos import read_image

__all__ = ["database_url", "postgresql"]

N_PHOTOS = 60
TAGS = ("bright", "dark", "red")


def crops(folder: Path) -> list[Path]:
    """Crops of a real photo, brightened and darkened."""
    whole = Image.fromarray(astronaut())
    rng = np.random.default_rng(0)
    places = []
    for number in range(N_PHOTOS):
        left, top = rng.integers(0, 400, size=2).tolist()
        crop = whole.crop((left, top, left + 100, top + 100))
        factor = 0.4 + 1.2 * rng.random()
        place = folder / f"{number:02}.png"
        Image.eval(crop, lambda v, f=factor: min(255, int(v * f))).save(place)
        places.append(place)
    return places


def own_tags(places: list[Path]) -> np.ndarray:
    """(N, 3) by mean colours: which crops are brighter, darker, redder than most."""
    means = np.stack([np.asarray(Image.open(p), float).mean((0, 1)) for p in places])
    light, red = means.mean(axis=1), means[:, 0] - means[:, 2]
    return np.stack(
        [light > np.median(light), light <= np.median(light), red > np.median(red)], 1
    )


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> tuple[Path, list[Path], np.ndarray]:
    """A folder with a bundle fitted to a third of the crops, and all crops."""
    folder = tmp_path_factory.mktemp("learning")
    (folder / "photos").mkdir()
    places = crops(folder / "photos")
    own = own_tags(places)
    images = np.stack([read_image(place, SIZE) for place in places])
    encoder = Encoder(encoder_onnx(), GREY)
    drawn = draw_photos(N_PHOTOS)
    photos = dataclasses.replace(
        drawn,
        latents=encoder.encode(images),
        mirrored=encoder.encode(images[:, :, ::-1]),
        membership=own,
        sources=np.full(N_PHOTOS, "crops"),
        is_validation=np.arange(N_PHOTOS) % 4 == 3,
        tags=TAGS,
    )
    make_bundle(photos.rows(np.arange(N_PHOTOS) < 32)).save(folder / "bundle")
    records = [
        {
            "file": f"photos/{place.name}",
            "tags": [tag for tag, has in zip(TAGS, carries, strict=True) if has],
            "split": "val",
        }
        for place, carries in zip(places, own, strict=True)
    ]
    lines = "".join(json.dumps(record) + "\n" for record in records[:32])
    (folder / "photos.jsonl").write_text(lines)
    return folder, places, own


@pytest.fixture
def judgements(world, tmp_path: Path) -> str:
    """A database in which photos 32 to 59 are judged by their own tags."""
    url = str(tmp_path / "judgements.sqlite")
    with Database(url) as database:
        fill(database, *world)
    return url


def fill(database: Database, folder: Path, places: list[Path], own: np.ndarray) -> None:
    chosen = range(32, N_PHOTOS)
    predicted = [(tag, 0.5) for tag in TAGS]
    database.store_predictions(
        ModelRecord.of(Bundle.load(folder / "bundle"), "crops"),
        ((StoredPhoto(str(i), str(places[i])), predicted) for i in chosen),
    )
    database.add_rater("ann")
    for i in chosen:
        said = dict(zip(TAGS, own[i].tolist(), strict=True))
        decisions = {tag: "yes" if has else "no" for tag, has in said.items()}
        if i < 38:
            decisions["crop"] = "typed"
        verdict = "top_right" if said["bright"] else "one_of_k_right"
        database.rate("ann", str(i), verdict, decisions)


def lablr(*words: object) -> Result:
    return CliRunner().invoke(main, [str(word) for word in words])


def test_learning_from_a_database(world, database_url: str, tmp_path: Path) -> None:
    folder, *_ = world
    with Database(database_url) as database:
        fill(database, *world)
    out = tmp_path / "learned"
    words = ("learn", "--from", database_url, "--bundle", folder / "bundle")
    done = lablr(*words, "--out", out, "--json")
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    learned, before = Bundle.load(out), Bundle.load(folder / "bundle")
    assert report["written"] == learned.digest
    assert report["n_photos"] == 28
    assert learned.tags == ("bright", "crop", "dark", "red")
    assert learned.provenance["learned"]["from_bundle"] == before.digest
    assert learned.provenance["learned"]["previous"] is None
    assert {tag["tag"]: tag["n_accepted"] for tag in report["tags"]}["crop"] == 6
    suggested = lablr("suggest", folder / "photos/40.png", "--bundle", out, "--json")
    assert suggested.exit_code == 0, suggested.output


def test_a_dry_run_writes_nothing(world, judgements: str, tmp_path: Path) -> None:
    folder, *_ = world
    words = ("learn", "--from", judgements, "--bundle", folder / "bundle")
    done = lablr(*words, "--out", tmp_path / "learned", "--dry-run")
    assert done.exit_code == 0, done.output
    assert not (tmp_path / "learned").exists()
    lines = done.stdout.splitlines()
    assert lines[0].split()[:3] == ["tag", "before", "after"]
    assert [line.split()[0] for line in lines[1:5]] == [
        "bright",
        "crop",
        "dark",
        "red",
    ]
    assert lines[5] == "28 photos, 90 decisions"
    assert lines[6].startswith("macro AP of judged photos: ")


def test_in_place_and_undone(world, judgements: str, tmp_path: Path) -> None:
    folder, *_ = world
    place = tmp_path / "bundle"
    before = Bundle.load(folder / "bundle")
    before.save(place)
    words = ("learn", "--from", judgements, "--bundle", place, "--out", place)
    assert lablr(*words).exit_code == 0
    learned = Bundle.load(place)
    assert learned.digest != before.digest
    assert learned.provenance["learned"]["previous"] == before.digest
    assert Bundle.load(previous_folder(place)).digest == before.digest
    undone = lablr("learn", "--undo", place, "--json")
    assert undone.exit_code == 0, undone.output
    assert json.loads(undone.stdout) == {"restored": before.digest}
    assert Bundle.load(place).digest == before.digest
    again = lablr("learn", "--undo", place)
    assert again.exit_code == 1
    assert "has taken the place of no other bundle" in again.stderr


def test_another_bundle_is_not_put_back(world, judgements: str, tmp_path: Path) -> None:
    folder, *_ = world
    place = tmp_path / "bundle"
    before = Bundle.load(folder / "bundle")
    before.save(place)
    words = ("learn", "--from", judgements, "--bundle", place, "--out", place)
    assert lablr(*words).exit_code == 0
    learned = Bundle.load(place).digest
    dataclasses.replace(before, model_card="# Other").save(previous_folder(place))
    refused = lablr("learn", "--undo", place)
    assert refused.exit_code == 1
    assert "expected digest" in refused.stderr
    assert Bundle.load(place).digest == learned


def test_what_is_worse_is_refused(world, tmp_path: Path) -> None:
    """Wrong answers that validation photos contradict; --force believes them."""
    folder, places, own = world
    url, out = str(tmp_path / "wrong.sqlite"), tmp_path / "learned"
    with Database(url) as database:
        fill(database, folder, places, ~own)
    words = ("learn", "--from", url, "--bundle", folder / "bundle", "--out", out)
    words += ("--weight", 50, "--corpus", folder)
    refused = lablr(*words, "--json")
    assert refused.exit_code == 1
    assert "macro AP of validation photos" in refused.stderr
    assert json.loads(refused.stdout)["refused"] is True
    assert not out.exists()
    forced = lablr(*words, "--force")
    assert forced.exit_code == 0, forced.output
    assert Bundle.load(out).provenance["learned"]["n_photos"] == 28


def test_photos_that_are_gone_are_left_out(world, judgements, tmp_path) -> None:
    folder, places, _ = world
    encoder = Encoder(encoder_onnx(), GREY)
    yes = frozenset({"bright"})
    said = [
        Consensus("gone", "gone.png", yes, frozenset(), yes),
        Consensus("there", places[0].name, frozenset(), yes, yes),
    ]
    found = encode_annotated_photos(said, encoder, False, base=folder / "photos")
    assert found.names == ("there",)
    assert found.rejected.tolist() == [[True]]
    expected = encoder.encode(read_image(places[0], SIZE)[None])
    np.testing.assert_allclose(found.latents, expected, rtol=1e-5, atol=1e-5)


def test_without_a_database(tmp_path: Path) -> None:
    done = lablr("learn", "--from", tmp_path / "none.sqlite", "--dry-run")
    assert done.exit_code == 1
    assert done.stderr.startswith("lablr: error: ")
    empty = str(tmp_path / "empty.sqlite")
    Database(empty).close()
    done = lablr("learn", "--from", empty, "--dry-run")
    assert "holds no judgements" in done.stderr
    assert lablr("learn", "--from", empty).exit_code == 2


def test_the_default_weight_is_the_librarys() -> None:
    weight = next(p for p in learn_command.params if p.name == "weight")
    assert weight.default == DEFAULT_WEIGHT


# --- what a database says


@pytest.fixture
def shown(tmp_path: Path) -> Database:
    """Three tags shown of four photos, to three raters."""
    with Database(str(tmp_path / "shown.sqlite")) as database:
        model = ModelRecord.of(make_bundle(draw_photos()), "drawn")
        predicted = [("a", 0.9), ("b", 0.5), ("c", 0.1)]
        names = ("p1", "p2", "p3", "p4")
        database.store_predictions(
            model, ((StoredPhoto(name, f"{name}.jpg"), predicted) for name in names)
        )
        for rater in ("ann", "bob", "eve"):
            database.add_rater(rater)
        yield database


def said(database: Database) -> dict[str, tuple[set[str], set[str], set[str]]]:
    return {
        one.photo: (set(one.accepted), set(one.rejected), set(one.asked))
        for one in read_consensus(database)
    }


def test_only_what_was_asked_calibrates(shown: Database) -> None:
    shown.rate("ann", "p1", "top_right")
    shown.rate("ann", "p2", "none_right", k=3)
    shown.rate("ann", "p3", "one_of_k_right", {"b": "yes", "dog": "typed"}, k=3)
    each = {"a": "no", "b": "yes", "c": "no"}
    shown.rate("ann", "p4", "one_of_k_right", each, k=3)
    assert said(shown) == {
        "p1": ({"a"}, set(), {"a"}),
        "p2": (set(), {"a", "b", "c"}, {"a"}),
        "p3": ({"b", "dog"}, {"a"}, {"a"}),
        "p4": ({"b"}, {"a", "c"}, {"a", "b", "c"}),
    }


def test_raters_vote(shown: Database) -> None:
    shown.rate("ann", "p1", "top_right")
    shown.rate("bob", "p1", "none_right")
    assert said(shown)["p1"] == (set(), {"b", "c"}, set())
    shown.rate("eve", "p1", "top_right")
    assert said(shown)["p1"] == ({"a"}, {"b", "c"}, {"a"})
    shown.undo("eve")
    assert said(shown)["p1"] == (set(), {"b", "c"}, set())
