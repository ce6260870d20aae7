"""The desk: from suggestions for many photos to tags in their files.

``files`` finds the photos of a folder and takes in copies of dropped ones, ``store``
keeps what people say of them in the database of judgements, step by step, ``desk`` is
what a page calls and ``place`` opens it; ``on_flickr`` says which tags the photos that
came from Flickr are to have there. ``docs/desk.md`` is for people.
"""

from __future__ import annotations

from lablr.annotation.desk.desk import Desk, DeskPhoto, Writing
from lablr.annotation.desk.files import FolderPhoto, keep_photo
from lablr.annotation.desk.on_flickr import wanted_on_flickr
from lablr.annotation.desk.place import open_desk
from lablr.annotation.desk.store import DeskStore, Latent, PhotoState, Said

__all__ = [
    "Desk",
    "DeskPhoto",
    "DeskStore",
    "FolderPhoto",
    "Latent",
    "PhotoState",
    "Said",
    "Writing",
    "keep_photo",
    "open_desk",
    "wanted_on_flickr",
]
