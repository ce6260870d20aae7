"""What the desk keeps: what people said, what a model saw, what is written.

What people say is a list of steps, each of changes to tags of photos; what holds of a
tag is the last that was said of it. Taking a step back removes it from the end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from lablr.annotation.database.database import Database
from lablr.annotation.database.engine import lock_for_storing
from lablr.annotation.database.tables import (
    DeskChange,
    DeskDescription,
    DeskPhoto,
    DeskStep,
    DeskWritten,
)
from lablr.annotation.desk.files import FolderPhoto, Stamp, printable
from lablr.errors import DeskError
from lablr.metadata.keywords import same

__all__ = ["DeskStore", "Latent", "PhotoState", "Said", "Seen", "WrittenInFile"]

Latent = npt.NDArray[np.float32]
# SQLite takes 32,766 values in a statement.
AT_ONCE = 10_000
T = TypeVar("T")


@dataclass(frozen=True)
class Seen:
    """What a model made of a file: a latent (d,), or a code and a message."""

    model: str
    stamp: Stamp
    latent: Latent | None = None
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True)
class WrittenInFile:
    """A tag in a photo, or in the sidecar beside it, while that file has the stamp."""

    tag: str
    beside: bool
    stamp: Stamp


@dataclass(frozen=True)
class Said:
    """What a step asks for: tags by their marks (`MARKS`).

    Raises `DeskError` when a tag is in two of them, or in none.
    """

    tags: Mapping[str, Sequence[str]]

    def __post_init__(self) -> None:
        every = [same(tag) for tags in self.tags.values() for tag in {*map(same, tags)}]
        if not every:
            raise DeskError("no_tag", "A step needs a tag.")
        if len(every) != len({*every}):
            raise DeskError("contradiction", "A step says two things of one tag.")


@dataclass
class PhotoState:
    """What is kept of a photo; ``marks`` by `same`, each a tag and its mark."""

    marks: dict[str, tuple[str, str]] = field(default_factory=dict)
    seen: Seen | None = None
    written: list[WrittenInFile] = field(default_factory=list)

    def tags(self, mark: str) -> list[str]:
        """The tags of a mark, as they were said one after the other."""
        return [tag for tag, own in self.marks.values() if own == mark]

    def mark(self, tag: str, mark: str) -> None:
        """Let a mark hold from now on."""
        self.marks.pop(same(tag), None)
        if mark != "cleared":
            self.marks[same(tag)] = tag, mark

    def changes(self, said: Said) -> list[tuple[str, str]]:
        """What a step would change: pairs of tag and mark.

        A tag that the photo has stays as it came to it, accepted or typed.
        """
        return [
            (self.marks.get(same(tag), (tag,))[0] if mark == "cleared" else tag, mark)
            for mark, tags in said.tags.items()
            for tag in {same(tag): tag for tag in tags}.values()
            if self._differs(tag, mark)
        ]

    def _differs(self, tag: str, mark: str) -> bool:
        _, now = self.marks.get(same(tag), (tag, "cleared"))
        kept = ("accepted", "typed")
        return now != mark and not (now in kept and mark in kept)


class DeskStore:
    """The rows of one desk in a database, which ``database`` gives at every use.

    desk : its folder, whose steps are undone by themselves. Raises `DatabaseError`.
    """

    def __init__(
        self,
        database: Callable[[], Database],
        desk: str,
        clock: Callable[[], datetime] = lambda: datetime.now(timezone.utc),
    ) -> None:
        self._database = database
        self._desk = printable(desk)
        self._clock = clock

    def numbers(self, files: Iterable[FolderPhoto]) -> dict[FolderPhoto, int]:
        """The ids of files; those that are new get one."""
        keys = {(printable(str(file.folder)), file.name): file for file in files}
        with self._database().reading() as session:
            known = _known(session, keys)
        if not keys.keys() <= known.keys():
            with self._database().writing() as session:
                lock_for_storing(session)
                known = _known(session, keys)
                new = [key for key in keys if key not in known]
                for part in _parts(new):
                    rows = [{"folder": folder, "name": name} for folder, name in part]
                    session.execute(insert(DeskPhoto), rows)
                known = _known(session, keys)
        return {file: known[key] for key, file in keys.items()}

    def states(
        self, ids: Sequence[int], latents: bool = False
    ) -> dict[int, PhotoState]:
        """What is kept of photos; their latents only where these are asked for."""
        with self._database().reading() as session:
            return _states(session, ids, latents)

    def n_steps(self) -> int:
        """How many steps can be taken back."""
        with self._database().reading() as session:
            return _n_steps(session, self._desk)

    # --- steps

    def record_step(
        self, ids: Sequence[int], said: Said
    ) -> tuple[int | None, list[int]]:
        """Keep a step; returns its number and the photos that it changed.

        Where it changes nothing it is none, and None is returned.
        """
        with self._database().writing() as session:
            lock_for_storing(session)
            states = _states(session, ids)
            changes = [
                (number, *change)
                for number in dict.fromkeys(ids)
                for change in states[number].changes(said)
            ]
            if not changes:
                return None, []
            step = DeskStep(desk=self._desk, at=self._clock())
            session.add(step)
            session.flush()
            names = ("photo_id", "tag", "mark")
            rows = [dict(zip(names, one, strict=True)) for one in changes]
            for part in _parts([{"step_id": step.id, **row} for row in rows]):
                session.execute(insert(DeskChange), part)
            return step.id, list(dict.fromkeys(number for number, *_ in changes))

    def undo(self, n_steps: int | None = None) -> tuple[str, list[int]]:
        """Take the last step back; returns what it had said, and of which photos.

        n_steps : how many steps there were when this was wished for; None: no matter.

        Raises `DeskError` (409) when there is none, or there were others since.
        """
        with self._database().writing() as session:
            lock_for_storing(session)
            found = _n_steps(session, self._desk)
            if n_steps is not None and n_steps != found:
                raise DeskError(
                    "not_up_to_date",
                    "The page was not up to date; nothing was taken back.",
                    http_status=409,
                )
            if not found:
                raise DeskError(
                    "nothing_to_undo", "There is nothing to take back.", http_status=409
                )
            last = select(func.max(DeskStep.id)).where(DeskStep.desk == self._desk)
            step = session.get_one(DeskStep, session.execute(last).scalar_one())
            of_step = DeskChange.step_id == step.id
            changes = select(DeskChange).where(of_step).order_by(DeskChange.id)
            rows = session.scalars(changes).all()
            said = _said([(row.tag, row.mark, row.photo_id) for row in rows])
            ids = list(dict.fromkeys(row.photo_id for row in rows))
            session.execute(delete(DeskChange).where(of_step))
            session.execute(delete(DeskStep).where(DeskStep.id == step.id))
            return said, ids

    # --- what a model saw, what is written

    def keep_seen(self, number: int, seen: Seen) -> None:
        """Keep what a model made of a photo instead of what was kept."""
        latent = None if seen.latent is None else seen.latent.astype("<f4").tobytes()
        size, mtime_ns = seen.stamp
        row = DeskDescription(
            photo_id=number,
            model=seen.model,
            size=size,
            mtime_ns=mtime_ns,
            latent=latent,
            code=seen.code,
            message=seen.message,
        )
        with self._database().writing() as session:
            lock_for_storing(session)
            session.merge(row)

    def keep_written(
        self,
        number: int,
        tags: Iterable[str],
        beside: bool,
        before: Stamp | None,
        after: Stamp,
    ) -> None:
        """Keep that tags are in a photo, or beside it, whose stamp was another before.

        What was written until then still is. The picture is the same, too, so what a
        model saw of it holds.
        """
        with self._database().writing() as session:
            lock_for_storing(session)
            of_file = DeskWritten.photo_id == number, DeskWritten.beside == beside
            old = session.scalars(select(DeskWritten).where(*of_file)).all()
            valid = [row.tag for row in old if (row.size, row.mtime_ns) == before]
            session.execute(delete(DeskWritten).where(*of_file))
            size, mtime_ns = after
            keys = {"photo_id": number, "beside": beside}
            values = {**keys, "size": size, "mtime_ns": mtime_ns}
            rows = [{"tag": tag, **values} for tag in dict.fromkeys([*valid, *tags])]
            session.execute(insert(DeskWritten), rows)
            if not beside and before is not None:
                _restamp(session, number, before, after)

    def restamp(self, number: int, before: Stamp, after: Stamp) -> None:
        """Say that a file's picture is the same after a change as before."""
        with self._database().writing() as session:
            lock_for_storing(session)
            _restamp(session, number, before, after)


