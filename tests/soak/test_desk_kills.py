"""kill -9 of the desk while somebody works at it: nothing acknowledged is lost."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from desk_makers import folder, small_model, state
from serving import Server, running_server, wait_for_end

__all__ = ["folder", "small_model", "state"]

N_KILLS = 3
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def server(folder: Path, small_model: str, state: Path, tmp_path) -> Iterator[Server]:
    """``lablr desk FOLDER``, by its own command."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    words = ("-W", "error", "-m", "lablr", "desk", str(folder), "--port", "0")
    command = (sys.executable, *words)
    with running_server(temporary, command, LABLR_BUNDLE=small_model) as server:
        yield server
    assert list(temporary.iterdir()) == []


def ask(server: Server, path: str, given: Any = None) -> Any:
    method = "GET" if given is None else "POST"
    body = None if given is None else json.dumps(given)
    status, _, answer = server.request(method, f"/desk/{path}", body, JSON)
    assert status == 200, answer
    return answer


def photos(server: Server) -> dict[str, dict[str, Any]]:
    found = json.loads(ask(server, "photos"))["photos"]
    return {photo["name"]: photo for photo in found}


def kill(server: Server) -> None:
    worker = server.worker()
    ended = os.pidfd_open(worker)
    try:
        os.kill(worker, signal.SIGKILL)
        wait_for_end(ended)
    finally:
        os.close(ended)


def begin(server: Server, path: str, given: Any) -> http.client.HTTPConnection:
    """Send a request and wait for no answer."""
    connection = server.connect()
    connection.request("POST", f"/desk/{path}", json.dumps(given), JSON)
    return connection


def test_no_kill_loses_a_step_or_doubles_one(server):
    number = photos(server)["china.jpg"]["id"]
    acknowledged, under_way = [], set()
    for life in range(N_KILLS):
        for n in range(3):
            tag = f"{life} {n}"
            ask(server, "steps", {"photos": [number], "type": [tag]})
            acknowledged.append(tag)
        under_way.add(f"{life} cut")
        step = {"photos": [number], "type": [f"{life} cut"]}
        connection = begin(server, "steps", step)
        kill(server)
        connection.close()
    kept = photos(server)["china.jpg"]["typed"]
    assert [tag for tag in kept if tag not in under_way] == acknowledged
    assert len(kept) == len({*kept})
    said = [json.loads(ask(server, "undo", {}))["said"] for _ in kept]
    assert said == [f"typed {tag} on 1 photo" for tag in reversed(kept)]
    assert photos(server)["china.jpg"]["typed"] == []


def test_a_kill_between_two_files_leaves_nothing_half_done(server, folder):
    for n in range(8):
        shutil.copy(folder / "china.jpg", folder / f"copy-{n}.jpg")
    files = [path for path in folder.rglob("*.*") if path.is_file()]
    before = {path: path.read_bytes() for path in files}
    ids = [photo["id"] for photo in photos(server).values()]
    ask(server, "steps", {"photos": ids, "type": ["beach"]})
    connection = begin(server, "write", {"photos": None})
    first = json.loads(connection.getresponse().readline())
    kill(server)
    connection.close()
    assert first["status"] == "written"
    shown = photos(server)
    assert shown[first["name"]]["written"] == ["beach"]
    *_, total = map(json.loads, ask(server, "write", {"photos": None}).splitlines())
    assert total["n_failed"] == 0
    assert all(one["written"] == ["beach"] for one in photos(server).values())
    assert {*folder.rglob("*.partial")} == set()
    while any(path.read_bytes() != before[path] for path in files):
        *lines, _ = map(json.loads, ask(server, "write/undo", {}).splitlines())
        assert {line["status"] for line in lines} <= {"restored", "unchanged"}
    assert all(one["written"] == [] for one in photos(server).values())
