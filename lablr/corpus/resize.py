"""Every photo of a corpus at one size: a corpus to a corpus.

``OUT`` gets ``photos/NAME.jpg``, each of exactly size x size pixels, ``photos.jsonl``
with every record and all its fields, and ``photos.csv`` with a ``path,label`` line for
each tag of each photo.

A resized photo says in its JPEG comment what it was made of: size, fit, quality, and
the bytes and SHA-256 of the photo it came from, whose time of change it takes on. So
whether it is still good is known from itself. Each file is written whole or not at
all, and the two lists come last: a folder that has them is complete. Killed at any
moment and run again, what is done is kept and the rest is made.
"""

from __future__ import annotations

import filecmp
import hashlib
import io
import json
import logging
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path

from PIL import Image

from lablr.corpus import Corpus
from lablr.corpus.records import MAX_LINE_BYTES, Photo
from lablr.errors import CorpusError, PhotoError, ResizeError
from lablr.photos import FITS, FOLDER_LIMITS, read_bytes, read_image
from lablr.system.cpu import available_threads
from lablr.system.locks import locked_folder
from lablr.system.progress import Progress, silent
from lablr.system.threads import map_in_order
from lablr.system.whole_file import flush_folder, write_bytes

log = logging.getLogger("lablr")

CLAIM = "resize.json"
INDEXES = ("photos.jsonl", "photos.csv")
MADE_BY = "lablr resize, form 1"  # another form makes every photo again
UNFINISHED = ".unfinished"
MAX_SIZE = 4096
N_AHEAD = 4  # photos a thread that may wait for their turn


@dataclass(frozen=True)
class ResizeConfig:
    """The size, fit and quality of resized photos.

    size : side of the square, in pixels.
    fit : "letterbox" keeps the whole photo, scaled down where it is larger, on black;
        "crop" is the square that the encoder sees (`lablr.photos.read_image`).
    quality : of the JPEGs, 1 to 100.
    min_photos : leave out the tags that fewer photos of the corpus carry; the photos
        stay.
    """

    size: int = 128
    fit: str = "letterbox"
    quality: int = 90
    min_photos: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.size <= MAX_SIZE:
            raise ValueError(f"size must be 1 to {MAX_SIZE} pixels, got {self.size}")
        if self.fit not in FITS:
            raise ValueError(f"fit must be one of {', '.join(FITS)}, got {self.fit!r}")
        if not 1 <= self.quality <= 100:
            raise ValueError(f"quality must be 1 to 100, got {self.quality}")


@dataclass
class ResizeCounts:
    """Counts of a corpus's records: attempted = written + kept + failed."""

    attempted: int = 0
    written: int = 0
    kept: int = 0
    failed: int = 0


def resize_corpus(
    corpus: Corpus,
    out: str | os.PathLike[str],
    config: ResizeConfig | None = None,
    *,
    n_threads: int | None = None,
    progress: Progress = silent,
) -> ResizeCounts:
    """Resize the photos of ``corpus`` into the corpus ``out``.

    A photo or record that cannot be used is named in the log, counted and left out.
    Memory does not grow with the photos: ``n_threads`` (default: the cores) of them
    are decoded at a time. Raises ResizeError when ``out`` holds something else, lies
    in the corpus or around it, is at work already or cannot be written; what was done
    by then stays and is not done again.
    """
    root = Path(out).resolve()
    _refuse_overlap(corpus.root.resolve(), root)
    try:
        root.mkdir(parents=True, exist_ok=True)
        busy = ResizeError(f"{root}: another lablr resize is at work")
        with locked_folder(root, busy):
            config = config or ResizeConfig()
            folder = _Folder(root, config, _frequent_tags(corpus, config.min_photos))
            return _resize(corpus, folder, n_threads or available_threads(), progress)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ResizeError(f"{out} cannot be written: {reason}") from error


def _frequent_tags(corpus: Corpus, min_photos: int) -> frozenset[str] | None:
    """Return the tags that so many photos carry; None is every tag."""
    if min_photos <= 1:
        return None
    counts = corpus.tag_counts()
    return frozenset(tag for tag, n_photos in counts.items() if n_photos >= min_photos)


