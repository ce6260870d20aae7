"""What a source distribution holds, and what the image takes of it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from places import ROOT

__all__ = ["CONTAINERFILE", "TOP_LEVEL", "built", "container_sources", "copied"]

CONTAINERFILE = ROOT / "deploy" / "Containerfile"

TOP_LEVEL = (
    ".ci",
    ".gitignore",
    ".pre-commit-config.yaml",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "MANIFEST.in",
    "Makefile",
    "README.md",
    "artifacts",
    "benchmarks",
    "constraints.txt",
    "deploy",
    "docs",
    "lablr",
    "pyproject.toml",
    "scripts",
    "setup.cfg",
    "static",
    "templates",
    "tests",
    "webapp",
)

_LEFT_BY_TOOLS = shutil.ignore_patterns(
    "__pycache__", "*.pyc", "*.egg-info", ".DS_Store"
)


def container_sources() -> list[str]:
    """Return the names that the Containerfile copies from the repository."""
    copies = [
        line.split()[1:-1]
        for line in CONTAINERFILE.read_text().splitlines()
        if line.startswith("COPY ") and "--from=" not in line
    ]
    return [source for words in copies for source in words]


def copied(names: list[str], folder: Path) -> Path:
    """Copy files and folders of the checkout, so that a build leaves nothing in it."""
    folder.mkdir()
    for name in names:
        path = ROOT / name
        if path.is_dir():
            shutil.copytree(path, folder / name, ignore=_LEFT_BY_TOOLS)
        else:
            shutil.copy(path, folder / name)
    return folder


def built(kind: str, source: Path, folder: Path) -> Path:
    """Build ``"wheel"`` or ``"sdist"`` as `python -m build` does; returns the file."""
    # Without isolation the build asks no network: the test extra has setuptools.
    command = ["-m", "build", "--no-isolation", f"--{kind}", "--outdir", folder, source]
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (file,) = folder.iterdir()
    return file
