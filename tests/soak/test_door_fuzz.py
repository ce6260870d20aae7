"""A hundred thousand damaged photos: each is taken, or refused in words."""

from __future__ import annotations

import time

from photo_mutants import mutants, survives

# About 25 s of one core; a million before a release: benchmarks/faults/door_fuzz.py.
N_MUTANTS = 100_000


def test_mutants_raise_only_documented_errors(record_testsuite_property):
    started = time.process_time()
    n_accepted = 0
    for number, (mutant, size) in enumerate(mutants(N_MUTANTS, seed=20240229)):
        try:
            n_accepted += survives(mutant, size)
        except Exception as error:
            raise AssertionError(f"mutant {number}: {mutant!r:.20000}") from error
    seconds = time.process_time() - started
    record_testsuite_property("mutants_per_cpu_second", N_MUTANTS / seconds)
    assert 0.02 < n_accepted / N_MUTANTS < 0.98  # both ways were walked
