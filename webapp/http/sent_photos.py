"""A photo of a folder, sent as a new JPEG of bounded size.

The file's own bytes, with whatever they carry, never leave.
"""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

from flask import Response, request
from PIL import Image

from lablr.photos import bounded_image
from webapp.http.errors import Refused
from webapp.state import state

QUALITY = 88
# Seconds; afterwards the browser asks whether anything has changed.
MAX_AGE_S = 3600


def send_photo(path: Path, max_side_px: int) -> Response:
    """Return the photo, at most so many pixels wide and high.

    Raises `Refused` (404) when its file is gone, `PhotoError` when it is no photo.
    """
    try:
        status = path.stat()
    except (OSError, ValueError):
        said = "The photo's file is not there any more."
        raise Refused("no_photo", said, 404) from None
    version = f"{path}\0{status.st_mtime_ns}\0{status.st_size}\0{max_side_px}"
    etag = hashlib.sha256(version.encode(errors="surrogateescape")).hexdigest()[:32]
    if request.if_none_match.contains(etag):
        response = Response(status=304)
    else:
        with state().admission.admit():
            written = io.BytesIO()
            image = Image.fromarray(bounded_image(path, max_side_px))
            image.save(written, "JPEG", quality=QUALITY)
        response = Response(written.getvalue(), mimetype="image/jpeg")
    response.set_etag(etag)
    response.headers["Cache-Control"] = f"private, max-age={MAX_AGE_S}"
    return response
