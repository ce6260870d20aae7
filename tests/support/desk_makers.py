"""Folders of real photos for the desk, and a client that speaks as its page does."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from label_makers import bundle
from PIL import Image

from webapp import create_app

__all__ = ["Client", "desk_app", "folder", "small_model", "state"]


@dataclass
class Client:
    """The desk's HTTP contract; every call returns the answer's JSON."""

    client: Any

    def photos(self) -> dict[str, dict[str, Any]]:
        """The photos of the desk by name."""
        answer = self.client.get("/desk/photos")
        assert answer.status_code == 200, answer.text
        return {photo["name"]: photo for photo in answer.json["photos"]}

    def ids(self, *names: str) -> list[int]:
        photos = self.photos()
        return [photos[name]["id"] for name in names or photos]

    def ask(self, number: int, k: int = 10, status: int = 200) -> Any:
        answer = self.client.get(f"/desk/photos/{number}/suggestions?k={k}")
        assert answer.status_code == status, answer.text
        return answer.json

    def post(self, path: str, given: Any, status: int = 200, **headers: str) -> Any:
        answer = self.client.post(f"/desk/{path}", json=given, headers=headers)
        assert answer.status_code == status, answer.text
        if answer.mimetype == "application/x-ndjson":
            return [json.loads(line) for line in answer.text.splitlines()]
        return answer.json

    def refused(self, path: str, given: Any, status: int = 422) -> str:
        return self.post(path, given, status)["error"]["code"]


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this test's desks keep what they keep."""
    for name in ("LABLR_DATABASE", "LABLR_API_TOKEN", "LABLR_DESK"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("LABLR_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a bundle of seven tags, tag00000 to tag00006."""
    place = tmp_path_factory.mktemp("model") / "bundle"
    bundle().save(place)
    return str(place)


@pytest.fixture
def folder(tmp_path: Path, china_jpg: Path, flower_jpg: Path) -> Path:
    """Two photos, one of them also smaller, and one in a folder of its own."""
    folder = tmp_path / "photos"
    (folder / "sub").mkdir(parents=True)
    shutil.copy(china_jpg, folder / "china.jpg")
    shutil.copy(flower_jpg, folder / "sub" / "flower.jpg")
    Image.open(china_jpg).resize((320, 213)).save(folder / "small.png")
    return folder


def desk_app(folder: Path | str, model: str, **settings: Any):
    """An application with the desk of a folder."""
    given = {"TESTING": True, "PROPAGATE_EXCEPTIONS": False, "DESK": str(folder)}
    return create_app({**given, "BUNDLE": model, **settings})
