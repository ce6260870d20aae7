"""The photos of a request: in memory only, bounded, gone with the request."""

from __future__ import annotations

import io
from typing import IO

from flask import Request, request

from webapp.http.errors import Refused

__all__ = [
    "FORM_SLACK_BYTES",
    "MAX_FIELD_BYTES",
    "MAX_PARTS",
    "UploadRequest",
    "uploaded_photo",
    "uploaded_photos",
]

FORM_SLACK_BYTES = 64 << 10  # what a form may weigh beside its photo
MAX_FIELD_BYTES = 256 << 10  # above the 64 KiB that Werkzeug reads at a time
MAX_PARTS = 16


class UploadRequest(Request):
    """A request whose files stay in memory.

    Werkzeug writes a file over 500 kB to a temporary file, where a crash would
    leave it. The whole body is bounded, so memory is.
    """

    def _get_file_stream(
        self,
        total_content_length: int | None,
        content_type: str | None,
        filename: str | None = None,
        content_length: int | None = None,
    ) -> IO[bytes]:
        return io.BytesIO()


def uploaded_photo() -> bytes:
    """The bytes of the one file in the field ``photo``; see `uploaded_photos`."""
    (photo,) = uploaded_photos(at_most=1)
    return photo


def uploaded_photos(at_most: int) -> list[bytes]:
    """The bytes of the files in the field ``photo``; their names are never read.

    Raises
    ------
    Refused : no photo (400), more than `at_most` (400).
    RequestEntityTooLarge : the body is larger than it may be.
    """
    photos = request.files.getlist("photo")
    # a browser sends an empty part without a name when nothing was chosen
    chosen = [photo for photo in photos if photo.filename]
    if len(chosen) > at_most:
        many = f"at most {at_most} photos" if at_most > 1 else "one photo"
        raise Refused("too_many_photos", f"Send {many} at a time.")
    if chosen:
        return [photo.stream.read() for photo in chosen]
    if photos:
        raise Refused("no_photo", "Choose a photo first.")
    if "photo" in request.form:
        raise Refused("no_photo", "The field 'photo' holds text; it must be a file.")
    raise Refused(
        "no_photo", "Send the photo as multipart/form-data in the field 'photo'."
    )
