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
import zipfile
from dataclasses import fields
from pathlib import Path

import pytest
from judging_pages import stored
from rating_under_kills import Rater, stored_ratings
from serving import ROOT, running_server
from shipped import NOT_SHIPPED, TOP_LEVEL

from lablr.annotation.database.database import Database
from lablr.bot.running import GRACE_S
from lablr.cli.bot import bot_command
from lablr.cli.serve import serve_command
from webapp.http.secret_key import secret_file
from webapp.http.settings import Settings

CONTAINERFILE = ROOT / "deploy" / "Containerfile"
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


def copied_sources() -> list[str]:
    """What the image takes from the repository."""
    copies = [rest.split() for name, rest in instructions() if name == "COPY"]
    return [
        source
        for words in copies
        if not words[0].startswith("--from=")
        for source in words[:-1]
    ]


def test_every_source_is_in_the_repository_and_the_source_distribution():
    sources = copied_sources()
    assert len(sources) > 5
    assert set(sources) <= set(TOP_LEVEL)  # which test_packaging.py finds in the sdist
    for source in sources:
        assert (ROOT / source).exists()


def test_the_build_sees_its_sources_and_no_more():
    lines = (ROOT / "deploy" / "Containerfile.dockerignore").read_text().splitlines()
    rules = [line for line in lines if not line.startswith("#")]
    assert rules[0] == "*"
    let_in = {rule[1:] for rule in rules if rule.startswith("!")}
    assert let_in == set(copied_sources())


def test_the_sources_are_enough_to_build_from(tmp_path):
    context, dist = tmp_path / "context", tmp_path / "dist"
    context.mkdir()
    for source in copied_sources():
        path = ROOT / source
        if path.is_dir():
            shutil.copytree(path, context / source, ignore=NOT_SHIPPED)
        else:
            shutil.copy(path, context)
    command = ["-m", "build", "--wheel", "--no-isolation", "--outdir", dist, context]
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    (wheel,) = dist.glob("*.whl")
    held = set(zipfile.ZipFile(wheel).namelist())
    files = {path.name for path in (ROOT / "artifacts").iterdir() if path.is_file()}
    assert {f"lablr/artifacts/{name}" for name in files} <= held
    assert {
        "lablr/cli/supervisor.py",
        "webapp/http/server.py",
        "webapp/static/css/base.css",
        "webapp/templates/photo.html",
    } <= held


def test_what_is_installed_is_pinned():
    (install,) = (rest for name, rest in instructions() if name == "RUN")
    assert (
        "pip install --no-cache-dir --compile -c constraints.txt '.[judge]' " in install
    )
    # what `make serve` installs to read texts
    (text,) = re.findall(r"^TEXT := (.*)$", (ROOT / "Makefile").read_text(), re.M)
    assert f" -c constraints.txt --no-deps {text} " in " ".join(install.split())
    # constraints.txt speaks of this Python
    assert re.search(r"\bpython:3\.1[1-9]", given("ARG"))


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


def test_the_health_check_tells_life_from_death(tmp_path):
    asked = json.loads(given("HEALTHCHECK").partition("CMD")[2])
    assert asked[0] == "/opt/lablr/bin/python"

    def status(port: int) -> int:
        words = [word.replace(":8000/", f":{port}/") for word in asked[1:]]
        assert words != asked[1:]
        done = subprocess.run(
            [sys.executable, *words], capture_output=True, timeout=60, check=False
        )
        return done.returncode

    with running_server(tmp_path) as server:
        # four seconds are little on a machine that does much else
        assert 0 in (status(server.port) for _ in range(10))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert status(silent.getsockname()[1]) != 0


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


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("DynamicUser", "yes"),
        ("StateDirectoryMode", "0700"),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "yes"),
        ("PrivateTmp", "yes"),
        ("PrivateDevices", "yes"),
        ("NoNewPrivileges", "yes"),
        ("CapabilityBoundingSet", ""),
        ("MemoryDenyWriteExecute", "yes"),
        ("RestrictNamespaces", "yes"),
        ("SystemCallArchitectures", "native"),
        ("IPAddressDeny", "any"),
        ("Restart", "on-failure"),
        ("OOMPolicy", "continue"),
        ("KillMode", "mixed"),
    ],
)
def test_the_unit_is_hardened(service, key, value):
    assert service[key] == value


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


def test_judging_needs_no_other_place(tmp_path, china_jpg):
    """The server as the unit runs it: no home, and one folder for its state."""
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


@pytest.mark.parametrize("UNIT", [UNIT, BOT_UNIT], ids=lambda path: path.name)
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path, UNIT):
    """Where systemd is; the tests above hold the unit where it is not."""
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        return
    program = tmp_path / "lablr"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace(PROGRAM, str(program)))
    done = subprocess.run(
        [analyze, "verify", unit], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


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
