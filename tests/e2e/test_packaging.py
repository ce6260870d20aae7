"""What is built and installed: complete, without PyTorch, and working from anywhere."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest
from click.testing import CliRunner
from packaging.requirements import Requirement
from places import ROOT
from shipped import TOP_LEVEL, built, copied

from lablr import __version__
from lablr.cli import main

# Folder of the wheel -> folder of the checkout.
SHIPPED_FROM = {
    "lablr": "lablr",
    "webapp": "webapp",
    "lablr/artifacts": "artifacts",
    "webapp/static": "static",
    "webapp/templates": "templates",
}


def files_below(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_source_distribution_holds_the_whole_tree(tmp_path):
    tree = copied(list(TOP_LEVEL), tmp_path / "lablr")
    with tarfile.open(built("sdist", tree, tmp_path / "dist")) as tar:
        held = {name.partition("/")[2] for name in tar.getnames()}
    assert files_below(tree) - held == set()


def test_the_wheel_holds_code_model_and_pages_and_nothing_else(wheel):
    expected = {
        f"{package}/{file}"
        for package, folder in SHIPPED_FROM.items()
        for file in files_below(ROOT / folder)
    }
    held = zipfile.ZipFile(wheel).namelist()
    info = f"lablr-{__version__}.dist-info/"
    assert {name for name in held if not name.startswith(info)} == expected


def test_the_base_install_has_no_training_parts(wheel):
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"lablr-{__version__}.dist-info/METADATA")
    needed = message_from_bytes(metadata).get_all("Requires-Dist")
    base = {
        requirement.name
        for requirement in map(Requirement, needed)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    }
    assert {"flask", "onnxruntime", "resvg-py"} <= base
    assert not {"torch", "flickrapi", "onnx", "pytest"} & base
    assert not any(name.startswith("efficientnet") for name in base)


READ_WORDS = """
import sys
absent = ["torch", "transformers", "sentence_transformers", "huggingface_hub"]
sys.modules.update(dict.fromkeys(absent))  # importing one of them fails
from lablr.encoders.text import SentenceEncoder
cat, kitten, invoice = SentenceEncoder.load().embed(["cat", "kitten", "invoice"])
assert cat @ kitten > 0.5 > cat @ invoice
"""


def test_words_are_read_without_what_the_text_model_s_package_asks_for():
    done = subprocess.run(
        [sys.executable, "-c", READ_WORDS],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert done.returncode == 0, done.stderr


# --- installed


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """The ``bin`` folder of another environment, in which the wheel is installed.

    The packages that Lablr needs are this environment's: they lie on its path, but
    their .pth files (an editable Lablr is one) are not read there.
    """
    environment = tmp_path_factory.mktemp("installed")
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", environment], check=True
    )
    paths = sysconfig.get_paths(vars={"base": str(environment)})
    dependencies = [path for path in sys.path if Path(path).name == "site-packages"]
    pth = Path(paths["purelib"]) / "dependencies.pth"
    pth.write_text("\n".join(dependencies))
    pip = ["-m", "pip", "--python", environment / "bin" / "python", "install"]
    subprocess.run(
        [sys.executable, *pip, "--quiet", "--no-deps", "--no-index", wheel],
        check=True,
        env=clean_environment(),
    )
    return environment / "bin"


def clean_environment() -> dict[str, str]:
    return {
        name: value
        for name, value in os.environ.items()
        if name != "PYTHONPATH" and not name.startswith("LABLR_")
    }


def run_from_root(*command: object) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        cwd="/",
        env=clean_environment(),
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_installed_command_suggests_the_same_tags(installed, china_jpg):
    words = ["suggest", "--json", str(china_jpg)]
    from_wheel = json.loads(run_from_root(installed / "lablr", *words))
    assert from_wheel == json.loads(CliRunner().invoke(main, words).stdout)


LOOK = """
import re, webapp, lablr
client = webapp.create_app().test_client()
page = client.get("/")
assert page.status_code == 200, page.status
assets = re.findall(r'(?:src|href)="(/static/[^"]+)"', page.text)
assert len(assets) >= 2
for asset in assets:
    assert client.get(asset).status_code == 200, asset
print(lablr.__file__, webapp.__file__, lablr.__version__)
"""


def test_the_installed_page_has_its_templates_and_assets(installed):
    *files, version = run_from_root(installed / "python", "-c", LOOK).split()
    assert version == __version__
    assert all(Path(file).is_relative_to(installed.parent) for file in files)
