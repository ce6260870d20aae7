"""The bundle: everything that suggesting tags needs, in one checked folder.

::

    manifest.json      schema version, preprocessing, settings, provenance, the
                       size and SHA-256 of every other file, and its own digest
    encoder.onnx       image -> posterior mean and log-variance
    gaussians.npz      the Gaussian of every tag
    calibration.npz    score -> probability
    map.npz            the plane, its circles and its dots
    tags.json          the tags, in the order of the arrays' first axis
    MODEL_CARD.md
    METHOD.npz         other ways to rank, where it has them (lablr/ranking/methods)
    METHOD.onnx        the network of one that needs its own

**Reading.** Every file is read once into memory, never beyond the size that the
manifest gives, and its size and SHA-256 are compared before anything is parsed.
The folder is opened once and its files through it, so that a reader meets one
bundle even while another takes its place.

**Writing.** Whole or not at all, see lablr/system/folder_swap.py.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lablr.errors import BundleError, CorpusError
from lablr.system.folder_swap import open_folder, still_leads_to, swap_folder
from lablr.system.npz import Arrays, pack_arrays, unpack_arrays
from lablr.tags import normalize

# 2: a bundle may hold methods.
SCHEMA_VERSION = 2
MANIFEST = "manifest.json"
PARTS = (
    "MODEL_CARD.md",
    "calibration.npz",
    "encoder.onnx",
    "gaussians.npz",
    "map.npz",
    "tags.json",
)
# What a bundle may hold beside them; lablr/ranking/methods says what each is.
METHODS = ("blend", "classifier", "conse", "neighbours", "semantic", "triplet")
OPTIONAL_PARTS = {f"{name}.{kind}" for name in METHODS for kind in ("npz", "onnx")}
# What keeps an empty folder in a repository and makes it a package.
PLACEHOLDERS = {".gitkeep", "__init__.py", "__pycache__"}
MAX_MANIFEST_BYTES = 1 << 20
MAX_BUNDLE_BYTES = 1 << 30
# A reader that meets a swap opens the folder again; two swaps in the time of one
# reading would be an accident, five are somebody's loop.
MAX_ATTEMPTS = 5


@dataclass(frozen=True, eq=False)
class Bundle:
    """A model and what it was made of; equal contents have equal digests.

    ``preprocessing``, ``settings`` and ``provenance`` hold what JSON holds.
    ``gaussians``, ``calibration``, ``latent_map`` and each of the ``methods`` are
    named arrays of float16, float32, float64, int64, bool or uint8; their shapes are
    checked by who reads them. ``networks`` are ONNX graphs, by their methods' names.
    Raises BundleError for tags that are not unique and in normal form, and for
    methods that are not in `METHODS`.
    """

    tags: tuple[str, ...]
    encoder_onnx: bytes = field(repr=False)
    preprocessing: Mapping[str, Any]
    gaussians: Arrays = field(repr=False)
    calibration: Arrays = field(repr=False)
    latent_map: Arrays = field(repr=False)
    settings: Mapping[str, Any]
    model_card: str = field(repr=False)
    provenance: Mapping[str, Any]
    methods: Mapping[str, Arrays] = field(default_factory=dict, repr=False)
    networks: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    _digest: str | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.tags or len(set(self.tags)) != len(self.tags):
            raise BundleError("tags.json: expected tags, each of them once")
        for tag in self.tags:
            if not _is_normal(tag):
                raise BundleError(f"tags.json: {tag[:60]!r} is not in normal form")
        for name in (*self.methods, *self.networks):
            if name not in METHODS:
                raise BundleError(f"no method is called {name[:60]!r}")

    @property
    def digest(self) -> str:
        """Return the manifest's SHA-256, in hexadecimal; it lists every file's."""
        digest = self._digest or str(self._manifest(self._parts())["digest"])
        object.__setattr__(self, "_digest", digest)
        return digest

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the bundle whole, or leave what was there.

        Plain files that lie in the folder beside an old bundle are kept. Raises
        BundleError when the folder holds something else than a bundle, or when it
        cannot be written.
        """
        parts = self._parts()
        manifest = self._manifest(parts)
        raw = _canonical(manifest, MANIFEST)
        _verify_manifest(manifest, raw)
        swap_folder(Path(folder), {**parts, MANIFEST: raw}, is_ours=_is_bundle)

    @classmethod
    def load(cls, folder: str | os.PathLike[str] | None = None) -> Bundle:
        """Read and verify a bundle (None: the one of `default_folder`).

        Raises BundleError naming the file, what was expected and what was found.
        """
        place = default_folder() if folder is None else Path(folder)
        for _ in range(MAX_ATTEMPTS):
            opened = open_folder(place)
            try:
                return cls._read(opened)
            except BundleError as error:
                refusal = error
                if still_leads_to(place, opened):
                    break
            finally:
                os.close(opened)
        raise BundleError(f"{place}: {refusal}") from refusal

    @classmethod
    def _read(cls, folder: int) -> Bundle:
        manifest = _read_manifest(folder)
        files = {
            name: _read_part(folder, name, listed)
            for name, listed in manifest["files"].items()
        }
        bundle = cls(
            tags=_parse_tags(files["tags.json"]),
            encoder_onnx=files["encoder.onnx"],
            preprocessing=manifest["preprocessing"],
            gaussians=unpack_arrays(files["gaussians.npz"], "gaussians.npz"),
            calibration=unpack_arrays(files["calibration.npz"], "calibration.npz"),
            latent_map=unpack_arrays(files["map.npz"], "map.npz"),
            settings=manifest["settings"],
            model_card=_decode(files["MODEL_CARD.md"], "MODEL_CARD.md"),
            provenance=manifest["provenance"],
            methods={
                name: unpack_arrays(files[f"{name}.npz"], f"{name}.npz")
                for name in METHODS
                if f"{name}.npz" in files
            },
            networks={
                name: files[f"{name}.onnx"]
                for name in METHODS
                if f"{name}.onnx" in files
            },
        )
        object.__setattr__(bundle, "_digest", manifest["digest"])
        return bundle

    def _parts(self) -> dict[str, bytes]:
        return {
            "MODEL_CARD.md": _encode(self.model_card, "MODEL_CARD.md"),
            "calibration.npz": pack_arrays(self.calibration, "calibration.npz"),
            "encoder.onnx": self.encoder_onnx,
            "gaussians.npz": pack_arrays(self.gaussians, "gaussians.npz"),
            "map.npz": pack_arrays(self.latent_map, "map.npz"),
            "tags.json": _canonical(list(self.tags), "tags.json"),
            **{
                f"{name}.npz": pack_arrays(arrays, f"{name}.npz")
                for name, arrays in self.methods.items()
            },
            **{f"{name}.onnx": raw for name, raw in self.networks.items()},
        }

    def _manifest(self, parts: Mapping[str, bytes]) -> dict[str, Any]:
        manifest = {
            "schema_version": SCHEMA_VERSION,
            "preprocessing": dict(self.preprocessing),
            "settings": dict(self.settings),
            "provenance": dict(self.provenance),
            "files": {
                name: {"size": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
                for name, raw in parts.items()
            },
        }
        return {**manifest, "digest": _digest_of(manifest)}


def bundled_folder() -> Path:
    """Return the folder of the model that comes with Lablr.

    It is inside the package when it is there (an installed wheel), else beside it
    (a checkout, an editable install).
    """
    package = Path(__file__).parent
    inside = package / "artifacts"
    return inside if inside.is_dir() else package.parent / "artifacts"


def default_folder() -> Path:
    """Return the folder that the variable LABLR_BUNDLE names, else the bundled one."""
    named = os.environ.get("LABLR_BUNDLE")
    return Path(named) if named else bundled_folder()


def _read_manifest(folder: int) -> dict[str, Any]:
    """Read the manifest and verify its form, its version and its own digest."""
    _refuse_links(folder)
    raw = _read_file(folder, MANIFEST, MAX_MANIFEST_BYTES)
    manifest = _parse_json(raw, MANIFEST)
    if not isinstance(manifest, dict):
        raise BundleError(f"{MANIFEST}: expected a JSON object")
    version = manifest.get("schema_version")
    if type(version) is not int or version < 1:
        raise BundleError(f"{MANIFEST}: expected a schema version, found {version!r}")
    if version > SCHEMA_VERSION:
        raise BundleError(
            f"{MANIFEST}: schema version {version} is newer than the"
            f" {SCHEMA_VERSION} that this Lablr reads; update Lablr"
        )
    _verify_manifest(manifest, raw)
    return manifest


def _verify_manifest(manifest: dict[str, Any], raw: bytes) -> None:
    expected = manifest.get("digest")
    found = _digest_of({k: v for k, v in manifest.items() if k != "digest"})
    if expected != found:
        raise BundleError(f"{MANIFEST}: expected digest {expected!r}, found {found!r}")
    # A changed byte may leave the content as it was, as the E of 1E-6 does.
    if _canonical(manifest, MANIFEST) != raw:
        raise BundleError(f"{MANIFEST}: not in the form that Lablr writes")
    for key in ("preprocessing", "settings", "provenance", "files"):
        if not isinstance(manifest.get(key), dict):
            raise BundleError(f"{MANIFEST}: {key!r} is missing")
    files = manifest["files"]
    odd = sorted((set(files) ^ set(PARTS)) - OPTIONAL_PARTS)
    if odd:
        raise BundleError(f"{MANIFEST}: files missing or unknown: {', '.join(odd)}")
    for name, listed in files.items():
        if not isinstance(listed, dict) or sorted(listed) != ["sha256", "size"]:
            raise BundleError(f"{MANIFEST}: {name} has no size and SHA-256")
        if type(listed["size"]) is not int or listed["size"] < 0:
            raise BundleError(f"{MANIFEST}: {name} has no size")
    if len(raw) > MAX_MANIFEST_BYTES:
        raise BundleError(f"{MANIFEST}: longer than {MAX_MANIFEST_BYTES:,} bytes")
    total = sum(listed["size"] for listed in files.values())
    if total > MAX_BUNDLE_BYTES:
        raise BundleError(
            f"{MANIFEST}: {total:,} bytes are more than {MAX_BUNDLE_BYTES:,}"
        )


def _read_part(folder: int, name: str, listed: Mapping[str, Any]) -> bytes:
    """Read a file of the bundle and verify its size and SHA-256."""
    size = listed["size"]
    raw = _read_file(folder, name, size)
    if len(raw) != size:
        raise BundleError(f"{name}: expected {size:,} bytes, found {len(raw):,}")
    found = hashlib.sha256(raw).hexdigest()
    if found != listed["sha256"]:
        raise BundleError(f"{name}: expected SHA-256 {listed['sha256']}, found {found}")
    return raw


def _read_file(folder: int, name: str, max_bytes: int) -> bytes:
    """Read a regular file of at most ``max_bytes``; follow no link, wait for none."""
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        with os.fdopen(os.open(name, flags, dir_fd=folder), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise BundleError(f"{name}: not a regular file")
            if status.st_size > max_bytes:
                raise BundleError(
                    f"{name}: expected {max_bytes:,} bytes at most,"
                    f" found {status.st_size:,}"
                )
            return file.read(status.st_size + 1)
    except FileNotFoundError as error:
        raise BundleError(f"{name}: missing") from error
    except OSError as error:
        raise BundleError(f"{name}: {error.strerror}") from error


def _refuse_links(folder: int) -> None:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_symlink():
                raise BundleError(f"{entry.name}: a link, not a regular file")


def _parse_tags(raw: bytes) -> tuple[str, ...]:
    tags = _parse_json(raw, "tags.json")
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise BundleError("tags.json: expected a list of texts")
    return tuple(tags)


def _parse_json(raw: bytes, name: str) -> Any:
    def refuse_constant(constant: str) -> object:
        raise ValueError(f"{constant} is no JSON number")

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(pairs)
        if len(content) != len(pairs):
            raise ValueError("a key is given twice")
        return content

    text = _decode(raw, name)
    try:
        return json.loads(
            text, parse_constant=refuse_constant, object_pairs_hook=unique
        )
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{name}: not JSON: {error}") from error


def _decode(raw: bytes, name: str) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BundleError(f"{name}: not UTF-8: {error.reason}") from error


def _is_bundle(folder: Path, others: list[str]) -> bool:
    """Say whether a folder may be replaced, given the names of its other files."""
    return (folder / MANIFEST).exists() or set(others) <= PLACEHOLDERS


def _is_normal(tag: str) -> bool:
    try:
        return normalize(tag) == tag
    except CorpusError:
        return False


def _canonical(content: Any, name: str) -> bytes:
    """Return the one form in which Lablr writes a JSON file."""
    try:
        text = json.dumps(
            content, allow_nan=False, ensure_ascii=False, indent=2, sort_keys=True
        )
        return _encode(text, name) + b"\n"
    except (TypeError, ValueError, RecursionError) as error:
        raise BundleError(f"{name}: JSON cannot hold it: {error}") from error


def _encode(text: str, name: str) -> bytes:
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise BundleError(f"{name}: holds a lone surrogate") from error


def _digest_of(manifest: Mapping[str, Any]) -> str:
    return hashlib.sha256(_canonical(manifest, MANIFEST)).hexdigest()
