"""Run labelling from an input to a whole file, or to a stream.

A file is written when everything is labelled; until then the journal beside it holds
all outcomes, in whole blocks. A resumed run compares every block of the journal with
the input, then labels the rest. So a run that was stopped anywhere gives the file that
it would have given, to the last byte.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

from lablr.annotation.labelling.formats import (
    FORMATS,
    Blocks,
    Write,
    check_format,
    write_csv,
    write_failures,
)
from lablr.annotation.labelling.journal import LabelJournal
from lablr.annotation.labelling.outcomes import (
    BLOCK_SIZE,
    Block,
    Engine,
    Labelled,
    Labeller,
    Outcome,
    blocks_of,
    in_threads,
)
from lablr.corpus.inputs import Failed, Input
from lablr.errors import LabelError
from lablr.system.progress import Progress, silent
from lablr.system.whole_file import write_whole

log = logging.getLogger("lablr")

Store = Callable[[Iterator[Labelled]], object]


@dataclass
class LabelCounts:
    """The counts of a run: attempted = labelled + failed.

    ``resumed`` of them were attempted by earlier runs.
    """

    attempted: int = 0
    labelled: int = 0
    failed: int = 0
    resumed: int = 0

    def add(self, block: Sequence[Outcome]) -> None:
        """Count the outcomes of a block."""
        n_failed = sum(isinstance(outcome, Failed) for outcome in block)
        self.attempted += len(block)
        self.labelled += len(block) - n_failed
        self.failed += n_failed


@dataclass(frozen=True)
class Output:
    """The file to write, its format (one of FORMATS), and the files beside it."""

    path: Path
    format: str = "csv"
    spreadsheet: bool = False

    @property
    def write(self) -> Write:
        """Return the function that writes the format."""
        if self.spreadsheet and self.format == "csv":
            return partial(write_csv, spreadsheet=True)
        return FORMATS[self.format]

    @property
    def journal(self) -> Path:
        return self.path.with_name(self.path.name + ".journal")

    @property
    def failures(self) -> Path:
        return self.path.with_name(self.path.name + ".errors.jsonl")

    @property
    def is_finished(self) -> bool:
        """Say whether a run has written the file and removed its journal."""
        return self.path.exists() and not self.journal.exists()


def label(
    source: Input,
    output: Output,
    labeller: Labeller,
    *,
    engine: Engine | None = None,
    resume: bool = False,
    store: Store | None = None,
    progress: Progress = silent,
) -> LabelCounts:
    """Label every item of ``source`` and write ``output``, whole.

    ``engine`` makes outcomes of blocks (default: `in_threads`). ``store`` receives all
    photos with tags before the file is written, and again when a run is stopped there
    and resumed, so it must accept those that it has. Memory does not grow with the
    items. Raises LabelError when the file exists already, when its journal is of
    another run or input, or when it cannot be written; MissingExtra for Parquet
    without pyarrow; OSError or CorpusError when the input cannot be read. The photos
    labelled by then are kept for ``resume``.
    """
    check_format(output.format)
    if output.is_finished:
        raise LabelError(f"{output.path} is there already: name another file")
    opened = LabelJournal(output.journal, labeller.description, resume)
    with closing(opened) as journal:
        counts = _fill(journal, source, engine or in_threads(labeller), progress)
        if store is not None:
            photos = _labelled(journal.blocks())
            store(iter(progress(photos, counts.labelled, "storing predictions")))
        _finish(output, journal, labeller.n_tags, has_failed=counts.failed > 0)
    return counts


def _fill(
    journal: LabelJournal, source: Input, engine: Engine, progress: Progress
) -> LabelCounts:
    """Label the blocks that the journal lacks, into it."""
    blocks = blocks_of(source.items())
    counts = LabelCounts()
    for block in _checked(journal, blocks):
        counts.add(block)
    counts.resumed = counts.attempted
    total = source.count()
    left = None if total is None else total - counts.resumed
    with closing(engine(blocks)) as outcomes:
        for block in _watched(outcomes, left, progress):
            journal.add_block(block)
            counts.add(block)
    return counts


def label_to_stream(
    source: Input,
    stream: BinaryIO,
    labeller: Labeller,
    format_name: str = "csv",
    *,
    engine: Engine | None = None,
    spreadsheet: bool = False,
    progress: Progress = silent,
) -> LabelCounts:
    """Label every item of ``source`` and write each block as it is done.

    Failures are in their places in JSON lines, and in the log for other formats.
    """
    check_format(format_name)
    counts = LabelCounts()
    outcomes = (engine or in_threads(labeller))(blocks_of(source.items()))
    write = Output(Path(), format_name, spreadsheet).write

    def counted() -> Iterator[Sequence[Outcome]]:
        for block in _watched(outcomes, source.count(), progress):
            counts.add(block)
            if format_name != "jsonl":
                _log_failures(block)
            yield block

    with closing(outcomes):
        write(stream, counted(), labeller.n_tags)
    return counts


def _checked(
    journal: LabelJournal, blocks: Iterator[Block]
) -> Iterator[Sequence[Outcome]]:
    """Yield the blocks of the journal, each compared with that of the input."""
    for number, done in enumerate(journal.blocks()):
        block = next(blocks, ())
        if [(one.id, one.photo) for one in block] != [(d.id, d.photo) for d in done]:
            first = number * BLOCK_SIZE + 1
            raise LabelError(
                f"the input is another than before, between its photos {first:,} "
                f"and {first + BLOCK_SIZE - 1:,}: give the same to resume"
            )
        yield done


def _watched(blocks: Blocks, total: int | None, progress: Progress) -> Blocks:
    """Yield the blocks, while ``progress`` sees their outcomes one by one."""
    begun: list[Sequence[Outcome]] = []

    def outcomes() -> Iterator[Outcome]:
        for block in blocks:
            begun.append(block)
            yield from block

    for _ in progress(outcomes(), total, "labelling photos"):
        if begun:
            yield begun.pop()


def _labelled(blocks: Blocks) -> Iterator[Labelled]:
    for block in blocks:
        yield from (one for one in block if isinstance(one, Labelled))


def _log_failures(block: Sequence[Outcome]) -> None:
    for one in block:
        if isinstance(one, Failed):
            place = f"line {one.line}" if one.line else one.photo or "a record"
            log.warning("%s: %s", place, one.message)


def _finish(
    output: Output, journal: LabelJournal, n_tags: int, has_failed: bool
) -> None:
    """Write the files from the journal, and remove it when they are on the disk."""
    try:
        if has_failed and output.format != "jsonl":
            write_whole(
                output.failures, lambda file: write_failures(file, journal.blocks())
            )
        else:
            output.failures.unlink(missing_ok=True)  # left by an earlier run
        write_whole(
            output.path, lambda file: output.write(file, journal.blocks(), n_tags)
        )
    except OSError as error:
        reason = error.strerror or str(error)
        raise LabelError(f"{output.path} cannot be written: {reason}") from error
    journal.path.unlink(missing_ok=True)
