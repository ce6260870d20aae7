#!/usr/bin/env python3
"""From a download to suggested tags, on a Flickr of its own (``make demo-flickr``).

Runs what docs/train-your-own.md types in its first two sections, in a temporary folder
or in ``--out``, against the local Flickr of the tests, and prints each command with its
answer. With ``--kills N`` the download is killed at N random moments first, and what it
made in the end is compared with a download that nobody stopped.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import requests

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))

from flickr_server import (  # noqa: E402
    KEY,
    SECRET,
    FlickrServer,
    SubjectAlbum,
    kill_at_random,
    serving,
)

DOCS = ROOT / "docs" / "train-your-own.md"
N_PHOTOS = 280
A_CAT = N_PHOTOS + 3  # no photo of the album
API = "/api/v1/suggestions?k=3"


def typed() -> Iterator[str]:
    """Yield the lines that the first two sections of the page say to type."""
    tried = DOCS.read_text("utf-8").partition("## In earnest")[0]
    for block in re.findall(
        r"^```console\n(.*?)^```$", tried, re.MULTILINE | re.DOTALL
    ):
        for line in block.splitlines():
            yield line.removeprefix("$ ")


class Demo:
    """A working folder, and what is typed there."""

    def __init__(self, folder: Path, server: FlickrServer) -> None:
        self.folder, self.server = folder, server
        key, command = folder / "key", folder / "bin" / "lablr"
        for place in ("bin", "home", "work"):
            (folder / place).mkdir(parents=True, exist_ok=True)
        key.write_text(f"key = {KEY}\nsecret = {SECRET}\n")
        python = shlex.quote(sys.executable)
        command.write_text(f'#!/bin/sh\nexec {python} -m lablr "$@"\n')
        command.chmod(0o755)
        self.work = folder / "work"
        (self.work / "photo.jpg").write_bytes(server.album.picture(A_CAT))
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("LABLR_")},
            "EDITOR": f"cp {key}",
            "HOME": str(folder / "home"),
            "LABLR_FLICKR_URL": server.url,
            "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "XDG_STATE_HOME": str(folder / "state"),
        }

    def start(self, line: str, **options: object) -> subprocess.Popen[bytes]:
        """Start a line as a shell does; a lablr command is the process itself."""
        words = ["bash", "-euo", "pipefail", "-c", f"exec {line}"]
        return subprocess.Popen(words, cwd=self.work, env=self.environment, **options)

    def run(self, line: str) -> None:
        """Type a line, print it and what it says; ends the demo when it fails."""
        print(f"\n$ {line}", flush=True)
        start = time.monotonic()
        status = self.start(line, stderr=subprocess.STDOUT).wait()
        if status:
            raise SystemExit(f"'{line}' ended with status {status}")
        print(f"({time.monotonic() - start:.1f} s)", flush=True)

    def serve(self, line: str) -> None:
        """Serve the page, send it a photo, and stop it."""
        print(f"\n$ {line}", flush=True)
        process = self.start(f"{line} --port 0", stderr=subprocess.PIPE)
        try:
            said = process.stderr.readline().decode()
            url = re.search(r"http://[\w.]+:\d+", said)[0]
            page = requests.get(url, timeout=60)
            print(f"{said}GET {url} -> {page.status_code}, {len(page.text):,} letters")
            photo = {"photo": (self.work / "photo.jpg").read_bytes()}
            answer = requests.post(url + API, files=photo, timeout=60)
            tags = [tag["tag"] for tag in answer.json()["tags"]]
            print(f"POST {API} -> {', '.join(tags)}", flush=True)
        finally:
            process.terminate()
            process.communicate()

    def download_killed(self, line: str, n_kills: int) -> None:
        """Download twice, once undisturbed; print whether both made the same."""
        self.run(line.replace("--out corpus", "--out undisturbed"))
        n_photos = len(list((self.work / "undisturbed" / "photos").iterdir()))
        print(f"\n$ {line}\nkilled (SIGKILL) at {n_kills} random moments:")
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        done = self.work / "corpus" / "photos"

        def start() -> subprocess.Popen[bytes]:
            n_done = len(list(done.glob("*.jpg")))
            print(f"  {n_done} of {n_photos} photos", flush=True)
            return self.start(line, **quiet)

        kill_at_random(start, self.server, n_kills, n_photos, time.time_ns())
        self.run(line)
        whole, killed = (self._manifest(name) for name in ("undisturbed", "corpus"))
        if whole != killed:
            raise SystemExit("the manifest differs from the undisturbed download's")
        print(
            f"the manifest (photos.jsonl and {n_photos} photos) equals that of the "
            "undisturbed download, byte for byte"
        )

    def _manifest(self, name: str) -> dict[str, bytes]:
        root = self.work / name
        files = [root / "photos.jsonl", *(root / "photos").iterdir()]
        return {str(path.relative_to(root)): path.read_bytes() for path in files}


def run(folder: Path, n_kills: int) -> None:
    """Type every line."""
    start = time.monotonic()
    with serving(SubjectAlbum(N_PHOTOS)) as server:
        print(f"a Flickr of {N_PHOTOS} photos on {server.url}; working in {folder}")
        demo = Demo(folder, server)
        for line in typed():
            if line.startswith("lablr serve"):
                demo.serve(line)
            elif n_kills and re.match(r"lablr download (?!.*--dry-run)", line):
                demo.download_killed(line, n_kills)
            else:
                demo.run(line)
    print(f"\ndone in {time.monotonic() - start:.0f} s; photo.jpg showed a cat")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="keep all that is made")
    parser.add_argument("--kills", type=int, default=0, metavar="N")
    words = parser.parse_args()
    if words.out:
        words.out.mkdir(parents=True)
        run(words.out.resolve(), words.kills)
    else:
        with tempfile.TemporaryDirectory() as name:
            run(Path(name), words.kills)


if __name__ == "__main__":
    main()
