"""An index of photos on disk: their features, a row a photo.

::

    index.json         format, model, folder, and the current generation
    photos-G.jsonl     file, size, time and SHA-256 of each photo
    latents-G.npy      (N, d) float32, standardized latents of length 1
    chances-G.npy      (N, T) float16, the probability of each tag
    meaning-G.npy      (N, e) float16, vectors in a text model's space; e may be 0
    graph-G.usearch    neighbours, where there are very many photos

A new generation is written beside the current one, and becomes current when
``index.json`` is replaced: a reader finds one or the other, whenever a writer stops.
Nothing is pickled.
"""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from lablr.errors import IndexFolderError
from lablr.search.features import Features
from lablr.search.nearest import EXACT_UP_TO, Graph
from lablr.system.whole_file import write_bytes, write_whole

FORMAT = 1
HEAD = "index.json"
# Features and their types, by the names of their files.
ARRAYS = {
    "latents": ("latents", np.float32),
    "chances": ("probabilities", np.float16),
    "meaning": ("semantic", np.float16),
}
MAX_HEAD_BYTES = 1 << 20
# A reader that meets a writer reads again.
MAX_ATTEMPTS = 5


@dataclass(frozen=True)
class IndexEntry:
    """A photo of the folder: its name there, and its identity."""

    file: str
    size: int
    mtime_ns: int
    sha256: str


@dataclass(frozen=True, eq=False)
class Index:
    """An index in memory; arrays read from disk are mapped, not loaded.

    folder : of the index; root : of the photos.
    model : digest of the bundle it was made with; tags : T names.
    entries : N photos; features : of these, in their order.
    graph : finds the nearest among very many; None where all are compared.
    """

    folder: Path
    root: Path
    model: str
    tags: tuple[str, ...]
    entries: tuple[IndexEntry, ...]
    features: Features
    graph: Graph | None = None

    @classmethod
    def read(cls, folder: Path) -> Index:
        """Read an index; raises `IndexFolderError` for a missing or broken one."""
        for attempt in range(MAX_ATTEMPTS):
            head = _read_head(folder)
            try:
                return cls._of(folder, head)
            except FileNotFoundError as error:
                # Another generation has taken its place meanwhile.
                if attempt + 1 == MAX_ATTEMPTS or _read_head(folder) == head:
                    raise IndexFolderError(
                        f"{folder}: {error.filename} is missing; build the index again"
                    ) from error
            except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
                raise IndexFolderError(
                    f"{folder}: the index is damaged ({error}); build it again"
                ) from error
        raise AssertionError("unreachable")

    @classmethod
    def _of(cls, folder: Path, head: dict[str, Any]) -> Index:
        generation, tags = str(head["generation"]), tuple(map(str, head["tags"]))
        lines = (folder / f"photos-{generation}.jsonl").read_text("utf-8").splitlines()
        entries = tuple(IndexEntry(**json.loads(line)) for line in lines)
        arrays = {}
        for name, (attribute, dtype) in ARRAYS.items():
            array = np.load(
                folder / f"{name}-{generation}.npy", "r", allow_pickle=False
            )
            fits = array.ndim == 2 and len(array) == len(entries)
            if not fits or array.dtype != dtype:
                raise ValueError(f"{name} is {array.dtype} of shape {array.shape}")
            arrays[attribute] = array
        features = Features(**arrays)
        if features.probabilities.shape[1] != len(tags):
            raise ValueError("the tags are others")
        root, model = Path(str(head["root"])), str(head["model"])
        graph = None
        if len(entries) > EXACT_UP_TO:
            path = folder / f"graph-{generation}.usearch"
            graph = Graph.read(path, *features.latents.shape)
        return cls(folder, root, model, tags, entries, features, graph)

    def __len__(self) -> int:
        return len(self.entries)

    def path(self, row: int) -> Path:
        """Return the path of a photo."""
        return self.root / self.entries[row].file

    def write(self) -> None:
        """Write the current generation; an OSError leaves the last one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / HEAD).exists() and any(self.folder.iterdir()):
            raise IndexFolderError(
                f"{self.folder} holds something else; name a new folder for the index"
            )
        generation = secrets.token_hex(6)
        lines = "".join(json.dumps(asdict(entry)) + "\n" for entry in self.entries)
        write_bytes(self.folder / f"photos-{generation}.jsonl", lines.encode("ascii"))
        for name, (attribute, _) in ARRAYS.items():
            array = np.ascontiguousarray(getattr(self.features, attribute))
            save = partial(np.save, arr=array, allow_pickle=False)
            write_whole(self.folder / f"{name}-{generation}.npy", save)
        if len(self.entries) > EXACT_UP_TO:
            write = Graph.of(self.features.latents).write
            write_whole(self.folder / f"graph-{generation}.usearch", write)
        head = {
            "format": FORMAT,
            "generation": generation,
            "model": self.model,
            "root": str(self.root),
            "tags": list(self.tags),
            "n_photos": len(self.entries),
        }
        write_bytes(self.folder / HEAD, json.dumps(head, indent=1).encode("ascii"))
        self._remove_others(generation)

    def _remove_others(self, generation: str) -> None:
        """Remove the files of other generations, whoever left them."""
        for path in self.folder.iterdir():
            kind, dash, _ = path.name.partition("-")
            is_ours = dash and kind in {*ARRAYS, "photos", "graph"}
            if is_ours and f"-{generation}." not in path.name:
                with suppress(OSError):
                    path.unlink()


def _read_head(folder: Path) -> dict[str, Any]:
    try:
        with (folder / HEAD).open("rb") as file:
            head = json.loads(file.read(MAX_HEAD_BYTES))
        if head["format"] != FORMAT:
            raise IndexFolderError(
                f"{folder}: an index of format {head['format']}, this Lablr reads "
                f"{FORMAT}; build it again"
            )
    except FileNotFoundError as error:
        raise IndexFolderError(
            f"{folder} holds no index; lablr index makes one"
        ) from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise IndexFolderError(f"{folder}/{HEAD} cannot be read: {error}") from error
    return dict(head)
