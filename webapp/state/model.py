"""The model that is served, and the newer one that takes its place.

A server runs for months, and its bundle may be replaced at any time. So the folder is
checked every few seconds: a newer bundle is loaded beside the old one and takes its
place between two requests. One that cannot be used is logged once, and the old one
stays.
"""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path

from lablr import Tagger
from lablr.bundle import default_folder
from lablr.errors import BundleError

log = logging.getLogger("lablr.web")

Stamp = frozenset[tuple[str, int, int, int, int]]


class ServedModel:
    """The tagger of a folder, loaded again when the folder changes.

    folder : the bundle's; None is ``LABLR_BUNDLE`` or the bundled model.

    tagger : the Tagger served now; a request reads it once (`webapp.state.tagger`).
    last_error : why the folder's newer bundle is not served; None when it is.

    Raises BundleError when there is no usable bundle to begin with.
    """

    def __init__(self, folder: str | None) -> None:
        self._folder = default_folder() if folder is None else Path(folder)
        self._refreshing = threading.Lock()
        # before the load: a change in the meantime is then seen as one
        self._seen = stamp_of(self._folder)
        self.tagger = Tagger.load(self._folder)
        self.last_error: str | None = None

    def refresh(self) -> None:
        """Serve the bundle that the folder holds now, if it changed and can be used."""
        with self._refreshing:
            stamp = stamp_of(self._folder)
            if stamp == self._seen:
                return
            self._seen = stamp
            try:
                found = Tagger.load(self._folder, self.tagger.limits)
            except BundleError as error:
                self._refuse(str(error))
                return
            self.last_error = None
            if found.bundle_digest != self.tagger.bundle_digest:
                self.tagger = found
                log.warning("now serving the bundle %s", found.bundle_digest)

    def watch(self, every_s: float) -> None:
        """Refresh every so many seconds from now on, in a thread; 0 is never."""
        if every_s > 0:
            threading.Thread(
                target=self._watch, args=(every_s,), name="lablr-model", daemon=True
            ).start()

    def _watch(self, every_s: float) -> None:
        pause = threading.Event()
        while not pause.wait(every_s):
            try:
                self.refresh()
            except Exception:  # the next bundle must be seen all the same
                log.exception("looking for a newer bundle failed")

    def _refuse(self, message: str) -> None:
        # without the folder: what the web shows holds no path
        self.last_error = message.removeprefix(f"{self._folder}: ")
        log.warning(
            "%s: newer bundle refused, still serving %s: %s",
            self._folder,
            self.tagger.bundle_digest,
            self.last_error,
        )


def stamp_of(folder: Path) -> Stamp:
    """Return what tells one state of a folder from another, without reading its files.

    A folder that is missing or unreadable is a state, too.
    """
    try:
        with os.scandir(folder) as entries:
            return frozenset(
                # the change time, too: a copy may give a new file the old one's time
                (
                    entry.name,
                    found.st_ino,
                    found.st_size,
                    found.st_mtime_ns,
                    found.st_ctime_ns,
                )
                for entry in entries
                if (found := entry.stat(follow_symlinks=False))
            )
    except OSError:
        return frozenset()
