"""Imports point one way, and serving loads nothing that only making a model needs."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import lablr

ROOT = Path(__file__).parent.parent

# Every room of lablr/ (a module or a package); each may import only those above it.
ROOMS = (
    "errors",
    "private_file",
    "rate_limit",
    "progress",
    "machine",
    "threads",
    "whole_file",
    "torchvision_import",
    "photos",
    "tags",
    "photo_records",
    "layouts",
    "corpus",
    "resize",
    "flickr",
    "writing",
    "evidence",
    "backbones",
    "parallel",
    "vae",
    "run_folder",
    "row_files",
    "training_set",
    "training_batches",
    "training_export",
    "training_run",
    "training",
    "onnx_session",
    "text",
    "encoder",
    "imagenet",
    "engines",
    "ray_engine",
    "encoding",
    "joined_encoder",
    "encoder_features",
    "quantization",
    "mahalanobis",
    "moments",
    "gaussians",
    "judged_sums",
    "pair_counts",
    "calibration",
    "listening",
    "reach",
    "wishes",
    "suggestion",
    "map_dots",
    "latent_map",
    "methods",
    "archive",
    "conse_making",
    "fit_sums",
    "folder_swap",
    "bundle",
    "map_layout",
    "map_image",
    "charts",
    "ranker",
    "tagger",
    "vocabulary",
    "bot",
    "labelling",
    "searching",
    "evaluation",
    "accepting",
    "learning",
    "judging",
    "desk",
    "fitting",
    "combining",
    "comparing",
    "heads",
    "cli",
    "__main__",
)

# The only rooms that may import PyTorch, and be imported by nobody else at the top.
TORCH_ROOMS = {
    "torchvision_import",
    "backbones",
    "imagenet",
    "conse_making",
    "parallel",
    "vae",
    "run_folder",
    "row_files",
    "training_set",
    "training_batches",
    "training_export",
    "training_run",
    "training",
    "heads",
}

# Packages that cost a second or a gigabyte: never loaded to suggest tags.
HEAVY = {
    "torch",
    "torchvision",
    "scipy",
    "sklearn",
    "plotly",
    "onnx",
    "flickrapi",
    "pyexiv2",
    "ray",
    "tokenizers",
}

SOURCES = sorted(
    path
    for package in ("lablr", "webapp")
    for path in (ROOT / package).rglob("*.py")
    if path != ROOT / "lablr" / "__init__.py"  # names every room, imports none
)


def room_of(path: Path) -> str:
    return path.relative_to(ROOT / "lablr").parts[0].removesuffix(".py")


def imported(node: ast.AST) -> Iterator[str]:
    """Yield the dotted names that one import statement brings in."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        # "from lablr import photos" may name a module as well as an attribute.
        yield from (f"{node.module}.{alias.name}" for alias in node.names)


def top_level(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield the statements that run on import: none inside a function."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            waiting.extend(node.orelse)
            continue
        waiting.extend(ast.iter_child_nodes(node))


def rooms_imported(names: Iterator[str]) -> set[str]:
    parts = (name.split(".") for name in names if name.startswith("lablr."))
    return {room for _, room, *_ in parts if room in ROOMS}


def all_imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        yield from imported(node)


def imports_on_loading(path: Path) -> Iterator[str]:
    for node in top_level(ast.parse(path.read_text())):
        yield from imported(node)


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_room_has_its_place():
    folder = ROOT / "lablr"
    rooms = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    rooms |= {path.parent.name for path in folder.glob("*/__init__.py")}
    assert rooms == set(ROOMS)


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_a_room_imports_only_those_above_it(path: Path):
    found = rooms_imported(all_imports(path))
    if path.is_relative_to(ROOT / "webapp"):
        assert "cli" not in found
        return
    room = room_of(path)
    assert found <= {room, *ROOMS[: ROOMS.index(room)]}


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_only_the_serve_command_imports_the_web(path: Path):
    uses_web = any(name.split(".")[0] == "webapp" for name in all_imports(path))
    if path.is_relative_to(ROOT / "lablr"):
        assert not uses_web or path == ROOT / "lablr" / "cli" / "serve.py"


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_loading_a_room_loads_nothing_heavy(path: Path):
    heavy = {name.split(".")[0] for name in imports_on_loading(path)} & HEAVY
    rooms = rooms_imported(imports_on_loading(path))
    if path.is_relative_to(ROOT / "lablr") and room_of(path) in TORCH_ROOMS:
        assert heavy <= {"torch", "torchvision"}
    else:
        assert not heavy
        assert not rooms & TORCH_ROOMS


def modules_after(code: str) -> set[str]:
    """Return the top-level packages that a fresh interpreter has after ``code``."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    return {name.split(".")[0] for name in done.stdout.split()}


def test_importing_lablr_loads_nothing():
    loaded = modules_after("import lablr")
    assert not loaded & {*HEAVY, "numpy", "PIL", "onnxruntime", "flask", "click"}


def test_suggesting_loads_nothing_heavy(china_jpg: Path):
    loaded = modules_after(
        f"from lablr import Tagger; Tagger.load().suggest({str(china_jpg)!r})"
    )
    assert "onnxruntime" in loaded
    assert not loaded & HEAVY


def test_reading_texts_loads_nothing_heavy():
    loaded = modules_after(
        "from lablr.text import SentenceEncoder; SentenceEncoder.load().embed(['sea'])"
    )
    assert "onnxruntime" in loaded
    assert loaded & HEAVY == {"tokenizers"}


def test_the_web_loads_nothing_heavy():
    loaded = modules_after("from webapp import create_app; create_app()")
    assert "flask" in loaded
    assert not loaded & HEAVY


def test_the_public_names():
    assert lablr.__all__ == sorted(lablr.__all__)
    assert set(lablr.__all__) <= set(dir(lablr))
    for name in lablr.__all__:
        assert getattr(lablr, name).__name__ == name
    with pytest.raises(AttributeError, match="no attribute 'nonesuch'"):
        lablr.nonesuch  # noqa: B018
