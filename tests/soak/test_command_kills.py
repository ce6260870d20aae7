"""Commands that are killed again and again: nothing is lost, doubled or torn."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from random import Random

from command_line import start_lablr
from download_makers import Client, start_download
from flickr_client import Clock, clock, flickr  # noqa: F401
from flickr_server import KEY, SECRET, Album, kill_at_random, kill_once, serving
from label_makers import files_of, many_lines, model, wait_for_bytes  # noqa: F401
from push_makers import finish, folder, more_photos, own_photo, raws, start  # noqa: F401

from lablr.flickr.search import SearchConfig


def test_killed_at_ten_random_moments_nothing_is_lost_doubled_or_torn(
    clock: Clock, tmp_path: Path, monkeypatch
):
    client, config = Client(tmp_path, clock), SearchConfig(110, licenses="4")
    with serving(Album(350)) as server:
        monkeypatch.setenv("LABLR_FLICKR_URL", server.url)
        n_photos = client.download("whole", config=config)["ok"]
        words = ("--per-tag", "110", "--threads", "2")
        kill_at_random(
            lambda: start_download(tmp_path, server, *words), server, 10, n_photos
        )
        with (tmp_path / "killed/journal.jsonl").open("ab") as file:
            file.write(b'{"id":"1007","outco')
        last = start_download(tmp_path, server, *words)
        output, errors = last.communicate()
    assert last.returncode == 0, errors
    assert b"attempted" in output
    assert client.files("killed") == client.files("whole")
    assert KEY.encode() not in output + errors
    for path in (tmp_path / "killed").rglob("*"):
        assert path.is_dir() or SECRET.encode() not in path.read_bytes()


def test_killed_at_random_moments_and_resumed_is_as_never_killed(
    run_lablr,
    model,
    tmp_path,
):
    source = many_lines(tmp_path / "in", 1500)
    (tmp_path / "whole").mkdir()
    (tmp_path / "killed").mkdir()
    whole, out = tmp_path / "whole/out.csv", tmp_path / "killed/out.csv"
    words = ("label", source, "--bundle", model, "-o")
    done = run_lablr(*words, whole, "--json")
    expected = {**json.loads(done.stdout), "resumed": 0}
    journal = out.with_name("out.csv.journal")
    rng, target, n_killed = Random(1), 0, 0
    for _ in range(5):
        process = start_lablr(*words, out, "--resume")
        wait_for_bytes(journal, target, process)
        process.kill()
        process.communicate()
        n_killed += process.returncode == -signal.SIGKILL
        if not journal.exists():
            break
        target = journal.stat().st_size + rng.randrange(80_000)
        assert not out.exists()
    assert n_killed >= 1
    with journal.open("ab") as file:  # as a write that was cut off leaves it
        file.write(b'[{"id":"7","li')
    done = run_lablr(*words, out, "--resume", "--json")
    assert done.returncode == 1
    counts = json.loads(done.stdout)
    assert counts.pop("resumed") % 16 == 0
    assert {**counts, "resumed": 0} == expected
    assert files_of(tmp_path / "killed") == files_of(tmp_path / "whole")


def test_killed_at_random_moments_every_tag_is_there_once_and_can_be_undone(
    folder, flickr
):
    chance, ids = Random(5), more_photos(flickr, 4)
    first = {photo: raws(flickr, photo) for photo in ids}
    wanted = [json.dumps({"flickr_id": i, "tags": ["sky", "a dog"]}) for i in ids]
    (folder / "wanted.jsonl").write_text("\n".join(wanted))
    words = ["--from", "wanted.jsonl"]
    carried_out: list[str] = []
    flickr.carried_out = carried_out.append

    def kill(n_more: int, *words: str) -> int:
        later_s = chance.choice((0.0, chance.uniform(0, 0.005)))
        moment = flickr.n_requests + chance.randint(1, 4) + n_more
        return kill_once(lambda: start(folder, flickr, *words), flickr, moment, later_s)

    n_killed = 0
    while (n_done := sum(len(raws(flickr, i)) == 3 for i in ids)) < len(ids):
        n_killed += kill(n_done, *words) == -signal.SIGKILL
    assert n_killed >= 3
    assert finish(start(folder, flickr, *words))[0] == 0
    assert all(raws(flickr, i) == [*first[i], "sky", "a dog"] for i in ids)
    assert carried_out.count("flickr.photos.addTags") == len(ids)
    own_photo(flickr, ids[2]).tags["7-mine"] = "mine"
    first[ids[2]].append("mine")
    n_killed = 0
    while any("sky" in raws(flickr, i) for i in ids):
        n_killed += kill(0, "--undo") == -signal.SIGKILL
    assert n_killed >= 3
    while finish(start(folder, flickr, "--undo"))[0] == 0:
        pass
    assert {i: raws(flickr, i) for i in ids} == first
    assert carried_out.count("flickr.photos.removeTag") == 2 * len(ids)
