"""The desk: from suggestions for many photos to tags in their files.

``files`` finds the photos of a folder and takes in copies of dropped ones, ``store``
keeps what people say of them in the database of judgements, step by step, and
``desk`` is what a page calls. ``docs/desk.md`` is for people.
"""

from __future__ import annotations

from lablr.desk.desk import Desk, Photo, Writing
from lablr.desk.files import PhotoFile, keep_photo
from lablr.desk.store import Latent, Said, State, Store

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
]
