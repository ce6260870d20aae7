"""Replace one file as a whole, and keep its old bytes beside it.

The new bytes are written into the folder ``.lablr/NAME`` beside the file, flushed to
the disk, given the file's mode, owner, and further attributes, and renamed over it: at
any moment the file is the old one or the new one. Its old bytes stay in the same
folder under their SHA-256: as a hard link, which takes no time and no room, or as a
copy where the file system has no links or the file has several.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lablr.errors import PhotoError, WritingError
from lablr.photos import PhotoLimits, read_bytes
from lablr.system.whole_file import flush_folder, write_bytes

LIMITS = PhotoLimits(max_bytes=256 << 20)
UNFINISHED = "unfinished"  # new bytes until they are whole, in the vault


@dataclass(frozen=True)
class Snapshot:
    """A file as it was read: its bytes and its status."""

    path: Path
    content: bytes
    status: os.stat_result

    @property
    def digest(self) -> str:
        """Return the SHA-256 of its bytes."""
        return digest_of(self.content)

    def check_unchanged(self) -> None:
        """Raise WritingError when the file is another by now."""
        now, then = self.path.lstat(), self.status
        if (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns) != (
            then.st_dev,
            then.st_ino,
            then.st_size,
            then.st_mtime_ns,
        ):
            raise WritingError("Another program changed it just now. Retry.")


def digest_of(content: bytes) -> str:
    """Return the SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def read_snapshot(path: Path, to_replace: bool = True) -> Snapshot:
    """Read a plain file of at most 256 MiB.

    Raises PhotoError for a link, folder, pipe, device or what cannot be read, and with
    `to_replace` WritingError for a file or folder that is write-protected.
    """
    content = read_bytes(path, LIMITS)
    status = path.lstat()
    if to_replace:
        check_writable(path.parent, "Its folder is")
        _check_writable(path, status, "It is")
    return Snapshot(path, content, status)


def check_writable(folder: Path, what: str) -> None:
    """Raise WritingError for a folder in which no file may be made."""
    _check_writable(folder, folder.stat(), what)


def _check_writable(path: Path, status: os.stat_result, what: str) -> None:
    # The superuser may write everywhere, but somebody protected the file on purpose.
    if not stat.S_IMODE(status.st_mode) & 0o222 or not os.access(path, os.W_OK):
        raise WritingError(f"{what} write-protected, and left alone.")


def vault_of(target: Path, name: str) -> Path:
    """Return the folder for a file's backups."""
    return target.parent / ".lablr" / name


def back_up(snapshot: Snapshot, backup: Path) -> None:
    """Keep a file's bytes at ``backup``, flushed to the disk."""
    _make_vault(backup.parent)
    try:
        read_backup(backup, snapshot.digest)  # of another file of the same bytes
    except WritingError:
        _link_or_copy(snapshot, backup)
    flush_folder(backup.parent)


def _make_vault(vault: Path) -> None:
    for folder in (vault.parent, vault):
        with suppress(FileExistsError):
            folder.mkdir()
        if folder.is_symlink() or not folder.is_dir():
            raise WritingError(f"{folder.name} beside it is no folder.")
    flush_folder(vault.parent.parent)
    flush_folder(vault.parent)


def _link_or_copy(snapshot: Snapshot, backup: Path) -> None:
    if snapshot.status.st_nlink == 1:
        # Not every file system has links, nor may everybody make them.
        with suppress(OSError):
            backup.unlink(missing_ok=True)
            os.link(snapshot.path, backup, follow_symlinks=False)
            if os.path.samestat(backup.lstat(), snapshot.status):
                return
    write_bytes(backup, snapshot.content)


def replace(
    snapshot: Snapshot, content: bytes, vault: Path, mtime_ns: int | None = None
) -> None:
    """Put these bytes in the file's place, whole or not at all.

    Mode, owner where possible, access control lists and further attributes are kept;
    the time of change is `mtime_ns` or now. Raises WritingError when somebody changed
    the file since the snapshot, and OSError where the system refuses.
    """

    def dress(new: Path) -> None:
        _dress(new, snapshot.path, snapshot.status)
        now = time.time_ns()
        os.utime(new, ns=(now, now if mtime_ns is None else mtime_ns))
        snapshot.check_unchanged()

    _make_vault(vault)
    unfinished = vault / UNFINISHED
    write_bytes(snapshot.path, content, unfinished=unfinished, before=dress)


def create(target: Path, content: bytes, vault: Path) -> None:
    """Create a file of these bytes, whole or not at all."""
    _make_vault(vault)
    try:
        write_bytes(target, content, unfinished=vault / UNFINISHED, is_new=True)
    except FileExistsError as error:
        raise WritingError("Another program made it just now. Retry.") from error


def _dress(new: Path, old: Path, status: os.stat_result) -> None:
    """Give a new file the old one's owner, mode and attributes."""
    with suppress(PermissionError):  # only the superuser gives files away
        os.chown(new, status.st_uid, status.st_gid)
    try:
        shutil.copystat(old, new, follow_symlinks=False)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.EACCES, errno.ENOTSUP):
            raise


def tidy(vault: Path) -> None:
    """Remove what was unfinished, and the folders of backups where they are empty."""
    with suppress(OSError):  # the folder, or its disk, is not there
        (vault / UNFINISHED).unlink(missing_ok=True)
    for folder in (vault, vault.parent):
        with suppress(OSError):  # it holds backups
            folder.rmdir()


def read_backup(backup: Path, digest: str) -> bytes:
    """Return the bytes of a backup; raise WritingError unless their digest matches."""
    try:
        content = read_bytes(backup, LIMITS)
    except PhotoError as error:
        raise WritingError("Its backup is not there any more.") from error
    if digest_of(content) != digest:
        raise WritingError("Its backup is damaged. Nothing was changed.")
    return content
