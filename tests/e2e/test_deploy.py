"""What is in deploy/: the image's build is complete, the unit is right and tight."""

from __future__ import annotations

import configparser
import json
import random
import re
import shlex
import shutil
import socket
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import pytest
from judging_pages import stored
from rating_under_kills import Rater, stored_ratings
from serving import ROOT, running_server
from shipped import CONTAINERFILE, TOP_LEVEL, container_sources

from lablr.annotation.database.database import Database
from lablr.bot.running import GRACE_S
from lablr.cli.bot import bot_command
from lablr.cli.serve import serve_command
from webapp.http.secret_key import secret_file
from webapp.state.settings import Settings

UNIT = ROOT / "deploy" / "lablr.service"
BOT_UNIT = ROOT / "deploy" / "lablr-bot.service"
PROGRAM = "/opt/lablr/bin/lablr"


# --- The image ------------------------------------------------------------------------


def instructions() -> list[tuple[str, str]]:
    """(name, rest) of every instruction, continued lines joined."""
    lines = CONTAINERFILE.read_text().splitlines()
    text = "\n".join(line for line in lines if not line.startswith("#"))
    joined = text.replace("\\\n", " ")
    found = [line.partition(" ") for line in joined.splitlines() if line.strip()]
    return [(name, rest.strip()) for name, _, rest in found]


def given(name: str) -> str:
    """The rest of the last instruction of this name."""
    return [rest for found, rest in instructions() if found == name][-1]


def test_the_sources_are_in_the_source_distribution():
    assert set(container_sources()) <= set(TOP_LEVEL)  # see test_packaging.py


def test_the_build_sees_its_sources_and_no_more():
    lines = (ROOT / "deploy" / "Containerfile.dockerignore").read_text().splitlines()
    rules = [line for line in lines if not line.startswith("#")]
    assert rules[0] == "*"
    let_in = {rule[1:] for rule in rules if rule.startswith("!")}
    assert let_in == set(container_sources())


def test_the_image_runs_without_root():
    user, group = given("USER").split(":")
    assert int(user) > 1000
    assert int(group) > 1000
    names = [name for name, _ in instructions()]
    # what runs at build time runs before
    assert "RUN" not in names[names.index("USER") :]


def test_the_image_starts_a_command_that_exists():
    (program,) = json.loads(given("ENTRYPOINT"))
    assert program == PROGRAM
    command, *words = json.loads(given("CMD"))
    assert command == serve_command.name
    with serve_command.make_context(command, words) as context:
        assert context.params["host"] == "0.0.0.0"  # noqa: S104
        assert str(context.params["port"]) == given("EXPOSE")


# --- The unit -------------------------------------------------------------------------


def service_of(path: Path) -> configparser.SectionProxy:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(path)
    assert unit["Install"]["WantedBy"] == "multi-user.target"
    return unit["Service"]


@pytest.fixture(scope="module")
def service() -> configparser.SectionProxy:
    return service_of(UNIT)


def test_the_unit_leaves_time_to_stop(service):
    from lablr.cli.supervisor import GRACE_S
    from webapp.http.server import GRACE_S as WORKERS_GRACE_S

    assert int(service["TimeoutStopSec"]) > GRACE_S > WORKERS_GRACE_S
    assert re.fullmatch(r"\d+G", service["MemoryMax"])
    assert int(service["TasksMax"]) >= 64


def test_the_unit_starts_a_command_that_exists(service):
    program, command, *words = shlex.split(service["ExecStart"])
    assert program == PROGRAM
    assert command == serve_command.name
    with serve_command.make_context(command, words) as context:
        assert context.params["host"] == "127.0.0.1"


def test_what_judging_keeps_has_a_place_of_its_own(service, monkeypatch):
    """Nothing else is writable: see ProtectSystem."""
    words = dict(word.split("=", 1) for word in shlex.split(service["Environment"]))
    state = Path("/var/lib") / service["StateDirectory"]
    monkeypatch.setenv("XDG_STATE_HOME", words["XDG_STATE_HOME"])
    assert secret_file() == state / "secret-key"
    assert f"LABLR_DATABASE={state}/" in (ROOT / "docs" / "serve.md").read_text()


