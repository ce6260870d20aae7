"""A photo's latent and features, sent in an answer and posted again."""

from __future__ import annotations

import base64
import binascii
import json

import numpy as np
import numpy.typing as npt
from flask import request
from werkzeug.exceptions import RequestEntityTooLarge

from lablr import Suggestion
from lablr.encoders.encoder import MAX_FEATURE, Encoder
from webapp.http.errors import Refused

MAX_LATENT_BODY_BYTES = 64 << 10
# Far beyond any photo's (they stay within tens), and far below where the squares of
# the ranking stop being finite.
MAX_COORDINATE = 1e6


def sent_latent(suggestion: Suggestion) -> dict[str, object]:
    """Return members of an answer from which `posted_latent` reads the photo again."""
    sent: dict[str, object] = {"latent": suggestion.latent.tolist()}
    if len(suggestion.features):
        raw = suggestion.features.astype("<f2").tobytes()
        sent["features"] = base64.b64encode(raw).decode("ascii")
    return sent


def posted_latent(encoder: Encoder) -> npt.NDArray[np.float32]:
    """Read the latent, and the features where they are sent, from the JSON body.

    ``{"latent": [number, ...], "features": "base64 of half-precision numbers"}``
    becomes (d,) or (d + F,) as `Encoder.describe` has them. Other members are ignored,
    so a whole answer may be sent back as it came. Raises `Refused` when it is not that
    (400), or larger than any latent (413).
    """
    n_latent = encoder.n_latent
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
    latent = np.array(numbers, dtype=np.float32)
    if body.get("features") is None:
        return latent
    return np.concatenate([latent, _features(body["features"], encoder.n_features)])


def _features(text: object, n_features: int) -> npt.NDArray[np.float32]:
    """Return the features (n_features,) of their base64; raises `Refused`."""
    try:
        if not isinstance(text, str):
            raise ValueError("no text")
        raw = base64.b64decode(text, validate=True)
        if len(raw) != 2 * n_features:
            raise ValueError("another length")
    except (ValueError, binascii.Error):
        message = f"features must be the base64 of {n_features} half-precision numbers."
        raise Refused("bad_latent", message) from None
    features = np.frombuffer(raw, "<f2").astype(np.float32)
    return np.nan_to_num(features, posinf=MAX_FEATURE, neginf=-MAX_FEATURE)


def _is_coordinate(number: object) -> bool:
    # JSON's true is no number; NaN fails the comparison
    return type(number) in (int, float) and abs(number) <= MAX_COORDINATE  # type: ignore[arg-type]


def _bad_latent(n_latent: int, found: str, status: int = 400) -> Refused:
    bound = f"{MAX_COORDINATE:,.0f}"
    message = f"latent must be {n_latent} numbers from -{bound} to {bound}; {found}."
    return Refused("bad_latent", message, status)
