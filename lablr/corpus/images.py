"""The photos of a corpus as images: through the door, in threads, broken ones named.

Whoever goes over many photos reads them here, so that a photo that cannot be used is
always left out, named in the log and counted in the same way.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing

import numpy as np
import numpy.typing as npt

from lablr.corpus.records import Photo
from lablr.errors import FitError, PhotoError
from lablr.photos import FOLDER_LIMITS, read_image
from lablr.system.cpu import available_threads
from lablr.system.threads import map_in_order

log = logging.getLogger("lablr")

Image = npt.NDArray[np.uint8]

# Decoded photos a thread that may wait for their turn: bounds the memory.
N_AHEAD = 4


def name_left_out(photo: str) -> None:
    """Name a photo that was left out, and why, in the log."""
    log.warning("left out %s", photo)


def read_images(
    photos: Iterable[Photo],
    size: int,
    n_threads: int | None = None,
    left_out: Callable[[str], object] = name_left_out,
) -> Iterator[tuple[Photo, Image | None]]:
    """Yield every photo with its square image (size, size, 3), in order.

    The image is None where the photo cannot be used; then `left_out` is told its file
    and why. `n_threads` (default: the cores) decode a few photos ahead; with 1 the
    caller's own thread does, for callers that are many threads already.
    """

    def read(photo: Photo) -> tuple[Photo, Image | None, str]:
        try:
            return photo, read_image(photo.path, size, FOLDER_LIMITS), ""
        except PhotoError as error:
            return photo, None, f"{photo.file}: {error}"

    n_threads = n_threads or available_threads()
    if n_threads == 1:
        done = (read(photo) for photo in photos)
    else:
        done = map_in_order(read, photos, n_threads, N_AHEAD * n_threads)
    with closing(done):
        for photo, image, failure in done:
            if failure:
                left_out(failure)
            yield photo, image


def count_left_out(n_photos: int, n_left_out: int) -> None:
    """Log how many photos were left out, if any were.

    Raises `FitError` when there are none beside them.
    """
    n_all = n_photos + n_left_out
    if not n_photos:
        raise FitError(f"none of the {n_all} photos can be read")
    if n_left_out:
        log.warning("%d of %d photos left out", n_left_out, n_all)
