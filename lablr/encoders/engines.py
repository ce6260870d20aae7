"""The work on many photos: in threads here, or on other machines (`ray_engine`).

A corpus is cut into blocks, and the work turns each block into a result. Results come
in the order of the blocks, which are taken only as fast as they are done, so memory
does not grow with the corpus.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import Protocol, TypeVar

from lablr.corpus import Photo
from lablr.system.cpu import available_threads
from lablr.system.progress import Progress, silent
from lablr.system.threads import map_in_order

Result = TypeVar("Result")
Block = Sequence[Photo]

# Photos in a block: as many as take a thread a second or two, and so few of a small
# corpus that every worker has several blocks and all end at about the same time.
MOST_IN_BLOCK = 64
FEWEST_IN_BLOCK = 16
BLOCKS_PER_WORKER = 8


class Work(Protocol[Result]):
    """Work on blocks of photos, which can be sent to another machine."""

    def prepare(self) -> Callable[[Block], Result]:
        """Load what all blocks need, and return what is done with one.

        A worker calls it once. What it returns is called in several threads.
        """

    def pack(self, result: Result) -> bytes:
        """Return a result as bytes."""

    def unpack(self, packed: bytes) -> Result:
        """Return the result that `pack` was given."""


def in_threads(
    do: Callable[[Block], Result],
    photos: Iterable[Photo],
    n_photos: int,
    progress: Progress = silent,
    label: str = "",
) -> Iterator[Result]:
    """Yield `do` of every block of photos, in order, worked at by several threads."""
    n_threads = available_threads()
    blocks, n_blocks = cut(photos, n_photos, n_threads)
    # One block more for each thread lies ready.
    with closing(map_in_order(do, blocks, n_threads, 2 * n_threads)) as done:
        yield from progress(done, n_blocks, label)


def cut(
    photos: Iterable[Photo], n_photos: int, n_workers: int, most: int = MOST_IN_BLOCK
) -> tuple[Iterator[list[Photo]], int]:
    """Cut photos into blocks of at most `most`, lazily, and count the blocks.

    `n_photos` is how many photos there are.
    """
    share = n_photos // (BLOCKS_PER_WORKER * n_workers)
    size = min(max(share, FEWEST_IN_BLOCK), most)
    remaining = iter(photos)
    # iter() ends at the first block that is empty.
    blocks = iter(lambda: list(islice(remaining, size)), [])
    return blocks, -(-n_photos // size)
