"""Label photos a block at a time: requests in, outcomes out, in the same order.

A block always holds the same items, whatever labels it and whenever: its photos are
ranked together, so its numbers are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from lablr.corpus.inputs import Failed, Wanted
from lablr.errors import PhotoError
from lablr.ranking.tagger import Suggestion, Tagger
from lablr.system.cpu import available_threads
from lablr.system.threads import map_in_order

BLOCK_SIZE = 16
N_DECIMALS = 6  # of a probability; further digits depend on the processor


@dataclass(frozen=True)
class Labelled:
    """A photo with its tags and their probabilities, best first."""

    id: str
    link: str
    photo: str
    tags: tuple[tuple[str, float], ...]

    def to_record(self) -> dict[str, Any]:
        """Return the photo for JSON."""
        tags = [{"tag": tag, "probability": p} for tag, p in self.tags]
        return {"id": self.id, "link": self.link, "photo": self.photo, "tags": tags}


Block = Sequence[Wanted | Failed]
Outcome = Labelled | Failed
Outcomes = Generator[Sequence[Outcome], None, None]
Engine = Callable[[Iterable[Block]], Outcomes]


def outcome_of(record: Mapping[str, Any]) -> Outcome:
    """Return the outcome of a record; raises KeyError or TypeError for another."""
    if "error" in record:
        own = {name: record[name] for name in ("line", "id", "photo")}
        return Failed(**record["error"], **own)
    tags = tuple((tag["tag"], tag["probability"]) for tag in record["tags"])
    return Labelled(record["id"], record["link"], record["photo"], tags)


def blocks_of(items: Iterable[Wanted | Failed]) -> Iterator[Block]:
    """Yield the items in blocks of BLOCK_SIZE; the last may have fewer."""
    remaining = iter(items)
    while block := list(islice(remaining, BLOCK_SIZE)):
        yield block


class Labeller:
    """Labels one block, in whatever thread, process or machine it runs.

    tagger : the model.
    k : how many tags each photo gets; 0 means all.
    ranking : one of `lablr.ranking.tagger.RANKINGS`.
    """

    def __init__(self, tagger: Tagger, k: int = 5, ranking: str = "calibrated") -> None:
        self._tagger = tagger
        self.n_tags = min(k or len(tagger.tags), len(tagger.tags))
        self.ranking = ranking

    @property
    def description(self) -> dict[str, Any]:
        """Return everything that the outcomes depend on, except the photos."""
        return {
            "model": self._tagger.bundle_digest,
            "tags": self.n_tags,
            "ranking": self.ranking,
            "block": BLOCK_SIZE,
        }

    def __call__(self, block: Block) -> list[Outcome]:
        """Label the photos of a block, in its order."""
        wanted = [item for item in block if isinstance(item, Wanted)]
        paths = [item.path for item in wanted]
        answers = self._tagger.suggest_batch(paths, self.n_tags, self.ranking)
        labelled = iter(map(_outcome, wanted, answers))
        return [item if isinstance(item, Failed) else next(labelled) for item in block]


def _outcome(item: Wanted, answer: Suggestion | PhotoError) -> Outcome:
    if isinstance(answer, PhotoError):
        return Failed(answer.code, str(answer), item.id, item.photo, item.line)
    tags = tuple(
        (score.tag, round(score.probability, N_DECIMALS)) for score in answer.tags
    )
    return Labelled(item.id, item.link, item.photo, tags)


def in_threads(
    labeller: Callable[[Block], Sequence[Outcome]], n_threads: int | None = None
) -> Engine:
    """Return the engine of one machine: a block a thread, on all cores by default.

    While one block is encoded others are decoded. At most two more blocks than threads
    are held.
    """
    n = n_threads or available_threads()
    return lambda blocks: map_in_order(labeller, blocks, n, n_ahead=n + 2)
