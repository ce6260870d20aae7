"""``lablr map``: a picture, a page, and a file that cannot be written."""

from __future__ import annotations

import io
import json
import resource

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from lablr.cli import main


def run_map(*words: object) -> Result:
    return CliRunner().invoke(main, ["map", *map(str, words)])


def test_map_draws_a_picture(tmp_path, monkeypatch, china_jpg):
    monkeypatch.chdir(tmp_path)
    done = run_map("-o", "map.PNG", "--photo", china_jpg)
    assert (done.exit_code, done.stdout) == (0, "map.PNG\n"), done.stderr
    with Image.open(io.BytesIO((tmp_path / "map.PNG").read_bytes())) as picture:
        assert (picture.format, picture.size) == ("PNG", (1200, 900))
        assert len(picture.convert("RGB").getcolors(1 << 24)) > 10


@pytest.mark.parametrize("with_photo", [False, True])
def test_map_writes_a_page_that_needs_no_network(tmp_path, china_jpg, with_photo):
    out = tmp_path / "map.html"
    done = run_map("--out", out, *(["--photo", china_jpg] if with_photo else []))
    assert done.exit_code == 0, done.stderr
    page = out.read_text(encoding="utf-8")
    (figure,) = [
        line.removeprefix("const figure = ").removesuffix(";")
        for line in page.splitlines()
        if line.startswith("const figure = ")
    ]
    n_circles = len(json.loads(figure)["layout"]["shapes"])
    assert n_circles == 20 if with_photo else n_circles >= 20
    assert page.count("<script>") == page.count("</script>") == 2
    assert "<script src" not in page


def test_map_says_where_it_cannot_write(tmp_path):
    done = run_map("--out", tmp_path / "no" / "map.png")
    assert done.exit_code == 1
    assert done.stderr.startswith(f"lablr: error: {tmp_path}/no/map.png: ")


def test_a_map_that_cannot_be_written_leaves_the_old_one(tmp_path):
    out = tmp_path / "map.png"
    out.write_bytes(b"the old one")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (9000, before[1]))
    try:
        done = run_map("--out", out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert done.exit_code == 1
    assert "File too large" in done.stderr
    assert out.read_bytes() == b"the old one"
    assert list(tmp_path.iterdir()) == [out]
