"""The walls between the pages' scripts: a page knows itself and what pages share."""

from __future__ import annotations

import re
from graphlib import TopologicalSorter
from pathlib import Path

JS = Path(__file__).parents[2] / "static" / "js"
TEMPLATES = JS.parents[1] / "templates"
COMMON = JS / "common"
IMPORT = re.compile(r"""^import\b[^"';]*["'](.+?)["']|\bimport\(["'](.+?)["']""", re.M)
LOADED = re.compile(r"filename='js/([^']+)'")

IMPORTS = {
    module: {
        (module.parent / (static or dynamic)).resolve()
        for static, dynamic in IMPORT.findall(module.read_text("utf-8"))
    }
    for module in JS.rglob("*.js")
}
ENTRIES = {
    JS / name
    for template in TEMPLATES.rglob("*.html")
    for name in LOADED.findall(template.read_text("utf-8"))
}


def reached_from(entry: Path) -> set[Path]:
    reached, ahead = {entry}, [entry]
    while ahead:
        new = IMPORTS[ahead.pop()] - reached
        reached |= new
        ahead += new
    return reached


def test_every_import_stays_within_its_page_or_goes_to_common():
    assert not ENTRIES - set(IMPORTS)
    for module, targets in IMPORTS.items():
        assert targets <= set(IMPORTS), module
        assert {target.parent for target in targets} <= {module.parent, COMMON}, module
    TopologicalSorter(IMPORTS).prepare()  # fails when they go in a circle


def test_every_module_is_used_and_what_is_common_is_shared():
    pages = [reached_from(entry) for entry in ENTRIES if entry.name == "main.js"]
    assert {entry.name for entry in ENTRIES if entry.parent != COMMON} == {"main.js"}
    for module in set(IMPORTS) - ENTRIES:
        users = sum(module in page for page in pages)
        assert users >= (2 if module.parent == COMMON else 1), module
