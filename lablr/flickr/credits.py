"""Credits for the photos of a corpus, as Creative Commons recommends.

Title, author, source and licence; see "Recommended practices for attribution" on
https://wiki.creativecommons.org.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lablr.corpus.layouts import json_records
from lablr.errors import CorpusError


def credit_lines(corpus: Path) -> Iterator[str]:
    """Yield a line of plain text for every photo of a ``photos.jsonl``.

    ``corpus`` is the file or its folder. Raises CorpusError.
    """
    index = corpus / "photos.jsonl" if corpus.is_dir() else corpus
    if not index.exists():
        raise CorpusError(f"{index}: not there; lablr download makes one")
    for record in json_records(index):
        title = _plain(record.get("title")) or "Untitled"
        author = _plain(record.get("owner_name")) or _plain(record.get("owner"))
        license_url = _plain(record.get("license_url"))
        license_name = _plain(record.get("license")) or "unknown licence"
        parts = [
            f'{_plain(record.get("file"))}: "{title}" by {author or "unknown"}',
            f"{license_name} ({license_url})" if license_url else license_name,
            _plain(record.get("page")),
        ]
        yield ", ".join(part for part in parts if part)


def _plain(value: object) -> str:
    """Return a text in one line, without control characters."""
    text = "" if value is None else str(value)
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
