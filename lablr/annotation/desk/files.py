"""The photo files of a desk: those in its folder, and copies of dropped ones.

No link is followed, to a file or a folder, so nothing outside the folder is shown or
written; hidden files and folders (the backups of `lablr.metadata`) are left out.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from lablr.corpus.layouts import EXTENSIONS
from lablr.errors import DeskError, PhotoError
from lablr.photos import FOLDER_LIMITS, photo_kind, read_bytes
from lablr.system.locks import locked_folder
from lablr.system.whole_file import write_bytes

MAX_PHOTOS = 50_000
MAX_STEM = 100
SUFFIXES = {
    "JPEG": (".jpg", ".jpeg"),
    "PNG": (".png",),
    "WEBP": (".webp",),
    "GIF": (".gif",),
}

# Size in bytes and time of change in ns: they tell whether a file has changed.
Stamp = tuple[int, int]


@dataclass(frozen=True)
class FolderPhoto:
    """A photo below a folder, whose links are resolved."""

    folder: Path
    path: Path
    stamp: Stamp

    @property
    def name(self) -> str:
        """Return the path below the folder, printable."""
        return printable(self.path.relative_to(self.folder).as_posix())

    def current(self) -> FolderPhoto:
        """Return the same file as it is now.

        Raises `DeskError` (404) when it is gone, is no longer a plain file, or a
        folder on the way to it has become a link.
        """
        stamp = stamp_of(self.path)
        if stamp is None or self.path.parent.resolve() != self.path.parent:
            raise DeskError(
                "no_photo", "The photo's file is not there any more.", http_status=404
            )
        return FolderPhoto(self.folder, self.path, stamp)


def stamp_of(path: Path) -> Stamp | None:
    """Return the stamp of a plain file; None for everything else."""
    try:
        status = path.lstat()
    except (OSError, ValueError):
        return None
    return _stamp(status) if stat.S_ISREG(status.st_mode) else None


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_size, status.st_mtime_ns


def photos_below(folder: Path) -> list[FolderPhoto]:
    """Return the photos in a folder and the folders in it, by name.

    A folder inside that cannot be read is left out. Raises `DeskError` when the
    folder itself cannot be, or holds more than `MAX_PHOTOS`.
    """
    found: list[FolderPhoto] = []
    for file in _walk(folder):
        if len(found) == MAX_PHOTOS:
            raise DeskError(
                "too_many_photos",
                f"The folder holds more than {MAX_PHOTOS:,} photos. Open one in it.",
            )
        found.append(file)
    return sorted(found, key=lambda file: file.name)


def _walk(folder: Path) -> Iterator[FolderPhoto]:
    waiting = [folder]
    while waiting:
        place = waiting.pop()
        try:
            with os.scandir(place) as entries:
                visible = [entry for entry in entries if entry.name[0] != "."]
        except OSError as error:
            if place == folder:
                raise DeskError(
                    "no_folder", "The desk's folder cannot be read.", http_status=503
                ) from error
            continue
        for entry in visible:
            if entry.is_dir(follow_symlinks=False):
                waiting.append(Path(entry.path))
            elif _is_photo(entry) and (stamp := stamp_of(Path(entry.path))):
                yield FolderPhoto(folder, Path(entry.path), stamp)


def _is_photo(entry: os.DirEntry[str]) -> bool:
    is_file = entry.is_file(follow_symlinks=False)
    return is_file and Path(entry.path).suffix.lower() in EXTENSIONS


def printable(name: str) -> str:
    """Return a file's name as JSON and databases can store it, whatever its bytes."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def store_photo(folder: Path, name: str, content: bytes) -> FolderPhoto:
    """Write a photo whole into a folder, under its name or one like it.

    The same bytes under the same name are stored once. Raises `PhotoError` for bytes
    that are no photo, `DeskError` when the disk refuses them.
    """
    suffixes = SUFFIXES[photo_kind(content)]
    last = name.replace("\\", "/").rpartition("/")[2]
    given = Path(last).suffix.lower()
    suffix = given if given in suffixes else suffixes[0]
    stem = _valid_stem(Path(last).stem) or "photo"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked_folder(folder):  # nobody else takes a name in it
            path = _write_new(folder, stem, suffix, content)
    except OSError as error:
        raise DeskError(
            "cannot_keep",
            f"The photo cannot be kept: {error.strerror}.",
            http_status=507,
        ) from error
    return FolderPhoto(folder, path, _stamp(path.lstat()))


def _write_new(folder: Path, stem: str, suffix: str, content: bytes) -> Path:
    for number in count(1):
        path = folder / (
            f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}"
        )
        if not os.path.lexists(path):
            write_bytes(path, content)
            return path
        if _has_content(path, content):
            return path
    raise AssertionError("there are enough numbers")


def _has_content(path: Path, content: bytes) -> bool:
    try:
        return read_bytes(path, FOLDER_LIMITS) == content
    except PhotoError:
        return False


def _valid_stem(stem: str) -> str:
    """Return a name valid on any system: letters, digits, marks and ``-_ ().``."""
    valid = (
        character
        for character in unicodedata.normalize("NFC", stem)
        if unicodedata.category(character)[0] in "LNM" or character in "-_ ()."
    )
    # A name has 255 bytes at most, and so has the one under which it is written.
    short = "".join(valid).encode()[:MAX_STEM].decode(errors="ignore")
    return short.strip(" .")
