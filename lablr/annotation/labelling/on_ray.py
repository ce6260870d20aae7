"""Label on the machines of a Ray cluster.

The machines read the photos, so these must be at the same path everywhere; the model
is sent with the work. Blocks are those of `blocks_of`, so outcomes are the same.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from lablr.annotation.labelling.outcomes import (
    Block,
    Engine,
    Labeller,
    Outcome,
    Outcomes,
    outcome_of,
)
from lablr.bundle import Bundle
from lablr.corpus.inputs import Failed, Wanted
from lablr.encoders.ray_engine import cluster, load_ray, over_cluster
from lablr.photos import FOLDER_LIMITS
from lablr.ranking.tagger import Tagger

# Blocks sent together: some ten seconds of work for a core.
BLOCKS_TOGETHER = 32


def on_ray(bundle: Bundle, k: int, ranking: str, address: str | None = None) -> Engine:
    """Return the engine of a cluster, see `Labeller` and `lablr.encoders.ray_engine`.

    Raises `MissingExtra` without Ray; the engine `EngineError` when the cluster cannot
    be reached or fails.
    """
    load_ray()  # fail before a journal is begun

    def outcomes(blocks: Iterable[Block]) -> Outcomes:
        prepare = partial(_prepare, bundle, k, ranking)
        with cluster(address) as ray:
            for packed in over_cluster(ray, prepare, _packed(iter(blocks))):
                for block in json.loads(packed):
                    yield [outcome_of(record) for record in block]

    return outcomes


def _prepare(bundle: Bundle, k: int, ranking: str) -> Callable[[bytes], bytes]:
    return partial(_label, Labeller(Tagger(bundle, FOLDER_LIMITS), k, ranking))


def _label(labeller: Callable[[Block], Sequence[Outcome]], packed: bytes) -> bytes:
    blocks = [[_item(record) for record in block] for block in json.loads(packed)]
    done = [[item.to_record() for item in labeller(block)] for block in blocks]
    return json.dumps(done).encode()


def _packed(blocks: Iterator[Block]) -> Iterator[bytes]:
    while together := list(islice(blocks, BLOCKS_TOGETHER)):
        records = [[_record(item) for item in block] for block in together]
        yield json.dumps(records).encode()


def _record(item: Wanted | Failed) -> dict[str, Any]:
    if isinstance(item, Failed):
        return item.to_record()
    return dataclasses.asdict(item) | {"path": str(Path(item.path).absolute())}


def _item(record: dict[str, Any]) -> Wanted | Failed:
    if "error" not in record:
        return Wanted(**record)
    failed = outcome_of(record)
    assert isinstance(failed, Failed)  # noqa: S101  (only failures have an error)
    return failed
