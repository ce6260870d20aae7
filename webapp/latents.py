"""The latent of a request: a JSON body that came, once, from one of our answers."""

from __future__ import annotations

import json

import numpy as np
import numpy.typing as npt
from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from webapp.errors import Refused

__all__ = ["MAX_COORDINATE", "MAX_LATENT_BODY_BYTES", "posted_latent"]

MAX_LATENT_BODY_BYTES = 64 << 10
# Far beyond any photo's (they stay within tens), and far below where the squares of
# the ranking stop being finite.
MAX_COORDINATE = 1e6


def posted_latent(n_latent: int) -> npt.NDArray[np.float32]:
    """The latent (n_latent,) of the JSON body ``{"latent": [number, ...]}``.

    Other members are ignored, so a whole answer may be sent back as it came.

    Raises
    ------
    Refused : it is not that (400), or larger than any latent (413).
    """
    try:
        body = json.loads(request.get_data(cache=False))
    except (ValueError, RecursionError):
        raise _bad_latent(n_latent, "the body is not JSON") from None
    except RequestEntityTooLarge:
        found = f"the body is over {MAX_LATENT_BODY_BYTES >> 10} KiB"
        raise _bad_latent(n_latent, found, status=413) from None
    if not isinstance(body, dict) or not isinstance(body.get("latent"), list):
        raise _bad_latent(n_latent, "the body holds no list of that name")
    numbers = body["latent"]
    if len(numbers) != n_latent:
        raise _bad_latent(n_latent, f"it holds {len(numbers)}")
    if not all(_is_coordinate(number) for number in numbers):
        raise _bad_latent(n_latent, "one of them is no such number")
    return np.array(numbers, dtype=np.float32)


def _is_coordinate(number: object) -> bool:
    # JSON's true is an int in Python; NaN fails the comparison
    return (
        isinstance(number, int | float)
        and not isinstance(number, bool)
        and abs(number) <= MAX_COORDINATE
    )


def _bad_latent(n_latent: int, found: str, status: int = 400) -> Refused:
    bound = f"{MAX_COORDINATE:,.0f}"
    message = f"latent must be {n_latent} numbers from -{bound} to {bound}; {found}."
    return Refused("bad_latent", message, status)
