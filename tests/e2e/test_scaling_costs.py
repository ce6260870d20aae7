"""What docs/scaling.md says of a million photos follows from the measured figures."""

from __future__ import annotations

import importlib.util
import sys

import pytest
from places import ROOT

PERFORMANCE = """\
| machine |  |
| --- | ---: |
| cores | 4 |

## Many photos

| way | photos/s | of the bare session's |
| --- | ---: | ---: |
| `suggest_many`, 1280 x 854 | 80.0 (70.5 to 82.2) | 0.77 |

## Fitting

| fit by | photos/s | core ms a photo |
| --- | ---: | ---: |
| threads | 50.0 (49.0 to 51.0) | 1,080.0 (1,079.0 to 1,081.0) |

## Downloading

| photo host | the loop, s | `lablr download`, s | times as fast |
| --- | ---: | ---: | ---: |
| a round trip of 20 ms | 90.0 (89.0 to 91.0) | 7.2 (7.0 to 8.0) | 12.5 |
"""


@pytest.fixture(scope="module")
def script():
    path = ROOT / "scripts" / "scaling_costs.py"
    spec = importlib.util.spec_from_file_location("scaling_costs", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["scaling_costs"] = module  # its dataclass looks itself up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["scaling_costs"]


def test_the_page_is_as_the_script_writes_it(script) -> None:
    written = (ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")
    assert written == script.page(), "run `make docs`"


def test_core_hours_follow_from_the_figures(script) -> None:
    rows = script.costs(PERFORMANCE).splitlines()
    # 4 cores for 1/80 s are 50 ms; a million times that are 13.9 hours.
    assert "| label | 50.0 | 14 | 13,889 |" in rows
    # 1.08 s a photo are 300 hours a million.
    assert "| fit | 1080.0 | 300 | 300,000 |" in rows


def test_calls_and_storage(script) -> None:
    rows = script.costs(PERFORMANCE).splitlines()
    assert "| search calls | 2,000 | 2,000,000 |" in rows
    assert "| hours of them, at 3,600 an hour | 0.6 | 555.6 |" in rows
    assert "| tags needed, at 4,000 photos each | 250 | 250,000 |" in rows
    # 7.2 s a thousand are 2 hours a million.
    name = "hours to fetch the pictures, small ones 20 ms away"
    assert f"| {name} | 2.0 | 2,000.0 |" in rows
    assert "| GB, as downloaded, 1280 x 854 | 300.00 | 300,000.00 |" in rows


def test_what_is_not_measured_names_its_command(script) -> None:
    (row,) = [row for row in script.costs(PERFORMANCE).splitlines() if "resize," in row]
    assert "**not measured**: `python -m benchmarks resize`" in row
