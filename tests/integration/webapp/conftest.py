"""One real application for all tests of the web; none of them changes it."""

from __future__ import annotations

import pytest
from flask import Flask

from webapp import create_app


@pytest.fixture(scope="session")
def app() -> Flask:
    """The real application on the bundled model."""
    return create_app({"TESTING": True, "PROPAGATE_EXCEPTIONS": False})
