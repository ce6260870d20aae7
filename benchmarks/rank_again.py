"""Ranking again: what the server takes once a tag is accepted."""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from benchmarks.photos import megapixel_jpegs
from benchmarks.reporting import Report, Table, Target, run_as_command
from benchmarks.timing import milliseconds, times_in_turns
from webapp import create_app

METHOD = """\
The application in this process, without a network, with a photo of 1280 x 854 pixels
that it has seen before. The page sends the photo's latent with one accepted tag and
gets ten others; for the photo on show with its three figures and six training photos
besides. The desk stores the step (one transaction, flushed to the disk) and then asks
for the ten suggestions, with those of the file's own tags and of photos like it."""

PAGE, DESK, WITH_FIGURES = "the page", "the desk", "the page, with figures"


class Desk:
    """A desk of one photo, and a page that keeps its latent; each way is a call."""

    def __init__(self, folder: Path) -> None:
        photos = folder / "photos"
        photos.mkdir()
        (photos / "a.jpg").write_bytes(megapixel_jpegs()[0])
        self.client = create_app({"DESK": str(photos)}).test_client()
        (photo,) = self.client.get("/desk/photos").get_json()["photos"]
        self.number = photo["id"]
        with (photos / "a.jpg").open("rb") as file:
            answer = self.client.post(
                "/api/v1/suggestions?latent=1", data={"photo": file}
            ).get_json()
        self.tag = answer["tags"][0]["tag"]
        self.seen = {name: answer[name] for name in ("latent", "features")}
        self.verdicts = ("accept", "reject")

    def page(self, query: str = "") -> None:
        answer = self.client.post(
            f"/api/v1/rankings?accepted={self.tag}{query}", json=self.seen
        )
        assert answer.get_json()["accepted"] == [self.tag]

    def page_with_figures(self) -> None:
        self.page("&map=1&figures=wide&because=6")

    def desk(self) -> None:
        # another one each time: a step that changes nothing is none
        self.verdicts = self.verdicts[::-1]
        step = {"photos": [self.number], self.verdicts[0]: [self.tag]}
        assert self.client.post("/desk/steps", json=step).status_code == 200
        address = f"/desk/photos/{self.number}/suggestions?k=10"
        assert len(self.client.get(address).get_json()["suggestions"]) > 0


def measure(words: argparse.Namespace) -> Report:
    with tempfile.TemporaryDirectory() as folder:
        os.environ["LABLR_STATE"] = folder
        desk = Desk(Path(folder))
        ways = {
            PAGE: desk.page,
            WITH_FIGURES: desk.page_with_figures,
            DESK: desk.desk,
        }
        times = times_in_turns(ways, 3 if words.quick else 200, n_warm_up=1)
    spreads = {name: milliseconds(own) for name, own in times.items()}
    return Report(
        title="Ranking again",
        method=METHOD,
        tables=[
            Table(
                ("what is asked", "ms"),
                [[name, spread.text()] for name, spread in spreads.items()],
            )
        ],
        targets=[
            Target(f"ranking again, {name}", 30, spread.median, "ms")
            for name, spread in spreads.items()
        ],
    )


if __name__ == "__main__":
    run_as_command(measure)
