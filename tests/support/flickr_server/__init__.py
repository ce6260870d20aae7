"""A Flickr for the tests, the demo and the benchmarks: its protocol over real HTTP.

``serving(Album(140))`` runs one in a thread: REST, OAuth and photo hosts. ``fault``
decides, for every request, what goes wrong with it. It serves crops of the photos that
scikit-learn and scikit-image ship.
"""

from __future__ import annotations

from flickr_server.albums import WORDS, Album, SubjectAlbum, real_photos
from flickr_server.faults import (
    PHOTO_FAULTS,
    REST_FAULTS,
    spread_faults,
    unavailable_picture,
)
from flickr_server.kills import kill_at_random, kill_once
from flickr_server.server import KEY, SECRET, UPLOADED, FlickrServer, serving

__all__ = [
    "KEY",
    "PHOTO_FAULTS",
    "REST_FAULTS",
    "SECRET",
    "UPLOADED",
    "WORDS",
    "Album",
    "FlickrServer",
    "SubjectAlbum",
    "kill_at_random",
    "kill_once",
    "real_photos",
    "serving",
    "spread_faults",
    "unavailable_picture",
]
