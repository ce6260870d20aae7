"""Write a threshold that ratings recommend into a bundle."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

from lablr.annotation.curves import AtThreshold
from lablr.annotation.results import Results
from lablr.bundle import Bundle
from lablr.errors import JudgementError


def judged_digest(bundle: Bundle) -> str:
    """Return the digest under which a bundle's predictions were judged.

    Writing a threshold changes the bundle's digest but not its probabilities, so the
    bundle notes the digest that was judged.
    """
    written = bundle.provenance.get("judged_threshold")
    digest = written.get("model") if isinstance(written, Mapping) else None
    return str(digest or bundle.digest)


def apply_threshold(
    folder: str | os.PathLike[str], results: Results, threshold: float, rule: str
) -> AtThreshold:
    """Write a threshold into the bundle of a folder, whole or not at all.

    ``rule`` states, for the bundle's provenance, how the threshold was chosen. Returns
    the effect of the threshold on the judged tags. Raises `BundleError` for a bundle
    that cannot be read or written, `JudgementError` when the ratings are of another
    model: the same threshold means something else there.
    """
    if not 0 <= threshold <= 1:
        raise JudgementError(f"a threshold is from 0 to 1, not {threshold!r}")
    bundle = Bundle.load(folder)
    judged = judged_digest(bundle)
    if judged != results.model:
        raise JudgementError(
            f"the judgements are of the model {results.model[:12]}, "
            f"the bundle is {judged[:12]}"
        )
    effect = results.curves.at(threshold)
    note = {
        "model": judged,
        "rule": rule,
        "n_judged_tags": len(results.curves.right),
        "before": bundle.settings.get("threshold"),
    }
    replace(
        bundle,
        settings={**bundle.settings, "threshold": float(threshold)},
        provenance={**bundle.provenance, "judged_threshold": note},
    ).save(folder)
    return effect
