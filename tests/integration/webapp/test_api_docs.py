"""docs/api.md: its examples run against a real server, its tables are complete."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from serving import ROOT, Server, running_server
from small_app import small_server

from webapp.http.errors import CODES

BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
DOCS = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
TOKEN = "fjord-27"  # noqa: S105
ADDRESS = "http://127.0.0.1:8000"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

playwright = pytest.importorskip("playwright.sync_api")


def blocks(language: str) -> list[str]:
    return [text for found, text in BLOCK.findall(DOCS) if found == language]


@pytest.fixture(scope="module")
def server(tmp_path_factory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("server")
    with running_server(folder, LABLR_API_TOKEN="") as running:
        yield running


@pytest.fixture
def folder(tmp_path, china_jpg, flower_jpg) -> Path:
    """A working folder with the photos that the examples name."""
    shutil.copy(china_jpg, tmp_path / "photo.jpg")
    shutil.copy(flower_jpg, tmp_path / "other.jpg")
    # an answer that is an error must not pass for an example that works
    (tmp_path / ".curlrc").write_text("fail-with-body\nsilent\nshow-error\n")
    return tmp_path


def run(words: list[str], folder: Path) -> str:
    environment = {**os.environ, "CURL_HOME": str(folder), "LABLR_API_TOKEN": TOKEN}
    done = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_there_are_examples():
    assert len(blocks("sh")) >= 5
    assert len(blocks("python")) == len(blocks("js")) == 1


@pytest.mark.parametrize("block", blocks("sh"))
def test_a_console_example_runs(block, server, folder):
    typed = block.replace(ADDRESS, server.url)
    printed = run(["bash", "-euo", "pipefail", "-c", typed], folder)
    assert printed.strip()
    if "curl" in block:
        assert "error" not in json.loads(printed)


def test_the_token_example_needs_its_token(folder, tmp_path_factory):
    (block,) = [block for block in blocks("sh") if "Authorization" in block]
    temporary = tmp_path_factory.mktemp("closed")
    with small_server(temporary, LABLR_API_TOKEN=TOKEN) as closed:
        typed = block.replace(ADDRESS, closed.url)
        assert json.loads(run(["bash", "-euc", typed], folder))["tags"]
        with pytest.raises(AssertionError, match="unauthorized"):
            run(["bash", "-euc", typed.replace("Bearer", "Basic")], folder)


def test_the_python_example_runs(server, folder):
    (code,) = blocks("python")
    command = [sys.executable, "-W", "error", "-c", code.replace(ADDRESS, server.url)]
    *lines, ranked = run(command, folder).splitlines()
    assert len(lines) == 5
    assert all(re.fullmatch(r"\d+% \S+", line) for line in lines)
    assert ranked.startswith("['")
    shutil.copy(ROOT / "README.md", folder / "photo.jpg")
    with pytest.raises(AssertionError, match="unsupported_photo: "):
        run(command, folder)


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_the_javascript_example_runs(server, china_jpg):
    (code,) = blocks("js")
    call = f"""async (photo) => {{
      {code.replace(ADDRESS, server.url)}
      const bytes = Uint8Array.from(atob(photo), (sign) => sign.charCodeAt(0));
      return suggest(new Blob([bytes]), "k=3").catch((error) => error.message);
    }}"""
    photo = base64.b64encode(china_jpg.read_bytes()).decode()

    def ask() -> tuple[Any, Any]:
        with playwright.sync_playwright() as running:
            browser = running.chromium.launch(
                executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"]
            )
            page = browser.new_page()
            page.goto(f"{server.url}/livez")
            answers = (
                page.evaluate(call, photo),
                page.evaluate(call, base64.b64encode(b"text").decode()),
            )
            browser.close()
        return answers

    # In a thread: another browser of this process may hold this one's event loop.
    with ThreadPoolExecutor(1) as thread:
        answer, refusal = thread.submit(ask).result()
    assert len(answer["tags"]) == 3
    assert refusal.startswith("unsupported_photo: ")


def test_the_json_examples_have_the_answers_keys(server, folder):
    one, many, why, tags, _ = (json.loads(block) for block in blocks("json"))

    def ask(*words: str) -> dict:
        return json.loads(run(["curl", *words], folder))

    found = ask("-F", "photo=@photo.jpg", f"{server.url}/api/v1/suggestions?map=1")
    assert set(one) == set(found)
    assert set(one["tags"][0]) == set(found["tags"][0])
    assert set(one["map"]) == set(found["map"])
    assert set(one["map"]["circles"][0]) == set(found["map"]["circles"][0])
    (folder / "other.jpg").write_text("text")
    two = ["-F", "photo=@photo.jpg", "-F", "photo=@other.jpg"]
    results = ask(*two, f"{server.url}/api/v1/suggestions/batch")["results"]
    for example, result in zip(many["results"], results, strict=True):
        assert set(example) == set(result)
    assert set(tags) == set(ask(f"{server.url}/api/v1/tags"))
    address = f"{server.url}/api/v1/explanations?tag=building&saliency=1"
    (reason,) = ask("-F", "photo=@photo.jpg", address)["explanations"]
    assert set(why["explanations"][0]) == set(reason)


def test_every_error_is_listed():
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \|", DOCS, re.MULTILINE)
    listed = {(int(status), code) for status, code in rows}
    assert listed == {
        (status, code) for status, codes in CODES.items() for code in codes
    }


def test_every_metric_is_listed(client):
    found = re.findall(
        r"^# TYPE (lablr_\w+)", client.get("/metrics").text, re.MULTILINE
    )
    listed = re.findall(r"^\| `(lablr_\w+)", DOCS, re.MULTILINE)
    assert {name for name in found if not name.endswith("_created")} == set(listed)


def test_every_parameter_is_listed(client):
    document = client.get("/api/v1/openapi.json").json
    described = [
        parameter["name"]
        for path in ("suggestions", "explanations")
        for parameter in document["paths"][f"/api/v1/{path}"]["post"]["parameters"]
    ]
    listed = re.findall(r"^\| `([a-z]+)` \|", DOCS, re.MULTILINE)
    assert described == listed
