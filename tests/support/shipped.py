"""What a source distribution holds."""

from __future__ import annotations

import shutil

__all__ = ["NOT_SHIPPED", "TOP_LEVEL"]

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

NOT_SHIPPED = shutil.ignore_patterns("__pycache__", "*.pyc", "*.egg-info", ".DS_Store")