def _restamp(session: Session, number: int, before: Stamp, after: Stamp) -> None:
    row = session.get(DeskDescription, number)
    if row is not None and (row.size, row.mtime_ns) == before:
        row.size, row.mtime_ns = after


def _parts(rows: Sequence[T]) -> Iterable[Sequence[T]]:
    for start in range(0, len(rows), AT_ONCE):
        yield rows[start : start + AT_ONCE]


def _known(
    session: Session, keys: Mapping[tuple[str, str], FolderPhoto]
) -> dict[tuple[str, str], int]:
    folders = {folder for folder, _ in keys}
    found = select(DeskPhoto).where(DeskPhoto.folder.in_(folders))
    rows = session.scalars(found)
    return {(row.folder, row.name): row.id for row in rows}


def _n_steps(session: Session, desk: str) -> int:
    of_desk = select(func.count()).select_from(DeskStep).where(DeskStep.desk == desk)
    return session.execute(of_desk).scalar_one()


def _states(
    session: Session, ids: Sequence[int], latents: bool = False
) -> dict[int, PhotoState]:
    found = {number: PhotoState() for number in ids}
    for part in _parts(list(found)):
        _read_states(session, part, found, latents)
    return found


def _read_states(
    session: Session, ids: Sequence[int], found: dict[int, PhotoState], latents: bool
) -> None:
    changes = select(DeskChange.photo_id, DeskChange.tag, DeskChange.mark)
    changes = changes.where(DeskChange.photo_id.in_(ids)).order_by(DeskChange.id)
    for number, tag, mark in session.execute(changes):
        found[number].mark(tag, mark)
    columns = (
        DeskDescription.photo_id,
        DeskDescription.model,
        DeskDescription.size,
        DeskDescription.mtime_ns,
        DeskDescription.code,
        DeskDescription.message,
        *((DeskDescription.latent,) if latents else ()),
    )
    seen = select(*columns).where(DeskDescription.photo_id.in_(ids))
    for number, model, size, mtime_ns, code, message, *rest in session.execute(seen):
        latent = np.frombuffer(rest[0], "<f4") if rest and rest[0] else None
        found[number].seen = Seen(model, (size, mtime_ns), latent, code, message)
    written = select(DeskWritten).where(DeskWritten.photo_id.in_(ids))
    for row in session.scalars(written.order_by(DeskWritten.tag)):
        stamp = row.size, row.mtime_ns
        found[row.photo_id].written.append(WrittenInFile(row.tag, row.beside, stamp))


def _said(changes: Iterable[tuple[str, str, int]]) -> str:
    """What a step had said, for people."""
    tags: dict[str, dict[str, None]] = {}
    photos = set()
    for tag, mark, photo in changes:
        tags.setdefault(mark, {})[tag] = None
        photos.add(photo)
    parts = (f"{mark} {', '.join(own)}" for mark, own in tags.items())
    n = len(photos)
    return f"{'; '.join(parts)} on {n:,} photo{'' if n == 1 else 's'}"
