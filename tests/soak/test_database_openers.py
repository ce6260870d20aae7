"""Processes that open a database at the same moment make its tables once."""

from __future__ import annotations

import subprocess
import sys

from database_makers import database_url, on_both, postgresql, rows_of
from places import ROOT

from lablr.annotation import open_database

__all__ = ["database_url", "postgresql"]

OPENER = """
import sys
from lablr.annotation import open_database
print("ready", flush=True)
sys.stdin.readline()
with open_database(sys.argv[1]) as database:
    database.add_rater(sys.argv[2])
    print("opened")
"""


@on_both
def test_processes_that_open_at_once_make_the_tables_once(database_url):
    openers = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", OPENER, database_url, f"rater-{n}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for n in range(4)
    ]
    for opener in openers:
        assert opener.stdout.readline() == "ready\n"
    for opener in openers:
        opener.stdin.write("go\n")
        opener.stdin.flush()
    for opener in openers:
        out, problems = opener.communicate(timeout=300)
        assert (out, problems) == ("opened\n", "")
    with open_database(database_url, create=False) as database:
        assert rows_of(database, "raters") == 4
