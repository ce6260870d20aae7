"""Labelling holds no more for many lines than for few."""

from __future__ import annotations

import gc
import itertools
import tracemalloc

from label_makers import labeller, many_lines, opened

from lablr.annotation.labelling.run import Output, label


def test_memory_does_not_grow_with_the_lines(tmp_path):
    held: list[int] = []

    def one_by_one(blocks):  # with threads it is chance how many photos are read
        yield from map(labeller(), blocks)

    def measured(items, total, label_text):
        for number, item in enumerate(items):
            yield item
            if number % 48 == 0:
                gc.collect()  # empties the interpreter's own store of freed tuples, too
                held.append(tracemalloc.get_traced_memory()[0])

    source = opened(many_lines(tmp_path, 384))
    output = Output(tmp_path / "out.csv")
    tracemalloc.start()
    try:
        label(source, output, labeller(), engine=one_by_one, progress=measured)
    finally:
        tracemalloc.stop()
    assert len(held) == 8
    # An outcome that stayed would be over 600 bytes. The interpreter's own caches fill,
    # and it may make its table of names anew: the largest step does not count.
    steps = sorted(after - before for before, after in itertools.pairwise(held[1:]))
    assert sum(steps[:-1]) < 5 * 48 * 200
