"""The application on a small model: made in ten milliseconds instead of a second."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections.abc import Sequence
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import Any

from flask import Flask
from model_makers import draw_photos, make_bundle
from serving import SERVE, Server, running_server

from webapp import create_app

__all__ = ["small_app", "small_bundle", "small_server"]


@cache
def small_bundle() -> str:
    """Return the folder of a model of seven tags, tag00000 to tag00006."""
    folder = Path(tempfile.mkdtemp(prefix="lablr-small-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    make_bundle(draw_photos()).save(folder / "bundle")
    return str(folder / "bundle")


def small_app(**config: Any) -> Flask:
    """Return an application of its own, with settings."""
    usual = {"TESTING": True, "PROPAGATE_EXCEPTIONS": False, "BUNDLE": small_bundle()}
    return create_app({**usual, **config})


def small_server(
    folder: Path, command: Sequence[str] = SERVE, **settings: str
) -> AbstractContextManager[Server]:
    """Run the real server on the small model; see `running_server`."""
    return running_server(folder, command, LABLR_BUNDLE=small_bundle(), **settings)
