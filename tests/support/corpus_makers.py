"""Corpora for tests, written line by line."""

from __future__ import annotations

import json
from pathlib import Path


def write_lines(folder: Path, *lines: object, name: str = "photos.jsonl") -> Path:
    """Write a corpus whose lines are records, texts or bytes."""
    raw = [
        line
        if isinstance(line, bytes)
        else (line if isinstance(line, str) else json.dumps(line)).encode()
        for line in lines
    ]
    (folder / name).write_bytes(b"\n".join(raw) + b"\n")
    return folder


def record(file: str = "a.jpg", **more: object) -> dict[str, object]:
    return {"file": file, "tags": ["sea"], **more}
