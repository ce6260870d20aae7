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

from lablr.annotation.labelling.outcomes import Labeller, blocks_of, in_threads
from lablr.corpus.inputs import open_input

__all__ = ["Labeller", "blocks_of", "in_threads", "open_input"]
