"""What the desk stores."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from database_makers import on_both, rows_of
from desk_makers import Client, desk_app
from judging_pages import SECRET

from lablr.annotation.desk.files import FolderPhoto
from lablr.annotation.desk.records import EncodedFile, TagDecisions
from lablr.annotation.desk.store import DeskStore
from lablr.errors import DeskError
from webapp.state import state_of

FOLDER = Path("/photos")


def files(*names: str) -> list[FolderPhoto]:
    return [FolderPhoto(FOLDER, FOLDER / name, (1, 1 << 60)) for name in names]


def accepted(*tags: str) -> TagDecisions:
    return TagDecisions({"accepted": tags})


@pytest.fixture
def open_store(database, clock) -> Callable[..., DeskStore]:
    return lambda desk="/photos": DeskStore(lambda: database, desk, clock)


@pytest.fixture
def store(open_store) -> DeskStore:
    return open_store()


def test_steps_are_taken_back_one_by_one(store):
    ids = [*store.numbers(files("a.jpg", "b.jpg")).values()]
    store.record_step(ids, TagDecisions({"accepted": ["dog"], "rejected": ["cat"]}))
    store.record_step(ids[:1], TagDecisions({"typed": ["Zürich"], "cleared": ["dog"]}))
    assert store.states(ids)[ids[0]].tags("accepted") == []
    said, changed = store.undo()
    assert (said, changed) == ("typed Zürich; cleared dog on 1 photo", ids[:1])
    assert store.states(ids)[ids[0]].tags("accepted") == ["dog"]
    said, changed = store.undo()
    assert (said, changed) == ("accepted dog; rejected cat on 2 photos", ids)
    assert store.states(ids)[ids[0]].marks == {}
    with pytest.raises(DeskError) as refused:
        store.undo()
    assert refused.value.code == "nothing_to_undo"


def test_another_desk_is_another(store, open_store):
    other = open_store("/others")
    (number,) = store.numbers(files("a.jpg")).values()
    store.record_step([number], accepted("dog"))
    assert other.n_steps() == 0
    with pytest.raises(DeskError):
        other.undo()
    assert store.n_steps() == 1


@on_both
def test_a_latent_comes_back_as_it_was(store):
    (number,) = store.numbers(files("a.jpg")).values()
    latent = np.random.default_rng(0).normal(size=8).astype(np.float32)
    stamp = 5 << 32, 1_700_000_000_123_456_789
    store.store_encoded(number, EncodedFile("model", stamp, latent))
    seen = store.states([number], latents=True)[number].encoded
    assert (seen.model, seen.stamp) == ("model", stamp)
    assert seen.latent.tobytes() == latent.tobytes()
    store.store_encoded(
        number, EncodedFile("model", stamp, None, "broken_photo", "Broken.")
    )
    seen = store.states([number], latents=True)[number].encoded
    assert (seen.latent, seen.code, seen.message) == (None, "broken_photo", "Broken.")


@on_both
def test_many_at_once_take_steps(open_store, database):
    stores = [open_store() for _ in range(4)]
    names = [f"{n}.jpg" for n in range(20)]

    def work(number: int) -> list[int]:
        ids = [*stores[number].numbers(files(*names)).values()]
        for step in range(5):
            stores[number].record_step(ids, accepted(f"tag{number}{step}"))
        return ids

    with ThreadPoolExecutor(4) as threads:
        first, *others = threads.map(work, range(4))
    assert all(ids == first for ids in others)
    assert rows_of(database, "desk_photos") == 20
    assert stores[0].n_steps() == 20
    states = stores[0].states(first)
    assert all(len(state.tags("accepted")) == 20 for state in states.values())
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda store: [store.undo() for _ in range(5)], stores))
    assert stores[0].n_steps() == rows_of(database, "desk_changes") == 0


@on_both
def test_thousands_of_photos_are_one_step(store):
    numbers = store.numbers(files(*(f"{n}.jpg" for n in range(11_000))))
    ids = [*numbers.values()]
    store.record_step(ids, accepted("dog"))
    assert sum(map(len, (s.marks for s in store.states(ids).values()))) == 11_000
    assert store.undo()[0] == "accepted dog on 11,000 photos"


def test_the_desk_uses_the_database_of_judgements(
    database, database_url, folder, small_model, state
):
    settings = {"DATABASE": database_url, "SECRET_KEY": SECRET}
    apps = [desk_app(folder, small_model, **settings) for _ in range(2)]
    desk, again = (Client(app.test_client()) for app in apps)
    ids = desk.ids()
    desk.ask(ids[0])
    desk.post("steps", {"photos": ids, "accept": ["tag00000"]})
    assert len(desk.post("write", {"photos": None})) == 4
    assert rows_of(database, "desk_changes") == rows_of(database, "desk_written") == 3
    assert rows_of(database, "desk_descriptions") == 1
    assert len(again.post("write/undo", {})) == 4
    assert again.post("undo", {})["n_steps"] == 0
    assert not (state / "desk" / "desk.sqlite").exists()
    for app in apps:
        state_of(app).judging.database.close()
