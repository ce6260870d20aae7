"""Rating: what the server takes for the page, an answer and a photo."""

from __future__ import annotations

import argparse
import re
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from benchmarks.photos import megapixel_jpegs
from benchmarks.reporting import Report, Table, run_as_command
from benchmarks.timing import milliseconds, times_in_turns
from lablr.annotation.database.database import Database
from lablr.annotation.database.records import ModelRecord, StoredPhoto
from webapp import create_app

METHOD = """\
The application in this process, without a network, on an SQLite file: the rating page;
storing an answer (one transaction, flushed to the disk, and the next question's
markup); a photo of 1280 x 854 pixels, decoded and encoded anew; and the same photo when
the browser has it already."""

TAGS = [(f"tag{i}", 0.9 - 0.15 * i) for i in range(5)]


class Rater:
    """Signed in, with photos to judge; each way is a call."""

    def __init__(self, folder: Path, n_photos: int) -> None:
        path, photo = folder / "judgements.sqlite", folder / "photo.jpg"
        photo.write_bytes(megapixel_jpegs()[0])
        with Database(str(path)) as database:
            model = ModelRecord("0" * 64, "benchmark", datetime.now(timezone.utc))
            database.store_predictions(
                model,
                ((StoredPhoto(str(i), str(photo)), TAGS) for i in range(n_photos)),
            )
        app = create_app({"DATABASE": str(path), "SECRET_KEY": "benchmark" * 4})
        self.client = app.test_client()
        csrf = self._fields(self.client.get("/rate/sign-in").text)["csrf"]
        self.client.post("/rate/sign-in", data={"csrf": csrf, "name": "ann"})
        self.fields = self._fields(self.client.get("/rate").text)
        self.etag = self.client.get("/rate/photos/1").headers["ETag"]

    def _fields(self, page: str) -> dict[str, str]:
        return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page))

    def page(self) -> None:
        assert self.client.get("/rate").status_code == 200

    def answer(self) -> None:
        answer = self.client.post(
            "/rate/ratings",
            data={**self.fields, "verdict": "top_right"},
            headers={"Accept": "application/json"},
        )
        self.fields = self._fields(answer.get_json()["html"])

    def photo(self) -> None:
        assert self.client.get("/rate/photos/1").status_code == 200

    def photo_again(self) -> None:
        headers = {"If-None-Match": self.etag}
        assert self.client.get("/rate/photos/1", headers=headers).status_code == 304


def measure(words: argparse.Namespace) -> Report:
    n_photos, n_rounds = (100, 3) if words.quick else (10_000, 200)
    with tempfile.TemporaryDirectory() as folder:
        rater = Rater(Path(folder), n_photos)
        ways = {
            "the page": rater.page,
            "storing an answer": rater.answer,
            "a photo": rater.photo,
            "a photo that the browser has": rater.photo_again,
        }
        times = times_in_turns(ways, n_rounds)
    rows = [[name, milliseconds(own).text()] for name, own in times.items()]
    return Report(
        title=f"Rating, {n_photos:,} photos",
        method=METHOD,
        tables=[Table(("request", "ms"), rows)],
        targets=[],
    )


if __name__ == "__main__":
    run_as_command(measure)
