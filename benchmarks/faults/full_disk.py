"""A disk on which nothing more can be written, not one byte.

The server runs under a limit of 0 bytes for every file that it writes (RLIMIT_FSIZE),
which is what a full disk is to it. Promise: every kind of photo is answered as ever.
"""

from __future__ import annotations

import sys

from photo_makers import jpeg, progressive_bomb
from serving import MULTIPART, SERVE, form_of

from benchmarks.faults.shared import arguments, server, show, verdict

UNDER_LIMIT = 'ulimit -f 0 && exec "$@"'


def main() -> int:
    arguments(__doc__)
    photos = {
        "small photo": (jpeg(), 200),
        "photo of 9 MiB": (jpeg() + bytes(9 << 20), 200),
        "costly photo, decoded by a child": (progressive_bomb(5000, 4000, 10), 200),
        "photo of 11 MiB": (jpeg() + bytes(11 << 20), 413),
        "broken photo": (jpeg()[:-20], 422),
    }
    rows, is_kept = [], True
    with server("sh", "-c", UNDER_LIMIT, "sh", *SERVE) as running:
        for name, (photo, expected) in photos.items():
            kind = {"Content-Type": MULTIPART}
            page, _, _ = running.request("POST", "/", form_of(photo), kind)
            api, _, _ = running.suggest(photo)
            rows.append((name, f"API {api}, page {page}"))
            is_kept &= api == page == expected
        rows.append(("health", running.request("GET", "/readyz")[0]))
    show(rows)
    return verdict(is_kept)


if __name__ == "__main__":
    sys.exit(main())
