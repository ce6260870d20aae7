"""Databases of earlier versions are brought up to date, with all that they hold."""

from __future__ import annotations

import gzip
from pathlib import Path

from alembic import command
from alembic.config import Config
from database_makers import MODEL, drawn_photos, on_both

from lablr.annotation.consensus import read_consensus
from lablr.annotation.database.database import Database
from lablr.annotation.database.engine import make_engine, parse_url
from lablr.annotation.database.migrations import VERSIONS
from lablr.annotation.desk.files import FolderPhoto
from lablr.annotation.desk.records import TagDecisions
from lablr.annotation.desk.store import DeskStore

# Written by the first Lablr with a database, whose tables have version 0001.
OLD_FILE = Path(__file__).parent / "old" / "judgements_0001.sqlite.gz"


def test_a_file_of_version_0001_keeps_its_ratings(tmp_path):
    path = tmp_path / "judgements.sqlite"
    path.write_bytes(gzip.decompress(OLD_FILE.read_bytes()))
    with Database(str(path)) as database:
        assert [model.name for model in database.models()] == ["first try"]
        progress = database.progress("ann")
        assert (progress.n_rated, progress.n_skipped, progress.n_left) == (2, 1, 1)
        assert database.may_sign_in("Zoé", "correct horse")
        first, second = read_consensus(database)
        assert (first.photo, first.place) == ("photo-0", "photos/0.jpg")
        assert first.accepted == {"seaside"}
        assert first.rejected == {"dog", "zürich"}  # ann and Zoé split on the first
        assert (second.accepted, second.rejected) == ({"dog"}, {"beach"})
        assert database.rate("ann", "photo-1", "top_right", token="t1").k == 3
        take_one_step(database)


@on_both
def test_the_tables_of_version_0001_are_brought_up(database_url):
    engine = make_engine(parse_url(database_url))
    if engine.dialect.name == "sqlite":
        Path(engine.url.database).touch()
    config = Config()
    config.set_main_option("script_location", str(VERSIONS.parent))
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
    engine.dispose()
    with Database(database_url) as database:
        database.store_predictions(MODEL, drawn_photos(2))
        take_one_step(database)


def take_one_step(database: Database) -> None:
    store = DeskStore(lambda: database, "/photos")
    folder = Path("/photos")
    files = [FolderPhoto(folder, folder / "a.jpg", (1, 1))]
    (number,) = store.numbers(files).values()
    store.record_step([number], TagDecisions({"accepted": ["dog"]}))
    assert store.n_steps() == 1