def is_healthy(port: int, timeout_s: float = 4) -> bool:
    """Say what the image's own health check says of a server on a port."""
    program, *words = json.loads(given("HEALTHCHECK").partition("CMD")[2])
    assert program == "/opt/lablr/bin/python"
    asked = [
        word.replace(":8000/", f":{port}/").replace("timeout=4", f"timeout={timeout_s}")
        for word in words
    ]
    assert asked != words
    done = subprocess.run(
        [sys.executable, *asked], capture_output=True, timeout=60, check=False
    )
    return done.returncode == 0


def test_a_silent_server_is_not_healthy():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert not is_healthy(silent.getsockname()[1], timeout_s=0.3)


def test_a_server_run_as_the_unit_does_is_healthy_and_writes_to_its_state_only(
    tmp_path, china_jpg
):
    """No home, and one folder for what judging keeps."""
    state = tmp_path / "lib"
    (state / "lablr").mkdir(parents=True)
    database = state / "lablr" / "judgements.sqlite"
    with Database(str(database)) as opened:
        stored(opened, [china_jpg], 1)
    places = {"HOME": "/nonexistent", "XDG_STATE_HOME": str(state)}
    (tmp_path / "temporary").mkdir()
    with running_server(
        tmp_path / "temporary", LABLR_DATABASE=str(database), **places
    ) as server:
        # four seconds are little on a machine that does much else
        assert any(is_healthy(server.port) for _ in range(10))
        rater = Rater(random.Random(0), server)
        rater.sign_in()
        rater.rate(1)
    with Database(str(database)) as opened:
        assert stored_ratings(opened) == rater.acknowledged
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lib", "temporary"]
    assert {path.name for path in (state / "lablr").iterdir()} == {
        "judgements.sqlite",
        "secret-key",
    }


def test_the_bots_unit_is_as_tight_but_lets_it_out(service):
    bot = service_of(BOT_UNIT)
    differ = {key for key in {*service, *bot} if service.get(key) != bot.get(key)}
    assert differ == {
        "Environment",
        "EnvironmentFile",
        "ExecStart",
        "IPAddressAllow",
        "IPAddressDeny",
        "RestartSec",
        "StateDirectory",
    }
    assert shlex.split(bot["ExecStart"]) == [PROGRAM, bot_command.name]
    assert f"/{bot['StateDirectory']}/" in bot["Environment"]
    assert int(bot["TimeoutStopSec"]) > GRACE_S
    assert "docs/bot.md" in BOT_UNIT.read_text()


@pytest.mark.parametrize("path", [UNIT, BOT_UNIT], ids=lambda path: path.name)
def test_systemd_finds_the_unit_right_and_tight(tmp_path, path):
    """Where systemd is; what it scores 0 exposes nothing, and 100 all."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        return
    program = tmp_path / "lablr"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / path.name
    unit.write_text(path.read_text().replace(PROGRAM, str(program)))
    security = ("security", "--offline=yes", "--threshold=15", "--no-pager")
    for words in (("verify",), security):
        done = subprocess.run(
            [analyze, *words, unit], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


# --- The guide ------------------------------------------------------------------------


def test_the_guide_names_every_setting_with_its_default():
    table = (ROOT / "docs" / "serve.md").read_text()
    rows = dict(re.findall(r"^\| `(LABLR_\w+)` \| ([^|]+) \|", table, re.MULTILINE))
    assert set(rows) == {f"LABLR_{field.name.upper()}" for field in fields(Settings)}
    for field in fields(Settings):
        if isinstance(field.default, int | float) and field.name != "max_running":
            assert rows[f"LABLR_{field.name.upper()}"] == f"{field.default:g}"


def test_the_guide_and_the_files_lead_to_each_other():
    guide = (ROOT / "docs" / "serve.md").read_text()
    for target in re.findall(r"\]\(([^)#]+)\)", guide):
        assert Path(ROOT / "docs" / target).exists(), target
    guide = (ROOT / "docs" / "bot.md").read_text()
    for target in re.findall(r"\]\((?!https:)([^)#]+)", guide):
        assert Path(ROOT / "docs" / target).exists(), target
    assert "docs/serve.md" in CONTAINERFILE.read_text()
    assert "docs/serve.md" in UNIT.read_text()
