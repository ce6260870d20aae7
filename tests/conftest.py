"""Fixtures that several tests share."""

from __future__ import annotations

import importlib.util
import os
import signal
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import settings

# Before NumPy is imported: a test beside others must not wait for OpenBLAS's threads,
# which spin on cores that the others use (see lablr/system/cpu.py).
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# What a shell starts in the background ignores Ctrl-C, and so would the programs that
# tests start and stop with it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# How long an example takes says how busy the machine is.
settings.register_profile("lablr", deadline=None)
settings.load_profile("lablr")

# The command; the rule that CI skips nothing; a database and a cluster, each started
# once; tests in several processes.
pytest_plugins = (
    "command_line",
    "no_skips",
    "postgresql_here",
    "ray_here",
    "side_by_side",
)


@pytest.fixture(scope="session")
def photos_of_sklearn() -> Path:
    """The folder of two JPEG photos that scikit-learn ships: china.jpg, flower.jpg."""
    spec = importlib.util.find_spec("sklearn")
    return Path(spec.origin).parent / "datasets" / "images"


@pytest.fixture(scope="session")
def china_jpg(photos_of_sklearn: Path) -> Path:
    """A real photo: a temple under a blue sky, 640 x 427."""
    return photos_of_sklearn / "china.jpg"


@pytest.fixture(scope="session")
def flower_jpg(photos_of_sklearn: Path) -> Path:
    """A real photo: a dahlia in close-up, 640 x 427."""
    return photos_of_sklearn / "flower.jpg"


@pytest.fixture(scope="module")
def app() -> Flask:
    """The real application on the bundled model."""
    from webapp import create_app

    return create_app({"TESTING": True, "PROPAGATE_EXCEPTIONS": False})


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()
