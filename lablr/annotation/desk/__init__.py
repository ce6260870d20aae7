"""The desk: from suggestions for many photos to tags in their files.

``files`` finds the photos of a folder and takes in copies of dropped ones, ``store``
keeps what people say of them in the database of judgements, step by step, ``desk`` is
what a page calls and ``place`` opens it; ``on_flickr`` says which tags the photos that
came from Flickr are to have there. ``docs/desk.md`` is for people.
"""

from __future__ import annotations

from lablr.annotation.desk.desk import Desk, Photo, Writing
from lablr.annotation.desk.files import PhotoFile, keep_photo
from lablr.annotation.desk.on_flickr import wanted_on_flickr
from lablr.annotation.desk.place import open_desk
from lablr.annotation.desk.store import Latent, Said, State, Store

__all__ = [
    "Desk",
    "Latent",
    "Photo",
    "PhotoFile",
    "Said",
    "State",
    "Store",
    "Writing",
    "keep_photo",
    "open_desk",
    "wanted_on_flickr",
]
