"""What is built and installed: complete, without PyTorch, and working from anywhere."""

from __future__ import annotations

import configparser
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest
from places import ROOT
from setuptools import find_packages
from shipped import NOT_SHIPPED, TOP_LEVEL

from lablr import __version__

# Folder at the top level -> the package it is shipped as.
SHIPPED_AS = {
    "artifacts": "lablr.artifacts",
    "static": "webapp.static",
    "templates": "webapp.templates",
}
# What the build makes itself, and tools leave.


@pytest.fixture(scope="module")
def setup_cfg():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    return parser


def test_every_package_is_listed(setup_cfg):
    found = find_packages(ROOT, include=["lablr", "lablr.*", "webapp", "webapp.*"])
    assert setup_cfg["options"]["packages"].split() == sorted(
        [*found, *SHIPPED_AS.values()]
    )


def test_the_base_install_has_no_training_parts(setup_cfg):
    base = setup_cfg["options"]["install_requires"]
    for name in ("torch", "flickrapi", "efficientnet", "onnx>", "pytest"):
        assert name not in base
    assert "torch>=" in setup_cfg["options.extras_require"]["train"]


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


# --- built


def files_below(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def source_tree(tmp_path_factory) -> Path:
    """A copy of the checkout, so that building leaves nothing behind in it."""
    tree = tmp_path_factory.mktemp("source") / "lablr"
    tree.mkdir()
    for name in TOP_LEVEL:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, tree / name, ignore=NOT_SHIPPED)
        else:
            shutil.copy(path, tree / name)
    return tree


@pytest.fixture(scope="module")
def dist(source_tree, tmp_path_factory) -> Path:
    """The folder with the source distribution, and the wheel that was built from it."""
    folder = tmp_path_factory.mktemp("dist")
    # Without isolation the build asks no network: the test extra has setuptools.
    command = ["-m", "build", "--no-isolation", "--outdir", folder, source_tree]
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return folder


def test_the_source_distribution_holds_the_whole_tree(source_tree, dist):
    (archive,) = dist.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        held = {name.partition("/")[2] for name in tar.getnames()}
    assert files_below(source_tree) - held == set()


def test_the_wheel_holds_code_model_and_pages_and_nothing_else(source_tree, dist):
    (wheel,) = dist.glob("*.whl")
    expected = {
        f"{package}/{file}"
        for package in ("lablr", "webapp")
        for file in files_below(source_tree / package)
    } | {
        f"{package.replace('.', '/')}/{file}"
        for folder, package in SHIPPED_AS.items()
        for file in files_below(source_tree / folder)
    }
    held = {
        name
        for name in zipfile.ZipFile(wheel).namelist()
        if not name.startswith(f"lablr-{__version__}.dist-info/")
    }
    assert held == expected


# --- installed


@pytest.fixture(scope="module")
def installed(dist, tmp_path_factory) -> Path:
    """The ``bin`` folder of another environment, in which the wheel is installed.

    The packages that Lablr needs are this environment's: they lie on its path, but
    their .pth files (an editable Lablr is one) are not read there.
    """
    environment = tmp_path_factory.mktemp("installed")
    subprocess.run(
        [sys.executable, "-m", "venv", "--without-pip", environment], check=True
    )
    paths = sysconfig.get_paths(vars={"base": str(environment)})
    dependencies = {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    pth = Path(paths["purelib"]) / "dependencies.pth"
    pth.write_text("\n".join(sorted(dependencies)))
    (wheel,) = dist.glob("*.whl")
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


def test_the_installed_command_says_its_version(installed):
    assert run_from_root(installed / "lablr", "--version") == f"lablr {__version__}\n"


def test_it_is_the_installed_one(installed):
    code = "import lablr, webapp; print(lablr.__file__, webapp.__file__)"
    for file in run_from_root(installed / "python", "-c", code).split():
        assert Path(file).is_relative_to(installed.parent)


def test_the_installed_command_suggests_the_same_tags(
    installed, lablr_process, china_jpg
):
    words = ["suggest", "--json", str(china_jpg)]
    from_wheel = json.loads(run_from_root(installed / "lablr", *words))
    assert from_wheel == json.loads(lablr_process(*words).stdout)


def test_the_installed_page_has_its_templates_and_assets(installed):
    code = (
        "import re\n"
        "from webapp import create_app\n"
        "client = create_app().test_client()\n"
        "page = client.get('/')\n"
        "assert page.status_code == 200, page.status\n"
        'assets = re.findall(r\'(?:src|href)="(/static/[^"]+)"\', page.text)\n'
        "for asset in assets:\n"
        "    assert client.get(asset).status_code == 200, asset\n"
        "print(len(assets))\n"
    )
    assert int(run_from_root(installed / "python", "-c", code)) >= 2
