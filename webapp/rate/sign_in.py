"""Raters sign in by name, and by password where they have one.

A signed cookie keeps a rater signed in; scripts cannot read it, and other sites do not
send it along. Forms carry a token from that cookie, so that nobody changes anything
from elsewhere in a rater's name.
"""

from __future__ import annotations

import hmac
import math
import secrets
from datetime import timedelta
from typing import Any

from flask import (
    Blueprint,
    Flask,
    abort,
    redirect,
    render_template,
    request,
    session,
    url_for,
)
from flask.sessions import SecureCookieSessionInterface
from werkzeug.wrappers import Response

from lablr.errors import JudgementError
from webapp.http.access import client_of, sits_here
from webapp.http.errors import Refused, wants_json
from webapp.http.secret_key import kept_secret, secret_file
from webapp.http.uploads import bound_bodies
from webapp.state import state, state_of
from webapp.state.judging import Judging

MAX_FORM_BYTES = 64 << 10
SIGNED_IN_FOR = timedelta(days=30)
# where a rater may want to go after signing in
AIMS = ("rate.ask", "results.show")

blueprint = Blueprint("signing_in", __name__, url_prefix="/rate")


class RaterSessions(SecureCookieSessionInterface):
    """Flask's signed cookie, marked as secure whenever the request was."""

    def get_cookie_secure(self, app: Flask) -> bool:
        """Return whether browsers send the cookie over TLS only."""
        return request.is_secure


def init_app(app: Flask) -> None:
    """Sign cookies and serve the form."""
    app.config.update(
        SECRET_KEY=state_of(app).settings.secret_key or kept_secret(secret_file()),
        SESSION_COOKIE_NAME="lablr_rater",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=SIGNED_IN_FOR,
        SESSION_REFRESH_EACH_REQUEST=False,
    )
    app.session_interface = RaterSessions()
    app.jinja_env.globals["csrf_token"] = csrf_token
    bound_bodies(app, MAX_FORM_BYTES, "/rate/sign-in", "/rate/sign-out")
    app.register_blueprint(blueprint)


def judging() -> Judging:
    """Return the judging of this application; its pages are there where it is on."""
    found = state().judging
    if found is None:
        abort(404)
    return found


def guard(pages: Blueprint) -> None:
    """Let only signed-in raters see some pages, and only their own forms in."""
    pages.before_request(_need_rater)
    pages.before_request(_check_form)


@blueprint.before_request
def _check_form() -> None:
    if request.method in ("GET", "HEAD", "OPTIONS"):
        return
    given = request.form.get("csrf", "")
    if not hmac.compare_digest(given.encode(), session.get("csrf", "").encode()):
        raise Refused(
            "stale_form", "This form is too old. Load the page again and retry.", 403
        )
    if not given:
        raise Refused("stale_form", "Cookies are needed to judge photos.", 403)


def csrf_token() -> str:
    """Return the token that every form of this browser carries."""
    if "csrf" not in session:
        session["csrf"] = secrets.token_hex(16)
        session.permanent = True
    token: str = session["csrf"]
    return token


def current_rater() -> str:
    """Return the name of the rater who asks; pages behind `guard` have one."""
    name: str = session["rater"]
    return name


def _need_rater() -> Response | None:
    name, raters = session.get("rater"), judging().raters
    if isinstance(name, str) and (not raters or name in raters):
        return None
    if wants_json() or request.endpoint not in AIMS:
        raise Refused("signed_out", "You are signed out. Sign in and go on.", 401)
    return redirect(url_for("signing_in.ask", aim=request.endpoint), 303)


@blueprint.get("/sign-in")
def ask() -> str:
    """Show the form."""
    return _page()


@blueprint.post("/sign-in")
def sign_in() -> Response | tuple[str, int, dict[str, str]]:
    """Sign a rater in, or say on the form why not."""
    client = client_of(request.remote_addr)
    wait_s = math.ceil(state().sign_ins.charge(client, 1.0))
    if wait_s:
        said = f"Too many attempts. Please try again in {wait_s} seconds."
        return _page(error=said), 429, {"Retry-After": str(wait_s)}
    if not judging().raters and not sits_here():
        return (
            _page(
                error="Without a list of raters, only someone at the server's own "
                "machine can sign in. Ask for your name to be listed."
            ),
            403,
            {},
        )
    try:
        name = judging().sign_in(
            request.form.get("name", ""), request.form.get("password", "")
        )
    except JudgementError:
        name = None
    if name is None:
        return _page(error="That name and password do not belong together."), 403, {}
    session.clear()
    session["rater"] = name
    csrf_token()
    return redirect(url_for(_aim()), 303)


@blueprint.post("/sign-out")
def sign_out() -> Response:
    """Forget who this browser was."""
    session.clear()
    return redirect(url_for("signing_in.ask"), 303)


def _page(**parts: Any) -> str:
    with_password = not judging().raters or any(judging().raters.values())
    return render_template(
        "sign_in.html",
        aim=_aim(),
        name=request.form.get("name", ""),
        with_password=with_password,
        listed=bool(judging().raters),
        **parts,
    )


def _aim() -> str:
    given = request.values.get("aim", "")
    return given if given in AIMS else AIMS[0]
