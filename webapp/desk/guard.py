"""Access to the desk: for whoever is on this machine or brings the token.

Pages of other sites have none, though the browser that shows them is on this machine:
neither under their own name (Sec-Fetch-Site, and Origin in older browsers; Fetch
Metadata Request Headers, W3C), nor under a name of theirs that was made to point here
(the Host header: DNS rebinding).
"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

from flask import Blueprint, request

from webapp.http.access import require_token, sits_here
from webapp.http.errors import Refused
from webapp.state import state

PAGE = "desk.show"
JSON_ONLY = {
    "desk.create_step",
    "desk.create_undo",
    "desk.create_writing",
    "desk.undo_writing",
}


blueprint = Blueprint("desk", __name__, url_prefix="/desk")


@blueprint.before_request
def _refuse_others() -> None:
    """Raise `Refused` unless the request is from this machine, or has the token."""
    settings = state().settings
    if settings.api_token is not None:
        # the page alone holds nothing, and asks for the token
        if request.endpoint != PAGE:
            require_token()
    elif settings.trusted_proxy is not None or not (sits_here() and _serves_here()):
        raise Refused(
            "not_here",
            "The desk changes files, so it is open only on the computer that it runs "
            "on, as http://127.0.0.1 or http://localhost, or with LABLR_API_TOKEN.",
            403,
        )


def _serves_here() -> bool:
    """Return whether the server listens on this machine only, as far as is known."""
    address = state().listens_on
    return address is None or ipaddress.ip_address(address).is_loopback


@blueprint.before_request
def _refuse_other_sites() -> None:
    if request.endpoint == PAGE:  # anybody may link to it
        return
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        is_own = site == "same-origin" or (site == "none" and request.method == "GET")
    else:
        origin = request.headers.get("Origin")
        is_own = origin is None or urlsplit(origin).netloc == request.host
    if not is_own:
        raise Refused("other_site", "The desk takes nothing from other sites.", 403)


@blueprint.before_request
def _refuse_other_kinds() -> None:
    if request.endpoint in JSON_ONLY and request.mimetype != "application/json":
        raise Refused("not_json", "Send JSON, as application/json.", 415)
