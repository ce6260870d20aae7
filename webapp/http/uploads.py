"""The photos of a request: in memory only, bounded, gone with the request."""

from __future__ import annotations

import io
from typing import IO

from flask import Flask, Request, current_app, request
from werkzeug.datastructures import FileStorage

from webapp.http.errors import Refused
from webapp.state import state_of

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


def init_app(app: Flask) -> None:
    """Bound every body: by its path, or to one photo."""
    app.request_class = UploadRequest
    max_photo_bytes = state_of(app).model.tagger.limits.max_bytes
    app.config.update(
        MAX_CONTENT_LENGTH=max_photo_bytes + FORM_SLACK_BYTES,
        MAX_FORM_MEMORY_SIZE=MAX_FIELD_BYTES,
        MAX_FORM_PARTS=MAX_PARTS,
        MAX_BODY_BYTES={},
    )
    app.before_request(_bound_body)


def bound_bodies(app: Flask, max_bytes: int, *paths: str) -> None:
    """Let the bodies at some paths have so many bytes instead."""
    app.config["MAX_BODY_BYTES"].update(dict.fromkeys(paths, max_bytes))


def body_limit(app: Flask, path: str) -> int:
    """Return the bytes that a body may have at a path."""
    usual: int = app.config["MAX_CONTENT_LENGTH"]
    own: dict[str, int] = app.config["MAX_BODY_BYTES"]
    return own.get(path, usual)


def _bound_body() -> None:
    request.max_content_length = body_limit(current_app, request.path)


def uploaded_photo() -> bytes:
    """Return the bytes of the one file in the field ``photo``; see `uploaded_files`."""
    (photo,) = uploaded_photos(at_most=1)
    return photo


def uploaded_photos(at_most: int) -> list[bytes]:
    """Return the bytes of the files in the field ``photo``; see `uploaded_files`."""
    return [photo.stream.read() for photo in uploaded_files(at_most)]


def uploaded_files(at_most: int | None = None) -> list[FileStorage]:
    """Return the files in the field ``photo``.

    Raises `Refused` (400) for none or more than `at_most`, RequestEntityTooLarge for a
    body larger than it may be.
    """
    photos = request.files.getlist("photo")
    # a browser sends an empty part without a name when nothing was chosen
    chosen = [photo for photo in photos if photo.filename]
    if at_most is not None and len(chosen) > at_most:
        many = f"at most {at_most} photos" if at_most > 1 else "one photo"
        raise Refused("too_many_photos", f"Send {many} at a time.")
    if chosen:
        return chosen
    if photos:
        raise Refused("no_photo", "Choose a photo first.")
    if "photo" in request.form:
        raise Refused("no_photo", "The field 'photo' holds text; it must be a file.")
    raise Refused(
        "no_photo", "Send the photo as multipart/form-data in the field 'photo'."
    )
