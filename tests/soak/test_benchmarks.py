"""The benchmarks run, and print what they promise; how fast is for them to say."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest
from places import ROOT

from benchmarks.__main__ import BENCHMARKS, BY_NAME, page
from benchmarks.reporting import Report, Table, Target, as_markdown
from benchmarks.timing import Spread, ratios, times_in_turns

# Benchmark -> what stands in its tables. The others train, load a server or start Ray.
LIGHT = {
    "one_photo": ["`Tagger.suggest`", "decode + bare session", "rank"],
    "plain_way": ["the plain way", "the first Lablr"],
    "many_photos": ["`suggest_many`, 640 x 427", "bare session"],
    "label": ["`lablr label`", "bare session"],
    "many_tags": ["98", "300"],
    "search": ["all compared", "graph"],
    "int8": ["fp32", "int8", "cosine of the latents"],
    "micro_batches": ["threads: 1"],
    "download": ["0 ms", "20 ms a picture", "a round trip of 20 ms"],
    "resize": ["`resize_corpus`", "a plain loop"],
    "rating": ["the page", "storing an answer", "a photo that the browser has"],
    "learning": ["one of three keys", "yes or no to each of five"],
    "rank_again": ["the page", "the page, with figures", "the desk"],
    "why": ["where one tag was seen", "where ten tags were seen", "a photo's tags"],
}


def run_benchmark(*words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", LIGHT)
def test_a_light_benchmark_prints_its_tables(name):
    printed = run_benchmark(f"benchmarks.{name}", "--quick")
    assert printed.startswith("## ")
    rows = [line for line in printed.splitlines() if line.startswith("| ")]
    for words in LIGHT[name]:
        assert any(words in row.split("|")[1] for row in rows), printed


def test_json_is_the_same_report():
    printed = run_benchmark("benchmarks.micro_batches", "--quick", "--json")
    report = Report.from_dict(json.loads(printed))
    assert as_markdown(report).startswith("## Micro-batches in the server\n")
    assert report.findings[0].startswith(("**Yes**", "**No**"))


def test_every_benchmark_is_run_by_make_bench():
    shared = {
        "__init__",
        "__main__",
        "load",
        "machine",
        "other_ways",
        "photos",
        "reporting",
        "server_process",
        "sessions",
        "timing",
    }
    files = {path.stem for path in (ROOT / "benchmarks").glob("*.py")}
    assert files - shared == {*BENCHMARKS, *BY_NAME}


def test_the_comparison_of_servers_says_that_granian_is_missing():
    without = "import runpy, sys; sys.modules['granian'] = None; sys.argv[1:] = []; "
    run = "runpy.run_module('benchmarks.servers', run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", without + run],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "granian is not installed: pip install granian\n"


def test_the_page_holds_the_machine_the_targets_and_every_command(tmp_path):
    report = {
        "title": "Two ways",
        "method": "One against the other.",
        "tables": [{"headings": ["way", "ms"], "rows": [["this", "1.0"]]}],
        "targets": [{"what": "this / that", "bound": 2.0, "measured": 3.0}],
        "findings": [],
    }
    kept = {
        "report": report,
        "command": "python -m benchmarks.one_photo",
        "date": "2025-01-01 00:00",
        "seconds": 1.0,
        "load": 0.5,
    }
    (tmp_path / "one_photo.json").write_text(json.dumps(kept))
    written = page(tmp_path)
    assert "| processor |" in written
    assert written.count("| this / that | ≤ 2 x | 3 x | **no** |") == 2
    assert "`python -m benchmarks.one_photo`, 2025-01-01 00:00 UTC" in written


@pytest.mark.parametrize(
    ("measured", "at_most", "met"),
    [(1.2, True, True), (1.3, True, False), (1.3, False, True), (1.2, False, False)],
)
def test_a_target_is_met_on_its_side_of_the_bound(measured, at_most, met):
    assert Target("this / that", 1.25, measured, at_most=at_most).met is met


def test_no_figure_meets_no_target():
    assert not Target("refusals", 100, float("nan"), "ms").met


def test_ways_take_turns():
    called = []
    ways = {name: lambda name=name: called.append(name) for name in "abc"}
    times = times_in_turns(ways, n_rounds=3, n_warm_up=1)
    assert "".join(called) == "abc" + "abc" + "bca" + "cab"
    assert {len(own) for own in times.values()} == {3}


def test_a_ratio_is_taken_round_by_round():
    spread = ratios(np.array([2.0, 20.0, 400.0]), np.array([1.0, 10.0, 100.0]))
    assert spread == Spread(median=2.0, lower=2.0, upper=3.0)
    assert spread.text(1) == "2.0 (2.0 to 3.0)"


def test_a_table_is_markdown():
    table = Table(("way", "ms"), [["this", "1.0"]])
    assert table.markdown() == "| way | ms |\n| --- | ---: |\n| this | 1.0 |"
