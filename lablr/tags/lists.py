"""Lists of tags in files, one a line; that of Flickr's popular tags is here."""

from __future__ import annotations

from pathlib import Path

from lablr.errors import CorpusError, DownloadError
from lablr.tags.normal_form import normalize

POPULAR = Path(__file__).parent / "data" / "popular_tags.txt"
MAX_TAGS_BYTES = 16 << 20


def popular_tags() -> list[str]:
    """Return the tags that are most popular on Flickr, the most popular first."""
    return read_tags(POPULAR)


def read_tags(path: Path) -> list[str]:
    """Return the tags of a file, one a line; ``#`` begins a comment.

    Raises CorpusError, naming file and line, for a line without a tag and a file
    without one; DownloadError without a file.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MAX_TAGS_BYTES).decode("utf-8-sig", "replace")
    except OSError as error:
        raise DownloadError(f"{path}: {error.strerror}") from error
    tags: dict[str, None] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if written := line.partition("#")[0].strip():
            try:
                tags[normalize(written)] = None
            except CorpusError as error:
                raise CorpusError(f"{path}:{number}: {error}") from error
    if not tags:
        raise CorpusError(f"{path}: holds no tag; write one a line, without #")
    return list(tags)
