"""The wheel, built once for all tests that look into it or install it."""

from __future__ import annotations

from pathlib import Path

import pytest
from shipped import built, container_sources, copied


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    """The wheel, built of what deploy/Containerfile copies and no more."""
    folder = tmp_path_factory.mktemp("wheel")
    source = copied(container_sources(), folder / "context")
    return built("wheel", source, folder / "dist")
