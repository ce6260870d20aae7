"""The progress of a download, rebuilt from its journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from lablr.errors import DownloadError
from lablr.flickr.licenses import License
from lablr.flickr.search import FoundPhoto, SearchConfig

# More ids with the same bytes are Flickr's "unavailable" picture.
MAX_TWINS = 2
SAME_PICTURE = "same picture"


@dataclass(frozen=True)
class DownloadOutcome:
    """The outcome of a photo: ``kind`` is ok, failed or skipped."""

    kind: str
    reason: str = ""
    file: str = ""
    n_bytes: int = 0
    sha256: str = ""


@dataclass
class DownloadState:
    """The photos in the order they were found, and the outcome of each."""

    settings: dict[str, Any] | None = None
    licenses: dict[str, License] | None = None
    hot: list[str] | None = None
    photos: dict[str, FoundPhoto] = field(default_factory=dict)
    of_tag: dict[str, dict[str, None]] = field(default_factory=dict)
    n_pages: Counter[str] = field(default_factory=Counter)
    searched: set[str] = field(default_factory=set)
    outcomes: dict[str, DownloadOutcome] = field(default_factory=dict)

    def apply(self, entry: dict[str, Any]) -> None:
        """Apply an entry of the journal."""
        if "settings" in entry:
            self.settings = entry["settings"]
        elif "licenses" in entry:
            known = entry["licenses"].items()
            self.licenses = {number: License(**values) for number, values in known}
        elif "hot" in entry:
            self.hot = entry["hot"]
        elif "page" in entry:
            self._take_page(entry)
        else:
            self.outcomes[entry["id"]] = DownloadOutcome(**entry["outcome"])

    def check(self, config: SearchConfig) -> None:
        """Raise DownloadError when the journal is of other settings."""
        wanted = asdict(config)
        found = self.settings or wanted
        differing = [name for name in wanted if found.get(name) != wanted[name]]
        if differing:
            raise DownloadError(
                "the folder holds a download with another "
                f"{', '.join(differing)}: give the same, or another folder"
            )

    def missing(self) -> list[FoundPhoto]:
        """Return the photos to fetch: those without an outcome, or that failed."""
        return [
            photo
            for photo in self.photos.values()
            if photo.id not in self.outcomes or self.outcomes[photo.id].kind == "failed"
        ]

    def same_pictures(self) -> Iterator[tuple[str, DownloadOutcome]]:
        """Yield the photos whose bytes came under too many ids, as skipped."""
        n_ids = Counter(o.sha256 for o in self.outcomes.values() if o.sha256)
        for photo_id, outcome in self.outcomes.items():
            if outcome.kind == "ok" and n_ids[outcome.sha256] > MAX_TWINS:
                yield photo_id, replace(outcome, kind="skipped", reason=SAME_PICTURE)

    def records(self) -> Iterator[dict[str, object]]:
        """Yield the objects of ``photos.jsonl``, in the order of the search."""
        for photo in self.photos.values():
            outcome = self.outcomes.get(photo.id)
            if not outcome or outcome.kind != "ok":
                continue
            known = (self.licenses or {}).get(photo.license)
            yield {
                "file": outcome.file,
                "tags": list(photo.tags),
                "source": "flickr",
                "flickr_id": photo.id,
                "license": known.name if known else f"Flickr license {photo.license}",
                "license_url": known.url if known else "",
                "owner": photo.owner or "unknown",
                "owner_name": photo.owner_name,
                "title": photo.title,
                "page": f"https://www.flickr.com/photos/{photo.owner}/{photo.id}",
                "views": photo.views,
                # a journal that an earlier Lablr began does not know it
                **({"uploaded": photo.uploaded} if photo.uploaded else {}),
            }

    def summary(self) -> dict[str, Any]:
        """Return the counts: attempted = ok + failed + skipped."""
        kinds = Counter(outcome.kind for outcome in self.outcomes.values())
        reasons = Counter(o.reason for o in self.outcomes.values() if o.reason)
        ok = {key for key, outcome in self.outcomes.items() if outcome.kind == "ok"}
        return {
            "attempted": len(self.outcomes),
            "ok": kinds["ok"],
            "failed": kinds["failed"],
            "skipped": kinds["skipped"],
            "not_tried": len(self.photos) - len(self.outcomes),
            "reasons": dict(sorted(reasons.items())),
            "bytes": sum(self.outcomes[key].n_bytes for key in ok),
            "tags": {tag: len(ok & ids.keys()) for tag, ids in self.of_tag.items()},
            "settings": self.settings,
        }

    def _take_page(self, entry: dict[str, Any]) -> None:
        tag = entry["tag"]
        self.n_pages[tag] = entry["page"]
        if entry["last"]:
            self.searched.add(tag)
        of_tag = self.of_tag.setdefault(tag, {})
        for values in entry["photos"]:
            photo = FoundPhoto(**{**values, "tags": tuple(values["tags"])})
            before = self.photos.get(photo.id, photo)
            tags = tuple(sorted({*before.tags, *photo.tags}))
            self.photos[photo.id] = replace(before, tags=tags)
            of_tag[photo.id] = None