def _resize(
    corpus: Corpus, folder: _Folder, n_threads: int, progress: Progress
) -> ResizeCounts:
    counts = ResizeCounts()
    total = corpus.count_records()
    # The threads end before the lock does, so that none writes after that.
    with (
        folder.indexes() as indexes,
        closing(
            map_in_order(folder.add, corpus.records(), n_threads, N_AHEAD * n_threads)
        ) as outcomes,
    ):
        for outcome in progress(outcomes, total, "resizing photos"):
            counts.attempted += 1
            if outcome.failure:
                counts.failed += 1
                log.warning("left out %s", outcome.failure)
                continue
            counts.written += outcome.is_new
            counts.kept += not outcome.is_new
            for file, lines in zip(indexes, outcome.lines, strict=True):
                file.write(lines)
    return counts


@dataclass(frozen=True)
class _Resized:
    """A photo that lies in the folder, with its lines there, or why it does not."""

    is_new: bool = False
    failure: str = ""
    lines: tuple[bytes, bytes] = (b"", b"")  # of each of INDEXES


class _Folder:
    """The folder of the resized photos, of which this process holds the lock."""

    def __init__(
        self, root: Path, config: ResizeConfig, tags: frozenset[str] | None
    ) -> None:
        self.root, self.config, self.tags = root, config, tags
        self.photos = root / "photos"
        self.unfinished = root / UNFINISHED
        self._claim()

    def _claim(self) -> None:
        """Claim the folder, unless another program's files are in it."""
        claim = self.root / CLAIM
        # What a process left that was killed before its first file had its name.
        others = {path.name for path in islice(self.root.iterdir(), 3)} - {UNFINISHED}
        if others and not _is_ours(claim):
            raise ResizeError(
                f"{self.root}: holds files that lablr resize did not make; "
                "name another folder"
            )
        shutil.rmtree(self.unfinished, ignore_errors=True)
        self.unfinished.mkdir(exist_ok=True)
        text = json.dumps({"made_by": MADE_BY, **asdict(self.config)}) + "\n"
        if not claim.exists() or claim.read_text("utf-8") != text:
            self._write(claim, text.encode())
        self.photos.mkdir(exist_ok=True)

    def add(self, record: Photo | CorpusError) -> _Resized:
        """Put the photo of a record into the folder; raise OSError on a full disk."""
        if isinstance(record, CorpusError):
            return _Resized(failure=str(record))
        path = self.photos / _name_for(record.file)
        try:
            return self._lines(record, path, is_new=self._make(record.path, path))
        except (PhotoError, CorpusError) as error:
            if path.exists():  # the photo was good before
                self._forget_indexes()
                path.unlink()
            return _Resized(failure=f"{record.file}: {error}")

    def _make(self, source: Path, path: Path) -> bool:
        """Write the resized photo; return False where it is there already."""
        there = _Made.read(path)
        changed_ns, n_bytes = _status(source)
        if there.changed_ns == changed_ns and self._mark(n_bytes) in there.head:
            return False
        payload = read_bytes(source, FOLDER_LIMITS)
        digest = hashlib.sha256(payload).hexdigest().encode()
        mark = self._mark(len(payload)) + digest
        if mark in there.head:  # the photo was only copied or touched
            os.utime(path, ns=(changed_ns, changed_ns))
            return False
        config = self.config
        image = read_image(payload, config.size, FOLDER_LIMITS, config.fit)
        stream = io.BytesIO()
        options = {"quality": config.quality, "comment": mark}
        Image.fromarray(image).save(stream, "JPEG", **options)
        self._write(path, stream.getvalue(), changed_ns)
        return True

    def _mark(self, n_bytes: int) -> bytes:
        """Return the comment of a resized photo, without the digest at its end."""
        config = self.config
        made = f"{config.size} px, {config.fit}, quality {config.quality}"
        return f"{MADE_BY}: {made}, of {n_bytes} bytes, SHA-256 ".encode()

    def _lines(self, photo: Photo, path: Path, is_new: bool) -> _Resized:
        """Return the lines of a photo that lies at ``path``."""
        file = f"{self.photos.name}/{path.name}"
        if self.tags is not None:
            kept = tuple(tag for tag in photo.tags if tag in self.tags)
            photo = replace(photo, tags=kept)
        line = _json_line({**replace(photo, file=file).to_record(), **photo.others})
        if len(line) > MAX_LINE_BYTES:
            raise CorpusError(f"its record is longer than {MAX_LINE_BYTES:,} bytes")
        # Nothing to quote: tags in normal form are letters and digits.
        labels = "".join(f"{file},{tag}\n" for tag in photo.tags)
        return _Resized(is_new, "", (line, labels.encode()))

    def _write(self, path: Path, content: bytes, changed_ns: int | None = None) -> None:
        """Write a file whole or not at all, with this time of change."""

        def before(unfinished: Path) -> None:
            if changed_ns is not None:
                os.utime(unfinished, ns=(changed_ns, changed_ns))
            if path.parent == self.photos:
                self._forget_indexes()

        write_bytes(
            path,
            content,
            unfinished=self.unfinished / path.name,
            before=before,
            flushes_name=False,  # the folder is flushed at the end
        )

    def _forget_indexes(self) -> None:
        """Remove the lists before a photo changes: only a finished folder has them."""
        for name in INDEXES:
            (self.root / name).unlink(missing_ok=True)

    @contextmanager
    def indexes(self) -> Iterator[Sequence[io.BufferedWriter]]:
        """Yield the lists to write; they get their names when all went well."""
        try:
            with ExitStack() as stack:
                files = [
                    stack.enter_context((self.unfinished / name).open("wb"))
                    for name in INDEXES
                ]
                files[1].write(b"path,label\n")
                yield files
                for file in files:
                    file.flush()
                    os.fsync(file.fileno())
            flush_folder(self.photos)
            for name in reversed(INDEXES):
                unfinished, path = self.unfinished / name, self.root / name
                if not (path.exists() and filecmp.cmp(unfinished, path, shallow=False)):
                    unfinished.replace(path)
            flush_folder(self.root)
        finally:
            shutil.rmtree(self.unfinished, ignore_errors=True)


