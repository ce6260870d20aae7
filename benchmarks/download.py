"""`lablr download` against the loop that Lablr began with, on a local Flickr."""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.request import urlretrieve

from benchmarks.reporting import Report, Table, Target, run_as_command, say
from benchmarks.timing import Spread, Times, ratios, times_in_turns

if TYPE_CHECKING:
    from flickr_server import Album

METHOD = """\
{n_photos} JPEGs of {side} x {side} pixels ({kilobytes:.0f} kB each) under two tags,
from the local Flickr of the tests, in a process of its own on the same machine. `lablr
download` is the whole command with its start, its checks of every photo, its journal,
and every file flushed to the disk; it fetches 16 at a time, as it does by default.
The loop is the first Lablr's: flickrapi page by page (its `walk` is broken on today's
Python), then one `urlretrieve` after the other; it is timed without its start, checks
nothing and cannot go on where it stopped.

A photo host is some way off. "20 ms a picture" is a server that takes so long to answer
and connects in no time. "A round trip of 20 ms" is what HTTPS costs at that distance:
one for each picture, and two more for each new connection (TCP, TLS 1.3), of which the
loop makes one for each picture."""

ROOT = Path(__file__).parent.parent
TAGS = ("night", "tree")  # every seventh photo of the album has the one or the other
SIDE = 240
ROUND_TRIP_S = 0.02


@dataclass(frozen=True)
class Host:
    """How far off the photo host is, in seconds."""

    picture_s: float
    connection_s: float


HOSTS = {
    "0 ms": Host(0, 0),
    "20 ms a picture": Host(ROUND_TRIP_S, 0),
    "a round trip of 20 ms": Host(ROUND_TRIP_S, 2 * ROUND_TRIP_S),
}


def album(n_photos: int) -> Album:
    """An album with `n_photos` under the two tags together."""
    from flickr_server import Album

    return Album(n_photos * 7 // 2, SIDE)


def serve(n_photos: int, host: Host, parent: Connection) -> None:
    """Serve until the parent says something; every picture lies ready."""
    from flickr_server import serving

    with serving(album(n_photos)) as server:
        for number in itertools.chain.from_iterable(map(server.album.numbers_of, TAGS)):
            server.album.picture(number)
        server.picture_s, server.connection_s = host.picture_s, host.connection_s
        parent.send(server.url)
        parent.recv()


@contextmanager
def local_flickr(n_photos: int, host: Host) -> Iterator[str]:
    """A Flickr in a process of its own; yields its address."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(n_photos, host, theirs))
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send("enough")
        process.join()


def lablr_download(url: str, out: Path, n_photos: int) -> None:
    """The command, as a person types it."""
    from flickr_server import KEY, SECRET

    words = ["--tags", ",".join(TAGS), "--per-tag", str(n_photos // 2)]
    subprocess.run(
        [sys.executable, "-m", "lablr", "download", *words, "--out", str(out)],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "LABLR_FLICKR_URL": url,
            "LABLR_FLICKR_KEY": KEY,
            "LABLR_FLICKR_SECRET": SECRET,
            "XDG_STATE_HOME": str(out.parent / "state"),
        },
        capture_output=True,
        check=True,
    )
    _check(out / "photos", n_photos)


def plain_loop(url: str, out: Path, n_photos: int) -> None:
    """Pages one after the other, and then pictures one after the other."""
    import flickrapi
    from flickr_server import KEY, SECRET

    out.mkdir()
    api = flickrapi.FlickrAPI(KEY, SECRET, format="parsed-json", store_token=False)
    api.REST_URL = f"{url}/services/rest/"
    for tag in TAGS:
        for page in itertools.count(1):
            found = api.photos.search(
                tags=tag,
                tag_mode="all",
                sort="relevance",
                extras="url_c",
                per_page=100,
                page=page,
            )["photos"]
            for photo in found["photo"]:
                urlretrieve(photo["url_c"], out / f"{photo['id']}.jpg")  # noqa: S310
            if page >= found["pages"]:
                break
    _check(out, n_photos)


def _check(folder: Path, n_photos: int) -> None:
    found = len(list(folder.glob("*.jpg")))
    if found != n_photos:
        raise SystemExit(f"{found} photos of {n_photos} came")


def compare(host: Host, n_photos: int, n_rounds: int) -> dict[str, Times]:
    """Seconds of the loop and of the command, round by round."""
    with tempfile.TemporaryDirectory() as name, local_flickr(n_photos, host) as url:
        numbers = itertools.count()

        def fresh() -> Path:
            number = next(numbers)
            shutil.rmtree(Path(name, str(number - 1)), ignore_errors=True)
            return Path(name, str(number))

        ways = {
            "loop": lambda: plain_loop(url, fresh(), n_photos),
            "command": lambda: lablr_download(url, fresh(), n_photos),
        }
        return times_in_turns(ways, n_rounds, n_warm_up=0)


def measure(words: argparse.Namespace) -> Report:
    sys.path.insert(0, str(ROOT / "tests" / "support"))
    n_photos, n_rounds = (40, 1) if words.quick else (1000, 3)
    rows, faster = [], {}
    for name, host in HOSTS.items():
        say(f"photo host: {name}")
        times = compare(host, n_photos, n_rounds)
        faster[name] = ratios(times["loop"], times["command"])
        figures = [Spread.of(own).text(1) for own in times.values()]
        rows.append([name, *figures, faster[name].text(1)])
    away = "a round trip of 20 ms"
    what = f"the loop / `lablr download`, {away}"
    headings = ("photo host", "the loop, s", "`lablr download`, s", "times as fast")
    return Report(
        title="Downloading",
        method=METHOD.format(
            n_photos=n_photos,
            side=SIDE,
            kilobytes=len(album(1).picture(5)) / 1000,
        ),
        tables=[Table(headings, rows)],
        targets=[Target(what, 10, faster[away].median, at_most=False)],
    )


if __name__ == "__main__":
    run_as_command(measure)
