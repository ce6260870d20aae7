"""Write tags into files, one after the other, and undo that.

For each file: the new bytes are made and checked; the journal records what is about to
happen; the old bytes are kept; the new ones take their place. A process that is killed
in between leaves the file as it was or as it should be, and the next run clears up.
"""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

from lablr.errors import LablrError, PhotoError, WritingError
from lablr.metadata import files
from lablr.metadata.exiv2 import embed, load_exiv2
from lablr.metadata.journal import FileChange, WriteJournal, WriteRun
from lablr.metadata.keywords import Additions, Keyword, Lists
from lablr.metadata.sidecars import beside, sidecar_of
from lablr.system.whole_file import flush_folder

Status = Literal["written", "would be written", "unchanged", "restored", "failed"]


@dataclass(frozen=True)
class WriteOutcome:
    """The outcome of one photo.

    target : the file that was meant to change: the photo, or its sidecar.
    run : the name by which to undo it; None for a dry run.
    found, added : the lists of tags that were there, and what each got.
    """

    photo: Path
    target: Path
    status: Status
    run: str | None = None
    found: Lists = field(default_factory=dict)
    added: Lists = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    error: LablrError | None = None


@dataclass(frozen=True)
class _Plan:
    """The bytes that a file is to have; ``snapshot`` is None where it is new."""

    target: Path
    snapshot: files.Snapshot | None
    content: bytes
    found: Lists
    more: Additions


def write_tags(
    wanted: Mapping[Path, Sequence[Keyword]],
    *,
    state: Path,
    sidecar: bool = False,
    dry_run: bool = False,
) -> Iterator[WriteOutcome]:
    """Write each photo's tags into it, or into its sidecar; yield each outcome.

    wanted : photo -> tags; they are taken in this order.
    state : the folder of the journal; a dry run touches nothing, not even that.

    A photo whose tags cannot be written is yielded as "failed", and the others go on.
    Raises, when the first is asked for, WritingError when the journal cannot be had,
    and MissingExtra when photos cannot be written into.
    """
    if not sidecar:
        load_exiv2()
    if dry_run:
        for photo, keywords in wanted.items():
            yield _attempt(photo, keywords, sidecar, None, None)
        return
    with _journal(state) as journal:
        run = journal.begin()
        carry_out = partial(_carry_out, journal, run)
        try:
            for photo, keywords in wanted.items():
                yield _attempt(photo, keywords, sidecar, carry_out, run.name)
        finally:
            journal.add(end=run.name)


def undo(state: Path, run: str | None = None) -> Iterator[WriteOutcome]:
    """Restore the files of a run, by default the last, to their bytes from before.

    Yields each as "restored", as "unchanged" where it has them already, or as
    "failed" where somebody changed it since. Called again, it goes back one more run.
    Raises WritingError when there is no such run, or nothing to undo.
    """
    with _journal(state) as journal:
        chosen = journal.choose(run)
        journal.add(undo=chosen.name)
        left, is_through = set(chosen.left), False
        try:
            for number in chosen.to_undo:
                outcome = _take_back(journal, chosen, chosen.changes[number])
                if outcome.status != "failed":
                    left.discard(number)
                yield outcome
            is_through = True
        finally:
            # A run of which nothing could be undone (its disk is not there) waits.
            _close(journal, chosen, left, is_through and left < chosen.left)


def forget(state: Path, run: str) -> int:
    """Remove the backups of a run, which then cannot be undone.

    Returns how many files it was about; raises WritingError when there is no such run.
    """
    with _journal(state) as journal:
        chosen = journal.choose(run)
        n_files = len(chosen.left)
        journal.add(undo=chosen.name)
        _close(journal, chosen, set(), passed_over=True)
        return n_files


def list_runs(state: Path) -> Sequence[WriteRun]:
    """Return the runs that changed files, the oldest first."""
    with _journal(state) as journal:
        return journal.changed()


@contextmanager
def _journal(state: Path) -> Iterator[WriteJournal]:
    """Hold the journal, after clearing up what a killed process left."""
    with closing(WriteJournal(state)) as journal:
        for run in [run for run in journal.runs.values() if not run.closed]:
            _settle(journal, run)
            for vault in {_vault(journal, change) for change in run.changes}:
                files.tidy(vault)
            journal.add(end=run.name)
        yield journal


def _vault(journal: WriteJournal, change: FileChange) -> Path:
    return files.vault_of(change.target, journal.name)


def _plan_inside(photo: Path, keywords: Sequence[Keyword]) -> _Plan:
    """Compute the photo with these tags in it.

    Raises PhotoError or WritingError where they cannot be written.
    """
    snapshot = files.read_snapshot(photo)
    return _Plan(photo, snapshot, *embed(snapshot.content, keywords))


def _plan_beside(photo: Path, keywords: Sequence[Keyword]) -> _Plan:
    """Compute the photo's sidecar with these tags; errors as in `_plan_inside`."""
    status = photo.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise WritingError("This is a link, directory, pipe or device, and no photo.")
    target = sidecar_of(photo)
    if target.exists() or target.is_symlink():
        snapshot = files.read_snapshot(target)
        return _Plan(target, snapshot, *beside(snapshot.content, None, keywords))
    files.check_writable(photo.parent, "Its folder is")
    is_small = status.st_size <= files.LIMITS.max_bytes
    inside = files.read_snapshot(photo, to_replace=False).content if is_small else None
    return _Plan(target, None, *beside(None, inside, keywords))


