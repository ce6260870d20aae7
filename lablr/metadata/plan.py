"""The new bytes of a file, computed and checked before anything is touched."""

from __future__ import annotations

import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lablr.errors import WritingError
from lablr.metadata.embedding import embed
from lablr.metadata.files import LIMITS, Snapshot, check_writable, read_snapshot
from lablr.metadata.keywords import Additions, Keyword, Lists
from lablr.metadata.sidecars import beside, sidecar_of

__all__ = ["Plan", "Planner", "plan_beside", "plan_inside"]


@dataclass(frozen=True)
class Plan:
    """The bytes that a file is to have; ``snapshot`` is None where it is new."""

    target: Path
    snapshot: Snapshot | None
    content: bytes
    found: Lists
    more: Additions


Planner = Callable[[Path, Sequence[Keyword]], Plan]


def plan_inside(photo: Path, keywords: Sequence[Keyword]) -> Plan:
    """Compute the photo with these tags in it.

    Raises PhotoError or WritingError where they cannot be written.
    """
    snapshot = read_snapshot(photo)
    return Plan(photo, snapshot, *embed(snapshot.content, keywords))


def plan_beside(photo: Path, keywords: Sequence[Keyword]) -> Plan:
    """Compute the photo's sidecar with these tags; errors as in `plan_inside`."""
    status = photo.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise WritingError("This is a link, directory, pipe or device, and no photo.")
    target = sidecar_of(photo)
    if target.exists() or target.is_symlink():
        snapshot = read_snapshot(target)
        return Plan(target, snapshot, *beside(snapshot.content, None, keywords))
    check_writable(photo.parent, "Its folder is")
    is_small = status.st_size <= LIMITS.max_bytes
    inside = read_snapshot(photo, to_replace=False).content if is_small else None
    return Plan(target, None, *beside(None, inside, keywords))
