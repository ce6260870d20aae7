"""Writing and downloading at the desk in a real browser; exiftool reads the files."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from browsing import TOKEN, Visit
from desk_browsing import (
    at_desk,
    few,
    sources,
    wait_for_stored,
    wait_for_suggestions,
    wait_for_sum,
)
from exif_reader import read_lists

__all__ = ["few", "sources"]


@pytest.fixture
def folder(few: Path, tmp_path: Path) -> Path:
    """Photos of this test's own, for they are written to."""
    return Path(shutil.copytree(few, tmp_path / "photos"))


def type_tag(visit: Visit, tag: str) -> None:
    visit.page.keyboard.press("t")
    visit.page.keyboard.type(tag)
    visit.page.keyboard.press("Enter")
    visit.page.keyboard.press("Escape")
    wait_for_stored(visit, f"{tag} typed")


def write(visit: Visit, n_files: int) -> None:
    """Say yes in the dialog, once it says what it would do, and close it."""
    page, expect = visit.page, visit.expect
    word = "file" if n_files == 1 else "files"
    expect(page.locator("#write-go")).to_have_text(f"Write {n_files} {word}")
    page.click("#write-go")
    expect(page.locator("#writing-said")).to_have_text(f"{n_files} {word} written.")
    page.click("#writing-close")


def test_sidecars_beside_photos_that_stay_as_they_are(visit, folder, tmp_path):
    files = sorted(folder.iterdir())
    before = [file.read_bytes() for file in files]
    with at_desk(visit, folder, tmp_path / "server") as visit:
        page, expect = visit.page, visit.expect
        wait_for_suggestions(visit)
        for number in range(2):
            type_tag(visit, f"lake {number}")
            page.keyboard.press("ArrowRight")
        page.keyboard.press("w")
        page.check("[name=where][value=sidecar]")
        write(visit, 2)
        wait_for_sum(visit, "2 written")
        expect(page.locator(".cell[data-state=written]")).to_have_count(2)
        assert [file.read_bytes() for file in files] == before
        sidecars = sorted(folder.glob("*.xmp"))
        assert [file.name for file in sidecars] == [f"{f.name}.xmp" for f in files[:2]]
        for number, file in enumerate(sidecars):
            assert read_lists(file)["dc:subject"] == [f"lake {number}"]
        page.keyboard.press("w")
        page.click("#write-undo")
        expect(page.locator("#writing-said")).to_have_text("2 files restored.")
        assert sorted(folder.glob("*.xmp")) == []


def test_only_this_photo_is_written_and_downloaded_with_its_tags(
    visit, folder, tmp_path
):
    first, second = sorted(folder.iterdir())[:2]
    before = first.read_bytes()
    with at_desk(visit, folder, tmp_path / "server") as visit:
        page = visit.page
        wait_for_suggestions(visit)
        for tag in ("this one not", "this one"):
            type_tag(visit, tag)
            page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowLeft")  # back to the second
        page.keyboard.press("w")
        page.check("[name=which][value=one]")
        write(visit, 1)
        wait_for_sum(visit, "1 written")
        assert first.read_bytes() == before
        with page.expect_download() as coming:
            page.click("#file-link")
        copy = tmp_path / "downloaded.jpg"
        coming.value.save_as(copy)
        assert coming.value.suggested_filename == second.name
        assert read_lists(copy)["dc:subject"] == ["this one"]
        assert read_lists(copy)["IPTC Keywords"] == ["this one"]
        assert copy.read_bytes() == second.read_bytes()


def test_a_desk_that_asks_for_a_token(visit, folder, tmp_path):
    file = sorted(folder.iterdir())[0]
    settings = {"LABLR_API_TOKEN": TOKEN}
    with at_desk(
        visit, folder, tmp_path / "server", settings=settings, complaints=("401",)
    ) as visit:
        page, expect = visit.page, visit.expect
        asked = page.locator("#hold-message")
        expect(asked).to_have_text("This server asks for a token.")
        expect(page.locator(".cell")).to_have_count(0)
        page.fill("#token", "wrong")
        page.keyboard.press("Enter")
        expect(asked).to_have_text("The server did not take that token.")
        page.fill("#token", TOKEN)
        page.keyboard.press("Enter")
        expect(page.locator("#hold")).to_be_hidden()
        wait_for_suggestions(visit)
        expect(page.locator(".cell.has-picture").first).to_be_visible()
        type_tag(visit, "let in")
        page.keyboard.press("w")
        write(visit, 1)
        assert read_lists(file)["dc:subject"] == ["let in"]
        with page.expect_download() as coming:
            page.click("#file-link")
        coming.value.save_as(tmp_path / "downloaded.jpg")
        assert (tmp_path / "downloaded.jpg").read_bytes() == file.read_bytes()
        assert TOKEN not in page.url
