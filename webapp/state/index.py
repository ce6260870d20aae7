"""The index of photos that a server searches."""

from __future__ import annotations

import threading
from pathlib import Path

from lablr import Tagger
from lablr.errors import IndexFolderError
from lablr.search.features import FeatureExtractor
from lablr.search.index import Index
from lablr.search.query import Search
from webapp.state.model import stamp_of


class IndexFolder:
    """An index that is read when it is first needed, and again when it has changed.

    folder : the index's; None: the server was started without one.
    """

    def __init__(self, folder: str | None) -> None:
        self._folder = None if folder is None else Path(folder)
        self._lock = threading.Lock()
        self._seen: tuple[object, ...] = ()
        self._search: Search | None = None

    @property
    def is_on(self) -> bool:
        """Return whether the server was given an index."""
        return self._folder is not None

    def search(self, model: Tagger) -> Search:
        """Return the search over the folder's photos, as `model` describes them.

        Raises `IndexFolderError` when the folder holds no index of that model.
        """
        if self._folder is None:
            raise IndexFolderError("This server was started without an index.")
        with self._lock:
            seen = (stamp_of(self._folder), model.bundle_digest)
            if self._search is None or seen != self._seen:
                self._search = Search(Index.read(self._folder), FeatureExtractor(model))
                self._seen = seen
            return self._search
