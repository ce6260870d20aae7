"""Damaged photos, by the million, at the door for photos.

Promise: each is taken or refused with a PhotoError; nothing else gets out.
"""

from __future__ import annotations

import sys
from multiprocessing import Pool

from photo_mutants import mutants, survives

from benchmarks.faults.shared import arguments, show, timed, verdict

SHARE = 10_000


def try_share(seed: int) -> tuple[int, list[str]]:
    """How many of one seed's mutants were taken, and what got out that must not."""
    n_taken, escaped = 0, []
    for number, (mutant, size) in enumerate(mutants(SHARE, seed)):
        try:
            n_taken += survives(mutant, size)
        except Exception as error:  # noqa: BLE001  # what it looks for
            escaped.append(f"seed {seed}, mutant {number}: {error!r}")
    return n_taken, escaped


def main() -> int:
    asked = arguments(__doc__, mutants=1_000_000, processes=2, seed=1)
    seeds = range(asked.seed, asked.seed + -(-asked.mutants // SHARE))
    with Pool(asked.processes) as pool:
        seconds, shares = timed(lambda: pool.map(try_share, seeds, chunksize=1))
    escaped = [line for _, lines in shares for line in lines]
    show(
        [
            ("mutants", len(seeds) * SHARE),
            ("taken", sum(n_taken for n_taken, _ in shares)),
            ("mutants a second", len(seeds) * SHARE / seconds),
            ("escaped", len(escaped)),
        ]
    )
    for line in escaped[:20]:
        print(line)
    return verdict(not escaped)


if __name__ == "__main__":
    sys.exit(main())
