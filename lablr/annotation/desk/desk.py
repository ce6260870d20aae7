"""The desk of one folder: its photos, the decisions about their tags, and writing."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lablr.annotation.database.database import Database
from lablr.annotation.desk.files import (
    FolderPhoto,
    photos_below,
    printable,
    stamp_of,
    store_photo,
)
from lablr.annotation.desk.records import (
    EncodedFile,
    Latent,
    PhotoState,
    TagDecisions,
)
from lablr.annotation.desk.store import DeskStore
from lablr.errors import DeskError, PhotoError
from lablr.metadata import Keyword, undo, write_tags
from lablr.metadata.keywords import Origin
from lablr.metadata.run import WriteOutcome, list_runs
from lablr.metadata.sidecars import sidecar_of

# The prefix of the names of dropped photos at the desk.
DROPPED = "dropped/"


@dataclass(frozen=True)
class DeskPhoto:
    """A photo at the desk: its id, its file, and its stored state."""

    number: int
    file: FolderPhoto
    name: str
    state: PhotoState

    @property
    def encoded(self) -> EncodedFile | None:
        """Return the latent of the file as it is now; None when it has changed."""
        encoded = self.state.encoded
        is_current = encoded is not None and encoded.stamp == self.file.stamp
        return encoded if is_current else None

    @property
    def tags(self) -> list[str]:
        """Return the tags that people accepted and typed."""
        return [keyword.tag for keyword in self.keywords]

    @property
    def written(self) -> list[str]:
        """Return the tags that Lablr wrote into files that have not changed since."""
        inside = [one for one in self.state.written if not one.beside]
        beside = [one for one in self.state.written if one.beside]
        if any(one.stamp != self.file.stamp for one in inside):
            inside = []
        if beside and beside[0].stamp != stamp_of(sidecar_of(self.file.path)):
            beside = []
        return list(dict.fromkeys(one.tag for one in [*inside, *beside]))

    @property
    def keywords(self) -> list[Keyword]:
        """Return the tags to be written, with their origins."""
        origins: tuple[Origin, ...] = ("accepted", "typed")
        return [Keyword(tag, own) for own in origins for tag in self.state.tags(own)]


@dataclass(frozen=True)
class DeskOutcome:
    """The outcome of writing one photo, by its id; None for one not at the desk."""

    number: int | None
    name: str
    outcome: WriteOutcome


class Desk:
    """A folder of photos, and a place for copies of dropped ones.

    folder : its photos are tagged where they are.
    dropped : the folder of the copies; it may be the same one.
    state : the folder of `lablr.metadata` with the journals for undo.
    """

    def __init__(
        self, folder: Path, dropped: Path, state: Path, store: DeskStore
    ) -> None:
        self.folder = folder.resolve()
        self._dropped = dropped.resolve()
        self._state = state
        self._store = store
        self._files: dict[int, FolderPhoto] = {}
        self._files_lock = threading.Lock()
        self._encoding_locks = [threading.Lock() for _ in range(16)]

    @property
    def name(self) -> str:
        """Return the folder's path, printable."""
        return printable(str(self.folder))

    def photos(self) -> list[DeskPhoto]:
        """Return every photo that exists now, by name; raises `DeskError`."""
        numbers = self._store.numbers(self._scan())
        self._files = {number: file for file, number in numbers.items()}
        return sorted(self._with_states(self._files), key=lambda photo: photo.name)

    def photos_by_id(self, ids: Sequence[int]) -> list[DeskPhoto]:
        """Return the photos of these ids, in their order.

        Raises `DeskError` (422) for an unknown id.
        """
        files = {number: self._files.get(number) for number in ids}
        if None in files.values():
            self.photos()
        known = {n: self._files[n] for n in files if n in self._files}
        if len(known) < len(files):
            unknown = next(number for number in files if number not in known)
            raise DeskError("unknown_photo", f"The desk has no photo {unknown}.")
        return self._with_states(known)

    def photo(self, number: int) -> DeskPhoto:
        """Return one photo, its file as it is now; raises `DeskError` (404)."""
        try:
            (photo,) = self.photos_by_id([number])
        except DeskError as error:
            raise DeskError(error.code, str(error), http_status=404) from None
        return DeskPhoto(number, photo.file.current(), photo.name, photo.state)

    def add_dropped(self, name: str, content: bytes) -> DeskPhoto:
        """Store a copy of a dropped photo; raises `PhotoError` and `DeskError`."""
        file = store_photo(self._dropped, name, content)
        ((_, number),) = self._store.numbers([file]).items()
        with self._files_lock:
            self._files = {**self._files, number: file}
        return self._with_states({number: file})[0]

    def _scan(self) -> list[FolderPhoto]:
        found = photos_below(self.folder)
        if self._dropped == self.folder or not self._dropped.is_dir():
            return found
        own = [f for f in found if not f.path.is_relative_to(self._dropped)]
        return [*own, *photos_below(self._dropped)]

    def _with_states(self, files: Mapping[int, FolderPhoto]) -> list[DeskPhoto]:
        states = self._store.states(list(files))
        return [
            DeskPhoto(number, file, self._name(file), states[number])
            for number, file in files.items()
        ]

    def _name(self, file: FolderPhoto) -> str:
        is_own = file.folder == self.folder
        return file.name if is_own else f"{DROPPED}{file.name}"

    def latent_of(
        self, photo: DeskPhoto, model: str, encode: Callable[[Path], Latent]
    ) -> Latent:
        """Return the latent (d,) of a photo, encoded once for a file and a model.

        encode : raises `PhotoError` for a file that is no photo; the reason is stored,
            but the next time the file is tried again.
        """
        with self._encoding_locks[photo.number % len(self._encoding_locks)]:
            state = self._store.states([photo.number], latents=True)[photo.number]
            found, stamp = state.encoded, photo.file.stamp
            is_current = found and (found.model, found.stamp) == (model, stamp)
            if found and is_current and found.latent is not None:
                return found.latent
            try:
                latent = encode(photo.file.path)
            except PhotoError as error:
                if error.http_status < 500:  # else it is the machine's fault
                    failed = EncodedFile(model, stamp, None, error.code, str(error))
                    self._store.store_encoded(photo.number, failed)
                raise
            self._store.store_encoded(photo.number, EncodedFile(model, stamp, latent))
            return latent

    def latents(self, model: str) -> tuple[list[int], Latent]:
        """Return the ids of the listed photos that a model encoded, and (N, d)."""
        files = self._files
        states = self._store.states(list(files), latents=True)
        found = {
            number: encoded.latent
            for number, state in states.items()
            if (encoded := state.encoded) is not None
            and encoded.latent is not None
            and encoded.model == model
        }
        rows = list(found.values())
        return list(found), np.stack(rows) if rows else np.zeros((0, 0), np.float32)

    def n_steps(self) -> int:
        """Count the steps that can be undone."""
        return self._store.n_steps()

    def record_step(
        self, ids: Sequence[int], decisions: TagDecisions
    ) -> tuple[int | None, list[DeskPhoto]]:
        """Store a step; returns its number and the photos that it changed.

        Raises `DeskError` for an unknown id.
        """
        self.photos_by_id(ids)
        step, changed = self._store.record_step(ids, decisions)
        return step, self.photos_by_id(changed)

    def undo(self, n_steps: int | None = None) -> tuple[str, list[DeskPhoto]]:
        """Undo the last step; see `DeskStore.undo`.

        Photos whose files are gone are not among those returned.
        """
        text, ids = self._store.undo(n_steps)
        if not {*ids} <= {*self._files}:
            self.photos()
        files = self._files
        existing = [n for n in ids if n in files and stamp_of(files[n].path)]
        return text, self.photos_by_id(existing)

    def write(
        self, ids: Sequence[int] | None, sidecar: bool, dry_run: bool
    ) -> Generator[DeskOutcome, None, None]:
        """Write the tags of photos; yields the outcome of each.

        ids : None for all with tags that are not written yet.

        Raises `DeskError`, and the errors of `lablr.metadata.write_tags`, when the
        first is asked for.
        """
        every = self.photos()
        if ids is None:
            chosen = [one for one in every if {*one.tags} - {*one.written}]
        else:
            chosen = [one for one in self.photos_by_id(ids) if one.tags]
        by_path = {photo.file.path: photo for photo in chosen}
        target_of = sidecar_of if sidecar else Path
        before = {path: stamp_of(target_of(path)) for path in by_path}
        keywords = {path: photo.keywords for path, photo in by_path.items()}
        if not keywords:
            return
        outcomes = write_tags(
            keywords, state=self._state, sidecar=sidecar, dry_run=dry_run
        )
        for outcome in outcomes:
            photo = by_path[outcome.photo]
            after = stamp_of(outcome.target)
            if outcome.status in ("written", "unchanged") and after and not dry_run:
                tags, stamps = photo.tags, (before[outcome.photo], after)
                self._store.store_written(photo.number, tags, sidecar, *stamps)
            yield DeskOutcome(photo.number, photo.name, outcome)

    def undo_writing(
        self, run: str | None = None
    ) -> Generator[DeskOutcome, None, None]:
        """Undo a run of writing, by default the last; yields each file's outcome.

        Raises `DeskError` when this desk has none, and the errors of
        `lablr.metadata.undo`, when the first is asked for.
        """
        name = self._run_to_undo(run)
        by_path = {photo.file.path: photo for photo in self.photos()}
        for outcome in undo(self._state, name):
            photo = by_path.get(outcome.photo)
            after = stamp_of(outcome.photo)
            is_inside = outcome.target == outcome.photo
            if photo and after and is_inside and outcome.status == "restored":
                self._store.restamp(photo.number, photo.file.stamp, after)
            number = None if photo is None else photo.number
            shown = outcome.photo.name if photo is None else photo.name
            yield DeskOutcome(number, shown, outcome)

    def _run_to_undo(self, name: str | None) -> str:
        """Return the run to undo: one that changed nothing outside the desk."""
        runs = [
            run
            for run in list_runs(self._state)
            if all(self._is_here(change.photo) for change in run.changes)
        ]
        if name is not None:
            if name not in {run.name for run in runs}:
                raise DeskError(
                    "no_run", "The desk has written no such run.", http_status=404
                )
            return name
        for run in reversed(runs):
            if run.to_undo and not run.is_undone:
                return run.name
        raise DeskError(
            "nothing_to_undo", "Nothing is left to take back.", http_status=409
        )

    def _is_here(self, photo: Path) -> bool:
        folders = (self.folder, self._dropped)
        return any(photo.is_relative_to(folder) for folder in folders)


def open_desk(
    folder: Path | None, database: Callable[[], Database], state: Path
) -> Desk:
    """Open the desk of a folder; without one, the desk of loose dropped photos.

    database : returns the database at every use.
    state : the folder of Lablr's journals and of copies of dropped photos.

    Raises `DeskError` for a folder that does not exist, or cannot be made.
    """
    copies = state.resolve() / "desk" / "dropped"
    if folder is None:
        place = dropped = copies / "loose"
        try:
            place.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise DeskError("no_folder", f"{place}: {error.strerror}") from error
    else:
        place = folder.resolve()
        if not place.is_dir():
            raise DeskError("no_folder", f"there is no folder {place}")
        # each desk has its own copies
        dropped = copies / hashlib.sha256(os.fsencode(place)).hexdigest()[:16]
    return Desk(place, dropped, state, DeskStore(database, str(place)))
