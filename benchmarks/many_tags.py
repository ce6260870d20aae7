"""Scoring one latent against 98, 1,000 and 10,000 tags."""

from __future__ import annotations

import argparse
import gc
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.reporting import Report, Table, Target, run_as_command, say
from benchmarks.timing import Spread, milliseconds, times_in_turns
from lablr.latent_space.gaussians import GaussianStatistics, TagGaussians

METHOD = """\
`TagGaussians.score` (squared Mahalanobis distances and log-likelihood ratios) of drawn
latents of d = {d}, one at a time as the server asks and 64 at once as `suggest_many`
does. The tags' Gaussians are fitted to {n_photos:,} drawn photos: few tags are common
and most are rare, each has its own centre and a spread that differs a little from the
others'. Shrinkage and ridge are the bundled model's. Memory is what the process grew
by when `TagGaussians` was made and its statistics let go; the ratio is to the smallest
number of tags in the same round. One thread."""

N_LATENT = 176  # as the bundled model has
N_PHOTOS = 20_000
N_AT_ONCE = 64
MIN_PHOTOS_OF_TAG = 20
SHRINKAGE, RIDGE, UNKNOWN_WEIGHT = 10_000.0, 0.01, 0.1


def draw_statistics(n_tags: int, n_photos: int) -> GaussianStatistics:
    """Statistics of photos whose latents lie around the centres of their tags.

    A tag's share of the photos falls with its rank, as Zipf's law has it; each
    stretches the latents of its photos along one direction of its own.
    """
    generator = np.random.default_rng(n_tags)
    rank = np.arange(1, n_tags + 1)
    share = np.maximum(0.3 / rank**0.7, MIN_PHOTOS_OF_TAG / n_photos)
    membership = generator.random((n_photos, n_tags), np.float32) < share
    # The rarest tags are drawn from chance alone: see that each can be fitted.
    membership[generator.integers(n_photos, size=(8, n_tags)), np.arange(n_tags)] = True
    weights = membership.astype(np.float32)
    weights /= np.sqrt(weights.sum(axis=1, keepdims=True) + 1)
    centres, directions = generator.normal(size=(2, n_tags, N_LATENT))
    latents = generator.normal(size=(n_photos, N_LATENT))
    latents += weights @ centres.astype(np.float32)
    along = generator.normal(size=(n_photos, 1)).astype(np.float32)
    latents += along * (weights @ directions.astype(np.float32)) / 2
    return GaussianStatistics.of(
        latents.astype(np.float32),
        membership,
        np.full(n_photos, "drawn"),
        tuple(f"tag{number:05}" for number in range(n_tags)),
    )


def resident_bytes() -> int:
    """Memory of this process that is in RAM now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def make_gaussians(n_tags: int, n_photos: int) -> tuple[TagGaussians, int]:
    """Gaussians of so many tags, and the bytes that keeping them takes."""
    gc.collect()
    before = resident_bytes()
    statistics = draw_statistics(n_tags, n_photos)
    gaussians = TagGaussians(
        statistics, statistics.absence(UNKNOWN_WEIGHT), SHRINKAGE, RIDGE
    )
    del statistics
    gc.collect()
    return gaussians, resident_bytes() - before


def measure(words: argparse.Namespace) -> Report:
    n_photos = 2_000 if words.quick else N_PHOTOS
    sizes = (98, 300) if words.quick else (98, 1_000, 10_000)
    drawn = np.random.default_rng(0).normal(size=(N_AT_ONCE, N_LATENT))
    latents = drawn.astype(np.float32)
    made = {}
    for n_tags in sizes:
        say(f"fitting {n_tags} tags")
        made[n_tags] = make_gaussians(n_tags, n_photos)
    ways = {
        f"{n_tags}/{n}": scoring(gaussians, latents[:n])
        for n_tags, (gaussians, _) in made.items()
        for n in (1, N_AT_ONCE)
    }
    times = times_in_turns(ways, 3 if words.quick else 50)
    one = {n_tags: times[f"{n_tags}/1"] for n_tags in sizes}
    many = {n_tags: times[f"{n_tags}/{N_AT_ONCE}"] for n_tags in sizes}
    rows = [
        [
            f"{n_tags:,}",
            milliseconds(one[n_tags]).text(),
            milliseconds(many[n_tags], N_AT_ONCE).text(),
            Spread.of(one[n_tags] / one[sizes[0]]).text(1),
            f"{n_bytes / 1e6:,.0f}",
        ]
        for n_tags, (_, n_bytes) in made.items()
    ]
    headings = ("tags", "ms, one photo", f"ms a photo of {N_AT_ONCE}", "ratio", "MB")
    slowest = milliseconds(one[sizes[-1]]).median
    return Report(
        title="Many tags",
        method=METHOD.format(d=N_LATENT, n_photos=n_photos),
        tables=[Table(headings, rows)],
        targets=[Target(f"scoring {sizes[-1]:,} tags, one photo", 5, slowest, "ms")],
    )


def scoring(
    gaussians: TagGaussians, latents: npt.NDArray[np.float32]
) -> Callable[[], object]:
    """A call that scores the latents."""
    return lambda: gaussians.score(latents)


if __name__ == "__main__":
    run_as_command(measure)
