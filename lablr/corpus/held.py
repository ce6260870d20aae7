"""The records of a corpus in memory, so that its list is opened once.

A fit and a training run pass over the records several times: for the tags, the digest,
the encoding, the split. Between passes they lie here in compressed blocks, some 50
bytes a photo of more than a hundred on disk.
"""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice

from lablr.corpus.records import Photo
from lablr.errors import CorpusError

__all__ = ["HeldRecords"]

Record = Photo | CorpusError

RECORDS_A_BLOCK = 512


class HeldRecords:
    """Records read once, usable or not; iterating yields them in their order."""

    def __init__(self, records: Iterable[Record]) -> None:
        remaining = iter(records)
        self._blocks: list[bytes] = []
        self._n_records = 0
        while block := list(islice(remaining, RECORDS_A_BLOCK)):
            self._blocks.append(zlib.compress(pickle.dumps(block), level=1))
            self._n_records += len(block)

    def __len__(self) -> int:
        return self._n_records

    def __iter__(self) -> Iterator[Record]:
        for block in self._blocks:
            yield from pickle.loads(zlib.decompress(block))  # noqa: S301 (our own)
