"""Single bits of the bundle's files flipped while it serves.

Promise: every flip is refused before use, naming the file; photos are answered by the
old model all the time; the whole bundle, put back, is served again.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import tempfile
from pathlib import Path

from photo_makers import jpeg
from serving import ROOT

from benchmarks.faults.shared import Server, arguments, server, show, verdict


def readiness(running: Server) -> dict[str, str]:
    answer: dict[str, str] = json.loads(running.request("GET", "/readyz")[2])
    return answer


def until_refused(running: Server, is_refused: bool) -> dict[str, str]:
    while ("last_error" in (answer := readiness(running))) != is_refused:
        pass
    return answer


def main() -> int:
    asked = arguments(__doc__, flips=100, seed=1)
    random_ = random.Random(asked.seed)
    n_named = n_answered = 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "bundle"
        shutil.copytree(ROOT / "artifacts", folder)
        files = sorted(path for path in folder.iterdir() if path.is_file())
        settings = {"LABLR_BUNDLE": str(folder), "LABLR_RELOAD_S": "0.1"}
        with server(**settings) as running:
            digest = readiness(running)["bundle"]
            for _ in range(asked.flips):
                path = random_.choice(files)
                whole = path.read_bytes()
                broken = bytearray(whole)
                broken[random_.randrange(len(broken))] ^= 1 << random_.randrange(8)
                path.write_bytes(broken)
                answer = until_refused(running, True)
                n_named += path.name in answer["last_error"]
                assert answer["bundle"] == digest
                n_answered += running.suggest(jpeg())[0] == 200
                path.write_bytes(whole)
                until_refused(running, False)
    show(
        [
            ("bits flipped while serving", asked.flips),
            ("refused, the file named", n_named),
            ("photos answered meanwhile", n_answered),
        ]
    )
    return verdict(n_named == n_answered == asked.flips)


if __name__ == "__main__":
    sys.exit(main())
