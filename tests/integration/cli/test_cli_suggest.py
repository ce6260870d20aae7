"""``lablr suggest`` as a person and a program meet it: in its own process."""

from __future__ import annotations

import json

import pytest
from PIL import Image

from lablr.bundle import default_folder
from lablr.cli.options import RANKINGS

N_TAGS = len(json.loads((default_folder() / "tags.json").read_text()))


def lines_of(output: bytes) -> list[str]:
    return output.decode().splitlines()


def test_suggest_prints_a_table(run_lablr, china_jpg):
    done = run_lablr("suggest", china_jpg)
    assert done.returncode == 0
    assert done.stderr == b""
    name, *rows = lines_of(done.stdout)
    assert name == str(china_jpg)
    rows = [row for row in rows if "not sure" not in row]
    assert len(rows) == 10
    percentages = [float(row.split("%")[0].split()[-1]) for row in rows]
    assert percentages == sorted(percentages, reverse=True)
    assert len({row.index("%") for row in rows}) == 1  # aligned


def test_suggest_says_when_it_is_not_sure(run_lablr, tmp_path):
    Image.new("RGB", (64, 64), (120, 120, 120)).save(tmp_path / "grey.png")
    done = run_lablr("suggest", tmp_path / "grey.png")
    sure = json.loads(run_lablr("suggest", "--json", tmp_path / "grey.png").stdout)
    assert (b"not sure: no tag reaches" in done.stdout) == (not sure["sure"])


@pytest.mark.parametrize(("k", "n_tags"), [("1", 1), ("7", 7), ("0", N_TAGS)])
def test_suggest_json_is_one_object_a_line(run_lablr, flower_jpg, k, n_tags):
    done = run_lablr("suggest", "--json", "-k", k, flower_jpg)
    (line,) = lines_of(done.stdout)
    record = json.loads(line)
    assert record["photo"] == str(flower_jpg)
    assert len(record["tags"]) == n_tags
    assert set(record["tags"][0]) - {"reach"} == {
        "tag",
        "probability",
        "squared_mahalanobis",
        "log_likelihood_ratio",
    }
    assert done.stderr == b""


@pytest.mark.parametrize("ranking", RANKINGS)
def test_suggest_ranks_in_three_ways(run_lablr, flower_jpg, ranking):
    done = run_lablr("suggest", "--json", "-k", "0", "--ranking", ranking, flower_jpg)
    tags = json.loads(done.stdout)["tags"]
    key, sign = {
        "calibrated": ("probability", -1),
        "likelihood": ("log_likelihood_ratio", -1),
        "mahalanobis": ("squared_mahalanobis", 1),
    }[ranking]
    numbers = [sign * tag[key] for tag in tags]
    assert numbers == sorted(numbers)


def test_suggest_goes_on_after_a_failure(run_lablr, china_jpg, tmp_path):
    (tmp_path / "page.jpg").write_text("<html>")
    (tmp_path / "link.jpg").symlink_to(china_jpg)
    names = [tmp_path / "page.jpg", china_jpg, tmp_path / "gone.jpg", tmp_path]
    names += [tmp_path / "link.jpg", "/dev/zero", china_jpg]
    done = run_lablr("suggest", "--json", *names)
    assert done.returncode == 1
    records = [json.loads(line) for line in lines_of(done.stdout)]
    assert [record["photo"] for record in records] == [str(name) for name in names]
    codes = [record.get("error", {}).get("code") for record in records]
    assert codes[0] == "unsupported_photo"
    assert [code is None for code in codes] == [name is china_jpg for name in names]
    assert records[3]["error"]["message"] == (
        f"This is a folder. Name the photos in it, for example {tmp_path}/*.jpg"
    )
    assert done.stderr == b"lablr: attempted 7 = ok 2 + failed 5\n"


def test_what_to_type_for_a_folder_can_be_typed(run_lablr, tmp_path):
    (tmp_path / "my photos").mkdir()
    done = run_lablr("suggest", "my photos/", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.endswith(b"for example 'my photos'/*.jpg\n")


def test_suggest_reports_on_stderr_beside_tables(run_lablr, china_jpg, tmp_path):
    done = run_lablr("suggest", tmp_path / "gone.jpg", china_jpg)
    assert done.returncode == 1
    assert lines_of(done.stdout)[0] == str(china_jpg)
    failure, summary = lines_of(done.stderr)
    assert failure.startswith(f"lablr: error: {tmp_path}/gone.jpg: The file cannot be")
    assert summary == "lablr: attempted 2 = ok 1 + failed 1"
