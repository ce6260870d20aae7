"""The ``lablr`` command in processes of its own: streams, signals, disks that are full.

Everything else of it is tested in the process of the tests: tests/integration/cli.
"""

from __future__ import annotations

import json
import os
import re
import resource
import shutil
import signal
from urllib.request import urlopen

import pytest
from command_line import environment, run_code, start_lablr
from label_makers import bundle, many_lines, model, wait_for_bytes  # noqa: F401
from photo_makers import jpeg

FULL = """
import resource, sys
from lablr.cli import main
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2)
main(sys.argv[2:])
"""


def test_the_version(lablr_process):
    done = lablr_process("--version")
    assert (done.stdout, done.stderr) == (b"lablr 0.1.0\n", b"")


@pytest.mark.alone
def test_help_answers_at_once():
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = run_code("import sys, lablr.cli; print(*sys.modules)")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    loaded = set(done.stdout.decode().split())
    assert not {"numpy", "PIL", "onnxruntime", "flask"} & loaded
    # Of the processor, not of the clock: other programs run on this machine.
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert seconds < 0.3


# --- streams


def test_a_photo_comes_by_standard_input(lablr_process, model, china_jpg):
    words = ("suggest", "--json", "--bundle", model)
    by_name = lablr_process(*words, china_jpg)
    by_stdin = lablr_process(*words, "-", stdin=china_jpg.read_bytes())
    expected = {**json.loads(by_name.stdout), "photo": "-"}
    assert json.loads(by_stdin.stdout) == expected


def test_names_that_are_not_utf8(lablr_process, model, china_jpg, tmp_path):
    name = os.fsencode(tmp_path) + b"/caf\xe9\x1b[31m.jpg"
    shutil.copy(china_jpg, name)
    words = ("suggest", "--bundle", model, name)
    record = json.loads(lablr_process(*words, "--json").stdout)
    assert os.fsencode(record["photo"]) == name
    table = lablr_process(*words).stdout
    assert table.startswith(f"{tmp_path}/caf��[31m.jpg\n".encode())


def test_a_terminal_without_unicode(lablr_process, model, china_jpg):
    encoding = {"PYTHONIOENCODING": "latin-1"}
    done = lablr_process("suggest", "--bundle", model, china_jpg, env=encoding)
    assert done.returncode == 0
    assert b"?" in done.stdout


@pytest.mark.parametrize("command", ["suggest", "label"])
def test_it_is_quiet_when_its_reader_leaves(model, china_jpg, tmp_path, command):
    photos = {"suggest": [china_jpg] * 40, "label": [many_lines(tmp_path, 200)]}
    words = [command, *photos[command], "--bundle", model, "-k", "0"]
    with start_lablr(*words) as process:
        assert process.stdout.readline()
        process.stdout.close()
        said = process.stderr.read()
    assert process.returncode == 1
    # label names bad lines; neither complains that nobody reads
    assert b"Traceback" not in said
    assert b"Broken pipe" not in said
    assert command == "label" or said == b""


def test_without_its_extra_every_command_names_it(tmp_path):
    code = """
import sys
sys.modules["sqlalchemy"] = None
from lablr.cli import main
for words in sys.argv[1:]:
    try:
        main(words.split())
    except SystemExit as end:
        print(end.code)
"""
    commands = [
        "results",
        "thresholds --youden",
        "export",
        "learn --dry-run",
        "serve --judge judgements.sqlite --port 0",
    ]
    done = run_code(code, *commands, cwd=tmp_path)
    needed = b"'pip install lablr[judge]' is needed to keep judgements in a database"
    assert done.stderr == b"lablr: error: %s\n" % needed * len(commands)
    assert {*done.stdout.split()} == {b"1"}


# --- disks that take no more


def test_a_map_that_cannot_be_written_leaves_the_old_one(tmp_path):
    out = tmp_path / "map.png"
    out.write_bytes(b"the old one")
    done = run_code(FULL, 9000, "map", "--out", out)
    assert done.returncode == 1
    assert b"File too large" in done.stderr
    assert out.read_bytes() == b"the old one"
    assert list(tmp_path.iterdir()) == [out]


def test_labels_that_cannot_be_written_can_be_gone_on_with(run_lablr, model, tmp_path):
    source, out = many_lines(tmp_path / "in", 200), tmp_path / "out.csv"
    words = ("label", source, "--bundle", model, "-o")
    done = run_code(FULL, 30_000, *words, out)
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
    assert b"out.csv.journal: cannot be written: " in done.stderr
    resumed = run_lablr(*words, out, "--resume", "--json")
    assert 0 < json.loads(resumed.stdout)["resumed"] < 200
    (tmp_path / "whole").mkdir()
    run_lablr(*words, tmp_path / "whole/out.csv")
    assert (tmp_path / "whole/out.csv").read_bytes() == out.read_bytes()


# --- Ctrl-C


def test_serve_answers_until_ctrl_c():
    with start_lablr("serve", "--port", "0") as process:
        try:
            said = process.stderr.readline().decode()
            address = re.fullmatch(
                r"lablr: serving on (http://127\.0\.0\.1:\d+) .*\n", said
            )[1]
            with urlopen(f"{address}/readyz", timeout=30) as answer:
                assert answer.status == 200
            process.send_signal(signal.SIGINT)
            rest = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, rest) == (0, (b"", b""))


def test_label_says_how_to_go_on(run_lablr, model, tmp_path):
    source, out = many_lines(tmp_path / "in", 2000), tmp_path / "out.csv"
    words = ("label", "-", "-o", out, "--bundle", model)
    process = start_lablr(*words)
    process.stdin.write(source.read_bytes())  # and more may come: it cannot finish
    process.stdin.flush()
    wait_for_bytes(tmp_path / "out.csv.journal", 20_000, process)
    process.send_signal(signal.SIGINT)
    printed, said = process.communicate()
    assert (process.returncode, printed) == (130, b"")
    assert said.decode().splitlines() == [
        "lablr: the same command with --resume goes on",
        "lablr: stopped; nothing that was finished is lost",
    ]
    assert not out.exists()
    lines = (tmp_path / "out.csv.journal").read_bytes()
    assert lines.endswith(b"\n")
    assert len(list(map(json.loads, lines.splitlines()))) > 2
    assert b"give --resume to go on" in run_lablr(*words).stderr


def test_write_says_how_to_undo(run_lablr, tmp_path):
    photos = [tmp_path / f"{number}.jpg" for number in range(40)]
    for photo in photos:
        photo.write_bytes(jpeg())
    state = {"LABLR_STATE": str(tmp_path / "state")}
    words: tuple[object, ...] = ("write", *photos, "--tags", "sea")
    with start_lablr(*words, env=environment(**state)) as process:
        assert process.stdout.readline().endswith(b"0.jpg: written\n")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
    assert process.returncode == 130
    assert b"lablr: attempted " in said
    run = json.loads(run_lablr("write", "--runs", "--json", env=state).stdout)["run"]
    assert f"to undo it: lablr write --undo {run}\n".encode() in said
    assert run_lablr("write", "--undo", run, env=state).returncode == 0
    assert {photo.read_bytes() for photo in photos} == {jpeg()}
