"""Headers that every response carries, and the id of every request."""

from __future__ import annotations

import secrets

from flask import Flask, Response, g

# Everything comes from this server. Plotly styles its drawing through style
# elements and attributes, hence 'unsafe-inline' for styles only; it runs without
# eval as long as no WebGL trace (scattergl) is drawn. blob: and data: are the
# browser's own preview and Plotly's picture export.
CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "connect-src 'self'",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


def init_app(app: Flask) -> None:
    """Number every request and set the headers of every response.

    There is no CSRF token here because there is nothing to forge: no cookie, no
    session, no login, and a form post changes nothing on the server. Another
    site that posts a photo here learns nothing, for it cannot read the answer.
    (Judging has all of these, and its own token: webapp/rate/sign_in.py. The desk
    has something to forge and no cookie: webapp/desk/guard.py.)
    """

    @app.before_request
    def number() -> None:
        g.request_id = secrets.token_hex(8)

    @app.after_request
    def protect(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers[name] = value
        response.headers["X-Request-Id"] = g.request_id
        # a result is one person's; what may be kept says so itself
        response.headers.setdefault("Cache-Control", "no-store")
        return response
