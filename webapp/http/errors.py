"""Errors as answers: JSON for programs, a page for people.

One shape for programs: ``{"error": {"code", "message", "request_id"}}``. A
message says what is wrong and what to do, and never holds a path or a trace; the
log has the rest, under the same request id.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from flask import (
    Flask,
    Response,
    g,
    jsonify,
    make_response,
    render_template,
    request,
)
from werkzeug.exceptions import HTTPException

from lablr.errors import DatabaseError, DeskError, JudgementError, PhotoError
from webapp.state.admission import Busy

__all__ = ["CODES", "FORMS", "Refused", "error_of", "init_app", "wants_json"]

log = logging.getLogger("lablr.web")

MESSAGES = {
    400: ("bad_request", "The request could not be understood."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address does not answer that method."),
    413: (
        "photo_too_large",
        "This is too large: at most {limit_mib} MiB. Save it smaller and retry.",
    ),
    500: ("internal_error", "Something went wrong here; it is not your photo's fault."),
}

# Every code of the API's errors, by status.
CODES = {
    400: ("bad_latent", "bad_parameter", "bad_request", "no_photo", "too_many_photos"),
    401: ("unauthorized",),
    404: ("not_found",),
    405: ("method_not_allowed",),
    413: ("bad_latent", "photo_too_large"),
    415: ("unsupported_photo",),
    422: ("broken_photo", "photo_too_large"),
    429: ("too_many_requests",),
    500: ("internal_error",),
    503: ("busy", "photo_error"),
}

BUSY = "The server is busy. Please try again in {seconds} seconds."

NO_DATABASE = (
    "The database of judgements cannot be reached. What was saved is kept, your last "
    "answer may not be: please try again."
)

FOR_PROGRAMS = ("/livez", "/readyz", "/metrics")
# pages with a form for a photo
FORMS = {"/": "photo.html", "/compare": "compare.html", "/search": "search.html"}
# pages that a script of ours also asks for JSON
FOR_BOTH = ("/rate", "/results")


class Refused(Exception):  # named for what is wrong, like its siblings
    """A request that breaks one of the API's rules; the message says which."""

    def __init__(
        self,
        code: str,
        message: str,
        status: int = 400,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.http_status = status
        self.headers = headers


def init_app(app: Flask) -> None:
    """Answer every exception of a view in one shape."""
    for kind in (Refused, JudgementError, DeskError, PhotoError):
        app.register_error_handler(kind, _own_error)
    app.register_error_handler(Busy, _busy)
    app.register_error_handler(DatabaseError, _database_error)
    app.register_error_handler(HTTPException, _http_exception)
    app.register_error_handler(Exception, _unexpected)


def wants_json() -> bool:
    """Return whether a program asks: by the address, or by the header of our script."""
    if request.path.startswith(FOR_BOTH):
        return request.accept_mimetypes.best == "application/json"
    is_programs = request.path.startswith(("/api/", "/desk/"))
    return is_programs or request.path in FOR_PROGRAMS


def error_of(error: PhotoError | Busy) -> dict[str, str]:
    """Return code and message of an error that is one photo's, not the request's."""
    if isinstance(error, Busy):
        return {"code": "busy", "message": BUSY.format(seconds=error.retry_after_s)}
    return {"code": error.code, "message": str(error)}


def _own_error(error: Refused | JudgementError | DeskError | PhotoError) -> Response:
    headers = getattr(error, "headers", None)
    if isinstance(error, PhotoError) and error.http_status == 503:
        headers = {"Retry-After": "5"}  # the machine could not decode, not the photo
    return _answer(error.http_status, error.code, str(error), headers)


def _busy(error: Busy) -> Response:
    headers = {"Retry-After": str(error.retry_after_s)}
    return _answer(503, **error_of(error), headers=headers)


def _database_error(error: DatabaseError) -> Response:
    log.error("request %s: %s", g.request_id, error)
    return _answer(503, error.code, NO_DATABASE, {"Retry-After": "5"})


def _http_exception(error: HTTPException) -> Response:
    status = error.code or 500
    code, message = MESSAGES.get(status, ("http_error", error.name + "."))
    kept = {
        name: value
        for name, value in error.get_headers(request.environ)
        if name.lower() in ("allow", "retry-after")
    }
    limit_mib = (request.max_content_length or 0) >> 20
    return _answer(status, code, message.format(limit_mib=limit_mib), kept)


def _unexpected(error: Exception) -> Response:
    log.error("request %s failed", g.request_id, exc_info=error)
    code, message = MESSAGES[500]
    return _answer(500, code, message)


def _answer(
    status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> Response:
    g.error_code = code
    details = {"code": code, "message": message, "request_id": g.request_id}
    if wants_json():
        response = jsonify(error=details)
    elif request.path in FORMS:
        # the form stays where it is, the message stands beside it
        page = render_template(FORMS[request.path], error=details)
        response = make_response(page)
    else:
        response = make_response(
            render_template("error.html", error=details, status=status)
        )
    response.status_code = status
    response.headers.update(headers or {})
    return response