def _attempt(
    photo: Path,
    keywords: Sequence[Keyword],
    sidecar: bool,
    carry_out: Callable[[Path, _Plan, Sequence[Keyword]], None] | None,
    run: str | None,
) -> WriteOutcome:
    """Write one photo's tags, or only report what would be written."""
    target = sidecar_of(photo) if sidecar else photo
    place = photo.absolute()  # the journal outlives the folder where this is called
    try:
        plan = (_plan_beside if sidecar else _plan_inside)(place, keywords)
        if plan.more.to_lists and carry_out is not None:
            carry_out(place, plan, keywords)
    except (LablrError, OSError) as error:
        return WriteOutcome(photo, target, "failed", run, error=_as_ours(error))
    status: Status = "written" if carry_out else "would be written"
    return WriteOutcome(
        photo=photo,
        target=target,
        status=status if plan.more.to_lists else "unchanged",
        run=run,
        found=plan.found,
        added=plan.more.to_lists,
        notes=plan.more.notes,
    )


def _as_ours(error: LablrError | OSError) -> LablrError:
    if isinstance(error, LablrError):
        return error
    return WritingError(f"It cannot be written: {error.strerror or error}.")


def _carry_out(
    journal: WriteJournal,
    run: WriteRun,
    photo: Path,
    plan: _Plan,
    keywords: Sequence[Keyword],
) -> None:
    """Journal, back up, replace; on any error the file is as it was."""
    snapshot, vault = plan.snapshot, files.vault_of(plan.target, journal.name)
    change = FileChange(
        photo=photo,
        target=plan.target,
        before=snapshot.digest if snapshot else None,
        after=files.digest_of(plan.content),
        backup=vault / snapshot.digest if snapshot else None,
        mtime_ns=snapshot.status.st_mtime_ns if snapshot else 0,
        keywords=[(keyword.tag, keyword.origin) for keyword in keywords],
    )
    journal.add(run=run.name, **change.to_dict())
    try:
        if snapshot is None or change.backup is None:
            files.create(plan.target, plan.content, vault)
            files.tidy(vault)
        else:
            files.back_up(snapshot, change.backup)
            files.replace(snapshot, plan.content, vault)
    except BaseException:
        _settle(journal, run)
        raise


def _settle(journal: WriteJournal, run: WriteRun) -> None:
    """Strike out the last change of a run if it did not happen, and clear up."""
    number = len(run.changes) - 1
    if number not in run.left:
        return
    change = run.changes[number]
    with suppress(WritingError):  # its folder is not there: it will be another time
        if _digest(change.target) == change.before:
            # It is counted itself.
            if journal.backups_in_use()[change.backup] <= 1:
                _drop_backup(change)
            journal.add(void=run.name, number=number)
    files.tidy(_vault(journal, change))


def _digest(target: Path) -> str | None:
    """Return the SHA-256 of a file's bytes, None where there is no such file.

    Raises WritingError where that cannot be told.
    """
    if not target.parent.is_dir():
        raise WritingError("Its folder is not there.")
    if not target.exists() and not target.is_symlink():
        return None
    try:
        return files.read_snapshot(target, to_replace=False).digest
    except PhotoError as error:
        raise WritingError(str(error)) from error


def _take_back(
    journal: WriteJournal, run: WriteRun, change: FileChange
) -> WriteOutcome:
    try:
        status = _restore(journal, change)
    except (LablrError, OSError) as error:
        return WriteOutcome(
            change.photo, change.target, "failed", run.name, error=_as_ours(error)
        )
    return WriteOutcome(change.photo, change.target, status, run.name)


def _restore(journal: WriteJournal, change: FileChange) -> Status:
    digest = _digest(change.target)
    if digest == change.before:
        return "unchanged"
    if digest is None:
        raise WritingError("It is not there any more.")
    snapshot = files.read_snapshot(change.target)
    if snapshot.digest != change.after:
        raise WritingError(
            "It was changed since, by a later run or another program, "
            "and is left alone."
        )
    if change.before is None or change.backup is None:
        snapshot.check_unchanged()
        change.target.unlink()
        flush_folder(change.target.parent)
    else:
        content = files.read_backup(change.backup, change.before)
        vault = _vault(journal, change)
        files.replace(snapshot, content, vault, change.mtime_ns)
    return "restored"


def _close(
    journal: WriteJournal, run: WriteRun, left: set[int], passed_over: bool
) -> None:
    """Drop the backups that nothing needs any more, and record what is left to undo."""
    done = [run.changes[number] for number in run.left - left]
    run.left = left
    in_use = journal.backups_in_use()
    for change in done:
        if change.backup not in in_use:
            _drop_backup(change)
    for vault in {_vault(journal, change) for change in done}:
        files.tidy(vault)
    journal.add(undone=run.name, left=sorted(left), passed_over=passed_over)


def _drop_backup(change: FileChange) -> None:
    if change.backup is not None:
        with suppress(OSError):  # its disk is not there any more
            change.backup.unlink(missing_ok=True)
