"""Writing and downloading at the desk in a real browser; exiftool reads the files."""

from __future__ import annotations

from browsing import Visit
from desk_browsing import wait_for_stored, wait_for_sum
from exif_reader import read_lists


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


def test_sidecars_one_photo_alone_and_its_copy(desk, tmp_path):
    visit, files = desk(3)
    page, expect = visit.page, visit.expect
    folder, before = files[0].parent, [file.read_bytes() for file in files]
    expect(page.locator(".cell")).to_have_count(3)
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
    page.click("#writing-close")

    second = files[1]
    page.locator(".cell").nth(1).click()
    page.keyboard.press("w")
    page.check("[name=where][value=inside]")
    page.check("[name=which][value=one]")
    write(visit, 1)
    wait_for_sum(visit, "1 written")
    assert files[0].read_bytes() == before[0]
    with page.expect_download() as coming:
        page.click("#file-link")
    copy = tmp_path / "downloaded.jpg"
    coming.value.save_as(copy)
    assert coming.value.suggested_filename == second.name
    assert read_lists(copy)["dc:subject"] == ["lake 1"]
    assert read_lists(copy)["IPTC Keywords"] == ["lake 1"]
    assert copy.read_bytes() == second.read_bytes()
