"""Store the desk: decisions as steps, latents of files, and tags written into them.

A step is a list of changes to the tags of photos, and the last change of a tag counts.
Undo removes the last step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from typing import TypeVar

import numpy as np
from sqlalchemy import delete, func, insert, select
from sqlalchemy.orm import Session

from lablr.annotation.database.database import Database
from lablr.annotation.database.tables import (
    DeskChange,
    DeskDescription,
    DeskPhotoRow,
    DeskStep,
    DeskWritten,
)
from lablr.annotation.desk.files import FolderPhoto, Stamp, printable
from lablr.annotation.desk.records import (
    EncodedFile,
    PhotoState,
    TagDecisions,
    TagInFile,
)
from lablr.errors import DeskError

# SQLite takes 32,766 values in a statement.
AT_ONCE = 10_000
T = TypeVar("T")


class DeskStore:
    """The rows of one desk in a database.

    database : returns the database at every use.
    desk : its folder; undo takes back only the steps of this desk.

    Every method raises `DatabaseError` when the database fails.
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
        """Return the ids of files; new files get one."""
        keys = {(printable(str(file.folder)), file.name): file for file in files}
        with self._database().reading() as session:
            known = _known(session, keys)
        if not keys.keys() <= known.keys():
            with self._database().writing(alone=True) as session:
                known = _known(session, keys)
                new = [key for key in keys if key not in known]
                for part in _parts(new):
                    rows = [{"folder": folder, "name": name} for folder, name in part]
                    session.execute(insert(DeskPhotoRow), rows)
                known = _known(session, keys)
        return {file: known[key] for key, file in keys.items()}

    def states(
        self, ids: Sequence[int], latents: bool = False
    ) -> dict[int, PhotoState]:
        """Return the state of photos, with their latents only if asked for."""
        with self._database().reading() as session:
            return _states(session, ids, latents)

    def n_steps(self) -> int:
        """Count the steps that can be undone."""
        with self._database().reading() as session:
            return _n_steps(session, self._desk)

    def record_step(
        self, ids: Sequence[int], decisions: TagDecisions
    ) -> tuple[int | None, list[int]]:
        """Store a step; returns its number and the photos that it changed.

        A step that changes nothing is not stored, and its number is None.
        """
        with self._database().writing(alone=True) as session:
            states = _states(session, ids)
            changes = [
                (number, *change)
                for number in dict.fromkeys(ids)
                for change in states[number].changes(decisions)
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
        """Undo the last step; returns a description of it, and its photos.

        n_steps : the number of steps that the caller knows of; None: any.

        Raises `DeskError` (409) when there is none, or the number is another.
        """
        with self._database().writing(alone=True) as session:
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
            columns = DeskChange.tag, DeskChange.mark, DeskChange.photo_id
            changes = select(*columns).where(of_step).order_by(DeskChange.id)
            rows = [(tag, mark, photo) for tag, mark, photo in session.execute(changes)]
            text = _describe(rows)
            ids = list(dict.fromkeys(photo_id for *_, photo_id in rows))
            session.execute(delete(DeskChange).where(of_step))
            session.execute(delete(DeskStep).where(DeskStep.id == step.id))
            return text, ids

    def store_encoded(self, number: int, encoded: EncodedFile) -> None:
        """Store the latent of a photo, or why it has none, in place of the last one."""
        vector = encoded.latent
        size, mtime_ns = encoded.stamp
        row = DeskDescription(
            photo_id=number,
            model=encoded.model,
            size=size,
            mtime_ns=mtime_ns,
            latent=None if vector is None else vector.astype("<f4").tobytes(),
            code=encoded.code,
            message=encoded.message,
        )
        with self._database().writing(alone=True) as session:
            session.merge(row)

    def store_written(
        self,
        number: int,
        tags: Iterable[str],
        beside: bool,
        before: Stamp | None,
        after: Stamp,
    ) -> None:
        """Store that tags were written into a photo, or beside it, changing its stamp.

        Tags written before are still there. The picture is the same, too, so its
        latent holds.
        """
        with self._database().writing(alone=True) as session:
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
        """Store that a change of a file left its picture the same."""
        with self._database().writing(alone=True) as session:
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
    columns = DeskPhotoRow.folder, DeskPhotoRow.name, DeskPhotoRow.id
    rows = session.execute(select(*columns).where(DeskPhotoRow.folder.in_(folders)))
    return {(folder, name): number for folder, name, number in rows}


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
    encoded = select(*columns).where(DeskDescription.photo_id.in_(ids))
    for number, model, size, mtime_ns, code, message, *rest in session.execute(encoded):
        latent = np.frombuffer(rest[0], "<f4") if rest and rest[0] else None
        stamp = size, mtime_ns
        found[number].encoded = EncodedFile(model, stamp, latent, code, message)
    written = select(DeskWritten).where(DeskWritten.photo_id.in_(ids))
    for row in session.scalars(written.order_by(DeskWritten.tag)):
        stamp = row.size, row.mtime_ns
        found[row.photo_id].written.append(TagInFile(row.tag, row.beside, stamp))


def _describe(changes: Iterable[tuple[str, str, int]]) -> str:
    """Describe a step for people."""
    tags: dict[str, dict[str, None]] = {}
    photos = set()
    for tag, mark, photo in changes:
        tags.setdefault(mark, {})[tag] = None
        photos.add(photo)
    parts = (f"{mark} {', '.join(own)}" for mark, own in tags.items())
    n = len(photos)
    return f"{'; '.join(parts)} on {n:,} photo{'' if n == 1 else 's'}"
