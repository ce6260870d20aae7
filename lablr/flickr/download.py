"""Download photos of tags from Flickr to a corpus; can be stopped and resumed.

The folder gets ``photos/ID.jpg``, ``photos.jsonl`` (a corpus), ``download.json`` (the
counts) and ``journal.jsonl``, by which the next run knows what is done.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from lablr.errors import DownloadError
from lablr.flickr.licenses import read_licenses
from lablr.flickr.pictures import Pictures
from lablr.flickr.retries import Fault
from lablr.flickr.search import FoundPhoto, SearchConfig, hot_tags, search_page
from lablr.flickr.session import FlickrSession
from lablr.flickr.state import DownloadOutcome, DownloadState
from lablr.system.journal import Journal
from lablr.system.progress import Progress, silent
from lablr.system.whole_file import refused_as, write_bytes, write_whole

# A guess for JPEGs of quality 85 to 90: what --dry-run says is an order of size.
BYTES_PER_PIXEL = 0.25


def download(
    out: Path,
    tags: Sequence[str] | None,
    config: SearchConfig,
    session: FlickrSession,
    pictures: Pictures,
    n_threads: int = 16,
    progress: Progress = silent,
) -> dict[str, Any]:
    """Download photos of these tags (None: of Flickr's hot ones) to a folder.

    The same again goes on where a run was stopped, and tries again what failed;
    further tags may be given. Returns what ``download.json`` holds. Raises
    DownloadError when Flickr refuses or the folder cannot be written; what was done
    until then is kept.
    """
    run = _Run(out, config, session, pictures)
    try:
        run.search(tags, progress)
        run.fetch(n_threads, progress)
        run.refuse_same_pictures()
    except BaseException:
        with suppress(DownloadError):  # the error that led here is raised
            run.write_results()
        raise
    else:
        return run.write_results()
    finally:
        run.journal.close()


@dataclass(frozen=True)
class Estimate:
    """An upper bound on what a download takes; photos of two tags count twice."""

    api_calls: int
    photos: int
    bytes: int


def estimate(
    tags: Sequence[str] | None,
    config: SearchConfig,
    session: FlickrSession,
    progress: Progress = silent,
) -> Estimate:
    """Estimate a download from one small page a tag."""
    calls, photos, size = 1, 0, 0
    config = config.resolved(read_licenses(session))
    wanted = hot_tags(session) if tags is None else tags
    for tag in progress(wanted, len(wanted), "asking of tags"):
        page = search_page(session, tag, 1, replace(config, per_page=20))
        expected = min(config.per_tag, page.total)
        n_pixels = [photo.n_pixels for photo in page.photos if photo.n_pixels]
        mean = sum(n_pixels) / len(n_pixels) if n_pixels else 0
        calls += -(-expected // config.per_page) + (expected < config.per_tag)
        photos += expected
        size += int(expected * mean * BYTES_PER_PIXEL)
    return Estimate(calls + (tags is None), photos, size)


class _Run:
    """One download: its journal, its state, and the steps that add to both."""

    def __init__(
        self,
        out: Path,
        config: SearchConfig,
        session: FlickrSession,
        pictures: Pictures,
    ) -> None:
        self.out, self.config = out, config
        self.session, self.pictures = session, pictures
        self.state = DownloadState()
        path = out / "journal.jsonl"
        if (out / "photos.jsonl").exists() and not path.exists():
            raise DownloadError(
                f"{out}: holds a photos.jsonl that lablr download did not make; "
                "name another folder"
            )
        self.journal = Journal(path, DownloadError, "another download is writing there")
        try:
            for _ in self.journal.read(self.state.apply):
                pass
            self.state.check(config)
            with refused_as(DownloadError, out):
                (out / "photos").mkdir(exist_ok=True)
                self._tidy()
        except BaseException:
            self.journal.close()
            raise

    def _tidy(self) -> None:
        """Remove half-written files, and forget photos whose files were removed."""
        folder = self.out / "photos"
        names = {entry.name for entry in folder.iterdir()}
        for name in names:
            if name.endswith(".partial"):
                (folder / name).unlink()
        for photo_id, outcome in list(self.state.outcomes.items()):
            if outcome.kind == "ok" and outcome.file[len("photos/") :] not in names:
                del self.state.outcomes[photo_id]

    def search(self, tags: Sequence[str] | None, progress: Progress) -> None:
        if self.state.licenses is None:
            known = read_licenses(self.session).items()
            self._add({"licenses": {number: asdict(lic) for number, lic in known}})
        config = self.config.resolved(self.state.licenses or {})
        if self.state.settings is None:
            self._add({"settings": asdict(self.config)})
        if tags is None and self.state.hot is None:
            self._add({"hot": hot_tags(self.session)})
        wanted = self.state.hot or () if tags is None else tags
        for tag in progress(wanted, len(wanted), "searching tags"):
            while tag not in self.state.searched:
                self._search_page(tag, config)

    def _search_page(self, tag: str, config: SearchConfig) -> None:
        number = self.state.n_pages[tag] + 1
        page = search_page(self.session, tag, number, config)
        before = self.state.of_tag.get(tag, {})
        # Photos move to the next page while we turn them; a page of none that are
        # new is the end.
        new = {photo.id: photo for photo in page.photos if photo.id not in before}
        photos = list(islice(new.values(), self.config.per_tag - len(before)))
        enough = len(before) + len(photos) >= self.config.per_tag
        last = enough or not photos
        entry = {"tag": tag, "page": number, "last": last}
        self._add({**entry, "photos": [asdict(photo) for photo in photos]})

    def fetch(self, n_threads: int, progress: Progress) -> None:
        """Fetch what is missing; at most twice as many as threads wait their turn."""
        missing = self.state.missing()
        with ThreadPoolExecutor(n_threads) as pool:
            try:
                done = _bounded(pool, self._fetch, missing, 2 * n_threads)
                for photo_id, outcome in progress(done, len(missing), "photos"):
                    self._add({"id": photo_id, "outcome": asdict(outcome)})
            finally:
                self.session.stop.set()
                self.pictures.stop.set()

    def _fetch(self, photo: FoundPhoto) -> tuple[str, DownloadOutcome]:
        try:
            picture = self.pictures.fetch(photo.url)
        except Fault as fault:
            kind = "skipped" if fault.is_content else "failed"
            return photo.id, DownloadOutcome(kind, fault.reason)
        file = f"photos/{photo.id}{picture.suffix}"
        content = picture.content
        with refused_as(DownloadError, self.out):
            write_bytes(self.out / file, content)
        return photo.id, DownloadOutcome("ok", "", file, len(content), picture.sha256)

    def refuse_same_pictures(self) -> None:
        for photo_id, outcome in list(self.state.same_pictures()):
            (self.out / outcome.file).unlink(missing_ok=True)
            self._add({"id": photo_id, "outcome": asdict(outcome)})

    def write_results(self) -> dict[str, Any]:
        def write_records(file: Any) -> None:
            for record in self.state.records():
                line = json.dumps(record, ensure_ascii=False) + "\n"
                file.write(line.encode("utf-8"))

        summary = self.state.summary() | {"api_calls": self.session.n_calls}
        text = json.dumps(summary, indent=1, ensure_ascii=False) + "\n"
        with refused_as(DownloadError, self.out):
            write_whole(self.out / "photos.jsonl", write_records)
            write_bytes(self.out / "download.json", text.encode())
        return summary

    def _add(self, entry: dict[str, Any]) -> None:
        self.journal.add(entry)
        self.state.apply(entry)


def _bounded(
    pool: ThreadPoolExecutor, fetch: Any, photos: list[FoundPhoto], n_waiting: int
) -> Iterator[tuple[str, DownloadOutcome]]:
    """Yield what ``fetch`` returns, as it comes, with few photos under way."""
    left = iter(photos)
    under_way: set[Future[tuple[str, DownloadOutcome]]] = set()
    # Cheaper than concurrent.futures.wait, which goes through all of them each time.
    done: SimpleQueue[Future[tuple[str, DownloadOutcome]]] = SimpleQueue()
    try:
        while True:
            for photo in islice(left, n_waiting - len(under_way)):
                under_way.add(future := pool.submit(fetch, photo))
                future.add_done_callback(done.put)
            if not under_way:
                return
            under_way.remove(future := done.get())
            yield future.result()
    finally:
        for future in under_way:
            future.cancel()
