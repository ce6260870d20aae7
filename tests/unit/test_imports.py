"""Imports point one way, and serving loads nothing that only making a model needs."""

from __future__ import annotations

import ast
import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from places import ROOT

import lablr

# The rooms of lablr/, in rows: each imports only rooms of rows above its own, or those
# before it in its row. docs/architecture.md draws them.
ROWS = (
    ("errors",),
    ("system", "tags", "photos"),
    ("corpus", "metadata", "bundle"),
    ("latent_space", "encoders", "flickr"),
    ("ranking", "figures"),
    ("fitting", "training", "annotation", "search", "bot"),
    ("cli",),
)
ROOMS = tuple(room for row in ROWS for room in row)
ROOT_FILES = {"__init__", "__main__", "py"}  # py.typed

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

# Those of webapp/; `state` knows no request, and `__init__` puts all together.
WEB_ROOMS = ("state", "http", "api", "pages", "rate", "desk", "__init__")

SOURCES = sorted(
    path
    for package in ("lablr", "webapp")
    for path in (ROOT / package).rglob("*.py")
    if path != ROOT / "lablr" / "__init__.py"  # names every room, imports none
)


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


def room_of(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


def module_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in SOURCES}


def module_named(name: str) -> str | None:
    """The module of ours that a dotted name brings in: `name`, or what holds it."""
    while name and name not in MODULES:
        name = name.rpartition(".")[0]
    return name or None


def all_imports(module: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        yield from imported(node)


def imports_on_loading(module: str) -> Iterator[str]:
    for node in top_level(ast.parse(MODULES[module].read_text())):
        yield from imported(node)


def ours(names: Iterator[str]) -> Iterator[str]:
    return (found for name in names if (found := module_named(name)))


def test_every_room_has_its_place():
    entries = {path.stem for path in (ROOT / "lablr").iterdir()} - {"__pycache__"}
    assert entries - {"__init__", "__main__", "py"} == set(ROOMS)
    assert len(ROOMS) <= 18


def test_imports_point_one_way():
    wrong = []
    for module in MODULES:
        package, room = module.split(".")[0], room_of(module)
        if package == "lablr" and room in ("__main__", "__init__"):
            continue
        order = ROOMS if package == "lablr" else WEB_ROOMS
        for other in ours(all_imports(module)):
            if other.startswith(f"{package}."):
                right = order.index(room_of(other)) <= order.index(room)
            elif package == "lablr":  # the web
                right = module == "lablr.cli.serve"
            else:
                right = room_of(other) != "cli"
            if not right:
                wrong.append(f"{module} imports {other}")
    assert wrong == []


def test_no_module_imports_itself_in_a_circle():
    imports = {m: set(ours(imports_on_loading(m))) - {m} for m in MODULES}
    # A package's face comes before its modules, and they are no circle for that.
    left = {
        m: {n for n in found if not m.startswith(f"{n}.")}
        for m, found in imports.items()
    }
    while ready := [m for m, found in left.items() if not found & left.keys()]:
        for module in ready:
            del left[module]
    assert sorted(left) == []


def test_loading_a_room_loads_nothing_heavy():
    wrong = []
    for module in MODULES:
        heavy = {name.split(".")[0] for name in imports_on_loading(module)} & HEAVY
        if module.startswith("lablr.training"):
            heavy -= {"torch", "torchvision"}
        elif "lablr.training" in {
            ".".join(name.split(".")[:2]) for name in ours(imports_on_loading(module))
        }:
            heavy |= {"lablr.training"}
        wrong += [f"{module} loads {name}" for name in sorted(heavy)]
    assert wrong == []


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
        "from lablr.encoders.text import SentenceEncoder;"
        " SentenceEncoder.load().embed(['sea'])"
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


def test_a_former_public_name_warns_and_works():
    with pytest.warns(DeprecationWarning, match=r"lablr\.Feedback"):
        assert lablr.Wishes is lablr.Feedback


@pytest.mark.parametrize(
    ("module", "names"),
    [
        ("lablr.conse_making", ["make_conse"]),
        ("lablr.judging", ["open_database"]),
        ("lablr.judging.records", ["Model", "StoredPhoto"]),
        ("lablr.labelling", ["Labeller", "blocks_of", "in_threads", "open_input"]),
        ("lablr.text", ["SentenceEncoder", "WordVectors"]),
        ("lablr.vae", ["VAEConfig"]),
        ("lablr.vocabulary", ["Hygiene", "Vocabulary", "split_words"]),
        ("lablr.writing", ["Keyword", "default_state", "undo", "write_tags"]),
    ],
)
@pytest.mark.filterwarnings("ignore:lablr:DeprecationWarning")
def test_what_earlier_pages_imported_is_still_there(module, names):
    found = importlib.import_module(module)
    assert all(callable(getattr(found, name)) for name in names)


def test_a_former_module_warns():
    code = "import lablr.writing"
    done = subprocess.run(
        [sys.executable, "-W", "always", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
    )
    assert "DeprecationWarning: lablr.writing is lablr.metadata now" in done.stderr
