"""The desk of one folder: its photos, what people say of them, and writing it down."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lablr.annotation.desk.files import (
    FolderPhoto,
    keep_photo,
    photos_below,
    printable,
    stamp_of,
)
from lablr.annotation.desk.store import DeskStore, Latent, PhotoState, Said, Seen
from lablr.errors import DeskError, PhotoError
from lablr.metadata import Keyword, WriteOutcome, list_runs, undo, write_tags
from lablr.metadata.sidecars import sidecar_of

__all__ = ["DROPPED", "Desk", "DeskPhoto", "Writing"]

# How the copies of dropped photos are called at the desk.
DROPPED = "dropped/"


@dataclass(frozen=True)
class DeskPhoto:
    """A photo at the desk: its id, its file, and what is kept of it."""

    number: int
    file: FolderPhoto
    name: str
    state: PhotoState

    @property
    def seen(self) -> Seen | None:
        """What a model made of the file as it is now."""
        seen = self.state.seen
        return seen if seen is not None and seen.stamp == self.file.stamp else None

    @property
    def tags(self) -> list[str]:
        """The tags that people want it to have."""
        return [*self.state.tags("accepted"), *self.state.tags("typed")]

    @property
    def written(self) -> list[str]:
        """The tags that Lablr wrote and nothing has changed since."""
        inside = [one for one in self.state.written if not one.beside]
        beside = [one for one in self.state.written if one.beside]
        if any(one.stamp != self.file.stamp for one in inside):
            inside = []
        if beside and beside[0].stamp != stamp_of(sidecar_of(self.file.path)):
            beside = []
        return list(dict.fromkeys(one.tag for one in [*inside, *beside]))

    @property
    def keywords(self) -> list[Keyword]:
        """What is to be written, and where it is from."""
        return [
            *(Keyword(tag, "accepted") for tag in self.state.tags("accepted")),
            *(Keyword(tag, "typed") for tag in self.state.tags("typed")),
        ]


@dataclass(frozen=True)
class Writing:
    """What became of one photo, by its id; None for one that the desk has not."""

    number: int | None
    name: str
    outcome: WriteOutcome


class Desk:
    """A folder of photos, and a place for copies of those that are dropped.

    folder : its photos are worked on where they are.
    dropped : where copies go; it may be the folder itself.
    state : of `lablr.metadata`, which keeps what can be undone.
    """

    def __init__(
        self, folder: Path, dropped: Path, state: Path, store: DeskStore
    ) -> None:
        self.folder = folder.resolve()
        self._dropped = dropped.resolve()
        self._state = state
        self._store = store
        self._files: dict[int, FolderPhoto] = {}
        self._taking_in = threading.Lock()
        self._looking = [threading.Lock() for _ in range(16)]

    @property
    def name(self) -> str:
        """The folder, as any output can hold it."""
        return printable(str(self.folder))

    # --- photos

    def photos(self) -> list[DeskPhoto]:
        """Every photo that is there now, by name; raises `DeskError`."""
        numbers = self._store.numbers(self._scan())
        self._files = {number: file for file, number in numbers.items()}
        return sorted(self._with_states(self._files), key=lambda photo: photo.name)

    def some(self, ids: Sequence[int]) -> list[DeskPhoto]:
        """The photos of these ids, in their order.

        Raises `DeskError` (422) for an id of none.
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
        """One photo, its file as it is now; raises `DeskError` (404) without it."""
        try:
            (photo,) = self.some([number])
        except DeskError as error:
            raise DeskError(error.code, str(error), http_status=404) from None
        return DeskPhoto(number, photo.file.current(), photo.name, photo.state)

    def take_in(self, name: str, content: bytes) -> DeskPhoto:
        """Keep a copy of a dropped photo; raises `PhotoError` and `DeskError`."""
        file = keep_photo(self._dropped, name, content)
        ((_, number),) = self._store.numbers([file]).items()
        with self._taking_in:
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

    # --- what a model sees

    def latent_of(
        self, photo: DeskPhoto, model: str, encode: Callable[[Path], Latent]
    ) -> Latent:
        """The latent (d,) of a photo; encoded once for a file and a model.

        encode : raises `PhotoError` for a file that is no photo; why is kept, but
            the next time the file is tried again.
        """
        with self._looking[photo.number % len(self._looking)]:
            seen = self._store.states([photo.number], latents=True)[photo.number].seen
            is_same = seen and (seen.model, seen.stamp) == (model, photo.file.stamp)
            if seen and is_same and seen.latent is not None:
                return seen.latent
            try:
                latent = encode(photo.file.path)
            except PhotoError as error:
                if error.http_status < 500:  # else it is the machine's fault
                    failed = Seen(model, photo.file.stamp, None, error.code, str(error))
                    self._store.keep_seen(photo.number, failed)
                raise
            self._store.keep_seen(photo.number, Seen(model, photo.file.stamp, latent))
            return latent

    def latents(self, model: str) -> tuple[list[int], Latent]:
        """The ids of the photos that a model saw as they were listed, and (N, d)."""
        files = self._files
        states = self._store.states(list(files), latents=True)
        found = {
            number: state.seen.latent
            for number, state in states.items()
            if state.seen is not None
            and state.seen.latent is not None
            and state.seen.model == model
        }
        rows = list(found.values())
        return list(found), np.stack(rows) if rows else np.zeros((0, 0), np.float32)

    # --- steps

    def n_steps(self) -> int:
        """How many steps can be taken back."""
        return self._store.n_steps()

    def record_step(
        self, ids: Sequence[int], said: Said
    ) -> tuple[int | None, list[DeskPhoto]]:
        """Keep a step; returns its number and the photos that it changed.

        Raises `DeskError` for an id of no photo.
        """
        self.some(ids)
        step, changed = self._store.record_step(ids, said)
        return step, self.some(changed)

    def undo(self, n_steps: int | None = None) -> tuple[str, list[DeskPhoto]]:
        """Take the last step back; see `DeskStore.undo`.

        Photos whose files are not there any more are not among those returned.
        """
        said, ids = self._store.undo(n_steps)
        if not {*ids} <= {*self._files}:
            self.photos()
        files = self._files
        there = [n for n in ids if n in files and stamp_of(files[n].path)]
        return said, self.some(there)

    # --- writing

    def write(
        self, ids: Sequence[int] | None, sidecar: bool, dry_run: bool
    ) -> Generator[Writing, None, None]:
        """Write the tags of photos; yields what became of each.

        ids : None for all with tags that are not written yet.

        Raises `DeskError`, and as `lablr.metadata.write_tags` when the first is asked
        for.
        """
        every = self.photos()
        if ids is None:
            chosen = [one for one in every if {*one.tags} - {*one.written}]
        else:
            chosen = [one for one in self.some(ids) if one.tags]
        by_path = {photo.file.path: photo for photo in chosen}
        before = {path: stamp_of(_target(path, sidecar)) for path in by_path}
        wanted = {path: photo.keywords for path, photo in by_path.items()}
        if not wanted:
            return
        writing = write_tags(
            wanted, state=self._state, sidecar=sidecar, dry_run=dry_run
        )
        for outcome in writing:
            photo = by_path[outcome.photo]
            after = stamp_of(outcome.target)
            if outcome.status in ("written", "unchanged") and after and not dry_run:
                tags, stamps = photo.tags, (before[outcome.photo], after)
                self._store.keep_written(photo.number, tags, sidecar, *stamps)
            yield Writing(photo.number, photo.name, outcome)

    def undo_writing(self, run: str | None = None) -> Generator[Writing, None, None]:
        """Take a run of writing back, by default the desk's last; yields each file.

        Raises `DeskError` when there is none of this desk, and as
        `lablr.metadata.undo` when the first is asked for.
        """
        name = self._run(run)
        by_path = {photo.file.path: photo for photo in self.photos()}
        for outcome in undo(self._state, name):
            photo = by_path.get(outcome.photo)
            after = stamp_of(outcome.photo)
            is_inside = outcome.target == outcome.photo
            if photo and after and is_inside and outcome.status == "restored":
                self._store.restamp(photo.number, photo.file.stamp, after)
            number = None if photo is None else photo.number
            shown = outcome.photo.name if photo is None else photo.name
            yield Writing(number, shown, outcome)

    def _run(self, name: str | None) -> str:
        """The run to take back: one that changed nothing outside the desk."""
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


def _target(photo: Path, sidecar: bool) -> Path:
    return sidecar_of(photo) if sidecar else photo
