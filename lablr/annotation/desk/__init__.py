"""The desk: from suggestions for many photos to tags in their files.

``files`` finds the photos of a folder and copies dropped ones, ``store`` holds the
decisions in the database, step by step, and ``desk`` is the interface of the page;
``flickr_tags`` finds the photos that came from Flickr. ``docs/desk.md`` is for people.
"""

from __future__ import annotations

from lablr.annotation.desk.desk import Desk, DeskOutcome, DeskPhoto, open_desk
from lablr.annotation.desk.flickr_tags import flickr_tags
from lablr.annotation.desk.records import Latent, TagDecisions

__all__ = [
    "Desk",
    "DeskOutcome",
    "DeskPhoto",
    "Latent",
    "TagDecisions",
    "flickr_tags",
    "open_desk",
]
