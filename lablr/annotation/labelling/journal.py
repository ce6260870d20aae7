"""The journal of a labelling run: whole blocks of outcomes.

Its first line describes all that the outcomes depend on. A block whose line is torn or
damaged is dropped, with all behind it, and labelled again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from lablr.annotation.labelling.outcomes import Outcome, outcome_of
from lablr.errors import LabelError
from lablr.system.journal import Journal

MADE_BY = "lablr label, form 1"


class LabelJournal(Journal):
    """The journal at ``path`` of a run that ``description`` describes.

    One process at a time may hold it. Raises LabelError when another does, when a run
    is there and not to be resumed, or when it is another run's.
    """

    def __init__(
        self, path: Path, description: Mapping[str, Any], resume: bool
    ) -> None:
        now = {"made_by": MADE_BY, **description}
        busy = "another run is writing there"
        super().__init__(path, LabelError, busy, now, makes_folder=False)
        if fault := None if self.is_new else self._fault(now, resume):
            self.close()
            raise LabelError(f"{path} holds {fault}")

    def blocks(self) -> Iterator[Sequence[Outcome]]:
        """Yield the blocks in their order, and drop a damaged end."""
        return self.read(
            lambda block: [outcome_of(record) for record in block],
            believes_beginning=True,
        )

    def add_block(self, outcomes: Sequence[Outcome]) -> None:
        """Add a block; raises LabelError, and adds nothing, on a full disk."""
        self.add([outcome.to_record() for outcome in outcomes])

    def _fault(self, now: Mapping[str, Any], resume: bool) -> str | None:
        remedy = "or remove it to begin again"
        if not resume:
            return f"an unfinished run: give --resume to go on, {remedy}"
        if changed := [name for name in now if self.header.get(name) != now[name]]:
            return f"a run with another {', '.join(changed)}: give the same, {remedy}"
        return None
