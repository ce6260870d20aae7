"""Work on blocks of photos: in order, in threads, and never far ahead."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

import pytest
from training_makers import Heard

from lablr.corpus import Photo
from lablr.encoders.engines import FEWEST_IN_BLOCK, MOST_IN_BLOCK, cut, in_threads
from lablr.system.cpu import available_threads


def photos(number: int) -> Iterator[Photo]:
    for n in range(number):
        yield Photo(f"{n}.jpg", Path(f"{n}.jpg"), (), "train")


def files(block: Sequence[Photo]) -> list[str]:
    return [photo.file for photo in block]


@pytest.mark.parametrize("n_photos", [0, 1, 15, 16, 17, 500, 2000])
@pytest.mark.parametrize("n_workers", [1, 3, 40])
def test_blocks_hold_every_photo_once(n_photos: int, n_workers: int) -> None:
    blocks, n_blocks = cut(photos(n_photos), n_photos, n_workers)
    found = [files(block) for block in blocks]
    assert len(found) == n_blocks
    assert list(chain.from_iterable(found)) == files([*photos(n_photos)])
    assert all(len(block) <= MOST_IN_BLOCK for block in found)
    assert all(len(block) >= FEWEST_IN_BLOCK for block in found[:-1])


def test_results_come_in_order_and_are_counted() -> None:
    heard = Heard()
    found = list(in_threads(files, photos(700), 700, heard, "reading"))
    assert list(chain.from_iterable(found)) == files([*photos(700)])
    assert heard.labels == ["reading"]


def test_every_core_has_a_thread() -> None:
    everyone = threading.Barrier(available_threads())

    def meet(block: Sequence[Photo]) -> None:
        everyone.wait(timeout=60)

    n_photos = FEWEST_IN_BLOCK * available_threads()
    assert len(list(in_threads(meet, photos(n_photos), n_photos))) > 0


def test_photos_are_taken_only_as_fast_as_they_are_done() -> None:
    taken = []

    def counted() -> Iterator[Photo]:
        for photo in photos(5000):
            taken.append(photo)
            yield photo

    results = in_threads(files, counted(), 5000)
    next(results)
    ahead = 2 * available_threads() + 1
    assert len(taken) <= ahead * MOST_IN_BLOCK
    results.close()
    assert len(taken) < 5000


def test_an_error_ends_the_work() -> None:
    done = []

    def fail_at_the_third(block: Sequence[Photo]) -> None:
        done.append(block[0].file)
        if len(done) >= 3:
            raise ValueError("the third")

    with pytest.raises(ValueError, match="the third"):
        list(in_threads(fail_at_the_third, photos(5000), 5000))
    assert len(done) <= 3 * available_threads() + 3


def test_ctrl_c_ends_the_work() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt):
        list(
            in_threads(done.append, photos(5000), 5000, Heard("reading", 2), "reading")
        )
    assert len(done) <= 3 * available_threads() + 3
