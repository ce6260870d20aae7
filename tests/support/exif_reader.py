"""Read a file's tags with exiftool, which shares no code with Lablr or Exiv2."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Name in Lablr -> in exiftool.
LISTS = {
    "IPTC Keywords": "IPTC:Keywords",
    "dc:subject": "XMP-dc:Subject",
    "lr:hierarchicalSubject": "XMP-lr:HierarchicalSubject",
    "digiKam:TagsList": "XMP-digiKam:TagsList",
    "lablr:suggested": "XMP-lablr:Suggested",
    "lablr:accepted": "XMP-lablr:Accepted",
    "lablr:typed": "XMP-lablr:Typed",
}
# What says of the file, or of exiftool, and not of the photo.
_OF_THE_FILE = ("SourceFile", "ExifTool:", "System:", "File:", "Composite:", "XMP-x:")


def run_exiftool(*words: str | Path) -> str:
    """Run exiftool, which has to succeed."""
    done = subprocess.run(
        ["exiftool", *map(str, words)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def read_all(files: Sequence[Path]) -> list[dict[str, Any]]:
    """Return everything that exiftool reads of each file, by group and name."""
    words = ("-json", "-a", "-G1", "-struct", "-charset", "filename=utf8")
    found = {
        Path(one["SourceFile"]): one for one in json.loads(run_exiftool(*words, *files))
    }
    return [found[file] for file in files]


def lists_of(values: dict[str, Any]) -> dict[str, list[str]]:
    """Return the lists of tags by Lablr's names, as texts."""
    return {
        name: [str(one) for one in (found if isinstance(found, list) else [found])]
        for name, theirs in LISTS.items()
        if (found := values.get(theirs)) is not None
    }


def read_lists(file: Path) -> dict[str, list[str]]:
    """Return a file's lists of tags."""
    return lists_of(read_all([file])[0])


def other_values(file: Path) -> dict[str, Any]:
    """Return what exiftool reads of a photo besides its tags."""
    ignored = {*LISTS.values(), "IPTC:CodedCharacterSet"}
    return {
        name: value
        for name, value in read_all([file])[0].items()
        if name not in ignored and not name.startswith(_OF_THE_FILE)
    }