@dataclass(frozen=True)
class _Made:
    """A resized photo: its first bytes, which hold its comment, and its time."""

    head: bytes = b""
    changed_ns: int = -1

    @classmethod
    def read(cls, path: Path) -> _Made:
        """Read what lies there; nothing unless it is a whole JPEG."""
        try:
            with path.open("rb") as file:
                changed_ns = os.fstat(file.fileno()).st_mtime_ns
                payload = file.read()
        except FileNotFoundError:
            return cls()
        is_whole = payload.endswith(b"\xff\xd9")
        return cls(payload[:512], changed_ns) if is_whole else cls()


def _status(source: Path) -> tuple[int, int]:
    """Return a photo's time of change in nanoseconds and its bytes."""
    try:
        status = source.stat(follow_symlinks=False)
    except OSError:
        return 0, 0  # reading it will say why
    return status.st_mtime_ns, status.st_size


def _name_for(file: str) -> str:
    """Return a name that is safe everywhere, and no other photo's.

    It begins as the photo's own name, as far as that is plain letters and digits; 80
    bits of the SHA-256 of its path in the corpus make it unique: of 10^9 photos two
    have the same with a chance of 4 in 10^7.
    """
    normal = os.path.normpath(file)
    plain = re.sub(r"[^0-9A-Za-z_-]+", "-", Path(normal).stem)[:40].strip("-")
    digest = hashlib.sha256(normal.encode("utf-8", "surrogateescape")).hexdigest()
    return f"{plain or 'photo'}-{digest[:20]}.jpg"


def _json_line(record: dict[str, object]) -> bytes:
    try:
        return json.dumps(record, ensure_ascii=False).encode() + b"\n"
    except UnicodeEncodeError:  # half a surrogate pair in a field that we do not read
        return json.dumps(record).encode() + b"\n"
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"its record cannot be written: {error}") from error


def _refuse_overlap(source: Path, out: Path) -> None:
    if source == out or source in out.parents:
        raise ResizeError(f"{out}: lies in the corpus itself; name another folder")
    if out in source.parents:
        raise ResizeError(f"{out}: the corpus lies in it; name another folder")


def _is_ours(claim: Path) -> bool:
    try:
        found = json.loads(claim.read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(found, dict) and str(found.get("made_by")).startswith(
        "lablr resize"
    )
