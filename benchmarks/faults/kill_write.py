"""kill -9 of ``lablr write`` and ``lablr write --undo`` at random moments.

Promise: at every moment each file is whole, the one from before or the one with the
tags; in the end every tag is there once, as exiftool reads it, and after undoing every
file is the one from before, byte for byte, with nothing left beside it.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from writing_kills import Files, kill_often

from benchmarks.faults.shared import arguments, show, timed, verdict


def main() -> int:
    asked = arguments(__doc__, files=1000, kills=100, seed=1)
    with tempfile.TemporaryDirectory() as folder:
        files = Files.make(Path(folder), asked.files)
        seconds, counts = timed(lambda: kill_often(files, asked.kills, asked.seed))
    show(
        [
            ("files", asked.files),
            *counts.items(),
            ("seconds", seconds),
        ]
    )
    return verdict(
        counts["kills while writing"] + counts["kills while undoing"] == asked.kills
    )


if __name__ == "__main__":
    sys.exit(main())
