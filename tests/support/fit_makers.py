"""Comparing bundles that were fitted in different places."""

from __future__ import annotations

import numpy as np

from lablr.bundle import Bundle

TOLERANCE = 1e-6


def assert_same_bundle(one: Bundle, two: Bundle, rtol: float = TOLERANCE) -> None:
    """Tags and settings are equal; numbers agree to `rtol` of an array's largest."""
    assert one.tags == two.tags
    assert one.settings.keys() == two.settings.keys()
    for name, value in one.settings.items():
        close = abs(value - two.settings[name]) <= rtol
        assert close, f"{name}: {value}, {two.settings[name]}"
    for part in ("gaussians", "calibration", "latent_map"):
        ours, theirs = getattr(one, part), getattr(two, part)
        assert ours.keys() == theirs.keys()
        for name, array in ours.items():
            largest = np.abs(array.astype(float)).max(initial=0)
            np.testing.assert_allclose(
                array, theirs[name], rtol=0, atol=rtol * largest, err_msg=name
            )
