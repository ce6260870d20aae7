"""Bundles on a real disk: altered, torn, swapped, killed while written."""

from __future__ import annotations

import hashlib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bundle_makers import small_bundle
from places import ROOT

from lablr.bundle import PARTS, Bundle, bundled_folder, default_folder
from lablr.errors import BundleError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    small_bundle().save(tmp_path / "bundle")
    return tmp_path / "bundle"


def seal(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change the manifest and give it, and every file, the right digests again."""
    manifest = json.loads((folder / "manifest.json").read_bytes())
    del manifest["digest"]
    for name in PARTS:
        raw = (folder / name).read_bytes()
        listed = {"size": len(raw), "sha256": hashlib.sha256(raw).hexdigest()}
        manifest["files"][name] = listed
    change(manifest)

    def form(content: dict[str, Any]) -> str:
        text = json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False)
        return text + "\n"

    digest = hashlib.sha256(form(manifest).encode()).hexdigest()
    (folder / "manifest.json").write_text(form({**manifest, "digest": digest}))


def test_what_is_saved_is_loaded(folder: Path) -> None:
    saved, loaded = small_bundle(), Bundle.load(folder)
    assert loaded.tags == saved.tags
    assert loaded.encoder_onnx == saved.encoder_onnx
    assert loaded.preprocessing == saved.preprocessing
    assert loaded.settings == saved.settings
    assert loaded.provenance == saved.provenance
    assert loaded.model_card == saved.model_card
    for part in ("gaussians", "calibration", "latent_map"):
        expected, found = getattr(saved, part), getattr(loaded, part)
        assert sorted(found) == sorted(expected)
        for name, array in expected.items():
            assert found[name].dtype == array.dtype
            assert found[name].shape == array.shape
            np.testing.assert_array_equal(found[name], array)
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [*PARTS, "manifest.json"]
    )
    assert [path.name for path in folder.parent.iterdir()] == ["bundle"]


def test_equal_bundles_are_equal_bytes(folder: Path) -> None:
    small_bundle().save(folder.parent / "again")
    for name in [*PARTS, "manifest.json"]:
        again = folder.parent / "again" / name
        assert again.read_bytes() == (folder / name).read_bytes()
    assert Bundle.load(folder).digest == small_bundle().digest
    other = replace(Bundle.load(folder), settings={})
    assert other.digest != small_bundle().digest


def test_numpy_reads_the_arrays(folder: Path) -> None:
    with np.load(folder / "gaussians.npz", allow_pickle=False) as arrays:
        np.testing.assert_array_equal(
            arrays["means"], small_bundle().gaussians["means"]
        )


def test_the_modes_are_those_of_other_files(folder: Path) -> None:
    mask = os.umask(0)
    os.umask(mask)
    assert folder.stat().st_mode & 0o777 == 0o777 & ~mask
    assert (folder / "tags.json").stat().st_mode & 0o777 == 0o666 & ~mask


# --- altered bundles


def test_every_flipped_bit_is_refused(folder: Path) -> None:
    names = [*PARTS, "manifest.json"]
    originals = {name: (folder / name).read_bytes() for name in names}
    n_bits = {name: 8 * len(raw) for name, raw in originals.items()}
    rng = random.Random(0)
    for name in 30 * names:
        bit = rng.randrange(n_bits[name])
        flipped = bytearray(originals[name])
        flipped[bit // 8] ^= 1 << bit % 8
        (folder / name).write_bytes(flipped)
        with pytest.raises(BundleError) as refused:
            Bundle.load(folder)
        (folder / name).write_bytes(originals[name])
        message = str(refused.value)
        if name != "manifest.json":
            assert message == (
                f"{folder}: {name}: expected SHA-256"
                f" {hashlib.sha256(originals[name]).hexdigest()},"
                f" found {hashlib.sha256(flipped).hexdigest()}"
            )
        else:
            # A flipped size or name of a part is the only one that points there.
            assert name in message
    assert Bundle.load(folder).digest == small_bundle().digest


def test_a_flip_that_keeps_the_content_counts(folder: Path) -> None:
    path = folder / "manifest.json"
    original = path.read_bytes()
    for same in (b"1E-06", b"0.000001", b" 1e-06", b"1e-6"):
        path.write_bytes(original.replace(b"1e-06", same))
        with pytest.raises(BundleError, match="not in the form that Lablr writes"):
            Bundle.load(folder)


@pytest.mark.parametrize("name", [*PARTS, "manifest.json"])
def test_truncated_grown_missing_or_special_files(folder: Path, name: str) -> None:
    path = folder / name
    original = path.read_bytes()

    def refused(match: str) -> None:
        with pytest.raises(BundleError, match=match) as error:
            Bundle.load(folder)
        assert name in str(error.value)
        assert str(folder) in str(error.value)

    for wrong in (original[:-1], original[: len(original) // 2], b""):
        path.write_bytes(wrong)
        refused("expected|not JSON|not in the form")
    path.write_bytes(original + b"\n")
    refused("expected|not in the form")
    path.unlink()
    refused("missing")
    path.mkdir()
    refused("Is a directory")
    path.rmdir()
    os.mkfifo(path)
    refused("not a regular file")
    path.unlink()
    (folder.parent / "elsewhere").write_bytes(original)
    path.symlink_to(folder.parent / "elsewhere")
    refused("link")
    path.unlink()
    path.write_bytes(original)
    Bundle.load(folder)


def test_two_swapped_files(folder: Path) -> None:
    (folder / "map.npz").rename(folder / "aside")
    (folder / "gaussians.npz").rename(folder / "map.npz")
    (folder / "aside").rename(folder / "gaussians.npz")
    with pytest.raises(BundleError, match="expected"):
        Bundle.load(folder)


def test_a_newer_schema_says_so(folder: Path) -> None:
    seal(folder, lambda manifest: manifest.update(schema_version=3, unknown=1))
    with pytest.raises(BundleError, match=r"version 3 is newer than the 2 .* update"):
        Bundle.load(folder)


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest.update(schema_version=0),
        lambda manifest: manifest.update(schema_version="1"),
        lambda manifest: manifest.update(schema_version=True),
        lambda manifest: manifest.pop("schema_version"),
        lambda manifest: manifest.pop("settings"),
        lambda manifest: manifest.update(files=[]),
        lambda manifest: manifest["files"].pop("map.npz"),
        lambda manifest: manifest["files"].update({"../secret": {}}),
        lambda manifest: manifest["files"].update({"map.npz": None}),
        lambda manifest: manifest["files"]["map.npz"].update(size=-1),
        lambda manifest: manifest["files"]["map.npz"].update(size=1.5),
        lambda manifest: manifest["files"]["map.npz"].update(size=10**12),
        lambda manifest: manifest["files"]["map.npz"].update(more=1),
        lambda manifest: manifest["files"]["map.npz"].update(sha256=None),
    ],
)
def test_sealed_manifests_of_the_wrong_shape(
    folder: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    seal(folder, change)
    with pytest.raises(BundleError, match=r"manifest\.json|map\.npz"):
        Bundle.load(folder)


@pytest.mark.parametrize(
    "raw",
    [
        b"[]",
        b"NaN",
        b'{"schema_version": 1, "schema_version": 1}',
        b"[" * 100_000,
        b'{"schema_version": ' + b"9" * 5000 + b"}",
        b"\xff\xfe",
        b" " * ((1 << 20) + 1),
    ],
)
def test_manifests_that_are_no_manifest(folder: Path, raw: bytes) -> None:
    (folder / "manifest.json").write_bytes(raw)
    with pytest.raises(BundleError, match=r"manifest\.json") as refused:
        Bundle.load(folder)
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize(
    "raw",
    [b"{}", b"[]", b"[1]", b'["a", "a"]', b'["Beach"]', b'[""]', rb'["\ud800"]', b"x"],
)
def test_sealed_tags_of_the_wrong_shape(folder: Path, raw: bytes) -> None:
    (folder / "tags.json").write_bytes(raw)
    seal(folder, dict)
    with pytest.raises(BundleError, match=r"tags\.json"):
        Bundle.load(folder)


def test_a_sealed_zip_bomb(folder: Path) -> None:
    with zipfile.ZipFile(folder / "map.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.npy", bytes(50_000_000))
    seal(folder, dict)
    with pytest.raises(BundleError, match=r"map\.npz: .*compressed"):
        Bundle.load(folder)


def test_other_files_are_ignored_but_no_links(folder: Path) -> None:
    (folder / "README").write_text("hello")
    (folder / "__pycache__").mkdir()
    Bundle.load(folder)
    (folder / "link").symlink_to("README")
    with pytest.raises(BundleError, match="link: a link"):
        Bundle.load(folder)


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no such folder"):
        Bundle.load(tmp_path / "none")
    (tmp_path / "file").touch()
    with pytest.raises(BundleError, match="Not a directory"):
        Bundle.load(tmp_path / "file")
    for place in (tmp_path, Path("/")):
        with pytest.raises(BundleError, match=r"manifest\.json: missing|a link"):
            Bundle.load(place)


# --- what cannot be saved


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"tags": ()}, "tags.json"),
        ({"tags": ("a", "a")}, "tags.json"),
        ({"tags": ("New York",)}, "tags.json"),
        ({"gaussians": {"a": np.array(["x"])}}, "gaussians.npz"),
        ({"gaussians": {"a": np.array([None])}}, "gaussians.npz"),
        ({"calibration": {"a": np.ones(2, np.longdouble)}}, "calibration.npz"),
        ({"latent_map": {"a": np.ones(2, np.int32)}}, "map.npz"),
        ({"settings": {"a": float("nan")}}, "manifest.json"),
        ({"settings": {"a": np.float32(1)}}, "manifest.json"),
        ({"provenance": {"note": "x" * (1 << 20)}}, "manifest.json"),
        ({"model_card": "\ud800"}, "MODEL_CARD.md"),
    ],
)
def test_what_cannot_be_loaded_is_not_saved(
    folder: Path, change: dict[str, Any], named: str
) -> None:
    with pytest.raises(BundleError, match=re.escape(named)):
        replace(small_bundle(), **change).save(folder)
    assert Bundle.load(folder).digest == small_bundle().digest


# --- which bundle


def test_the_bundled_folder_lies_beside_the_package_of_a_checkout(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert bundled_folder().name == "artifacts"
    monkeypatch.delenv("LABLR_BUNDLE", raising=False)
    assert default_folder() == bundled_folder()
    small_bundle().save(tmp_path / "mine")
    monkeypatch.setenv("LABLR_BUNDLE", str(tmp_path / "mine"))
    assert default_folder() == tmp_path / "mine"
    assert Bundle.load().digest == small_bundle().digest


def test_the_bundled_folder_lies_inside_an_installed_package(tmp_path: Path) -> None:
    package = tmp_path / "lablr"
    source = Path(sys.modules["lablr.bundle"].__file__ or "").parent
    package.mkdir()
    for path in source.glob("*.py"):
        shutil.copy(path, package)
    (package / "artifacts").mkdir()
    run = subprocess.run(
        [sys.executable, "-c", "import lablr.bundle as b; print(b.bundled_folder())"],
        cwd=tmp_path,
        env={key: os.environ[key] for key in os.environ if key != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(run.stdout.strip()) == package / "artifacts"


def test_loading_needs_no_scipy_and_no_scikit_learn() -> None:
    heavy = "{'scipy', 'sklearn', 'torch'}"
    code = f"import lablr.bundle, sys; print({heavy} & {{*sys.modules}})"
    run = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == "set()"
