"""Label many photos: records in, rows of tags out, resumable wherever it stops.

::

    inputs    lines or a corpus    -> items      (a Wanted photo, or why it Failed)
    outcomes  blocks of items      -> blocks of outcomes (Labelled, or why it Failed)
    journal   blocks of outcomes   -> whole lines on the disk, to resume from
    formats   blocks of outcomes   -> CSV, JSON lines or Parquet
    run       joins them

An `Engine` is any function from an iterable of blocks to their outcomes in the same
order, such as `in_threads`.
"""

from __future__ import annotations

from lablr.annotation.labelling.formats import FORMATS
from lablr.annotation.labelling.outcomes import (
    Block,
    Engine,
    Labelled,
    Labeller,
    Outcome,
    blocks_of,
    in_threads,
)
from lablr.annotation.labelling.run import LabelCounts, Output, label, label_to_stream
from lablr.corpus.inputs import Failed, Fields, Input, Wanted, open_input

__all__ = [
    "FORMATS",
    "Block",
    "Engine",
    "Failed",
    "Fields",
    "Input",
    "LabelCounts",
    "Labelled",
    "Labeller",
    "Outcome",
    "Output",
    "Wanted",
    "blocks_of",
    "in_threads",
    "label",
    "label_to_stream",
    "open_input",
]
