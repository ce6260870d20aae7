"""``lablr bot`` as a process: started, stopped, killed, without its extra."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from bot_here import telegram  # noqa: F401
from command_line import environment, run_code, start_lablr
from telegram_server import TOKEN, USERNAME

from lablr.bot.redaction import secret_part


@contextmanager
def bot_process(server, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """``lablr bot``, answering; its state is in `folder`."""
    settings = environment(
        LABLR_BOT_TOKEN=TOKEN,
        LABLR_BOT_URL=server.url,
        LABLR_BOT_STATE=folder / "state",
        TMPDIR=folder,
    )
    with start_lablr("bot", env=settings, text=True) as process:
        try:
            first = process.stderr.readline()
            assert first == f"lablr: answering as @{USERNAME} (stop with Ctrl-C)\n"
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_in_good_order(telegram, tmp_path, china_jpg, number):
    with bot_process(telegram, tmp_path) as process:
        (sent,) = telegram.answers_to(telegram.send_photo(china_jpg.read_bytes()))
        assert sent.picture
        process.send_signal(number)
        out, err = process.communicate(timeout=240)
    assert (process.returncode, out) == (0, "")
    assert err == ""
    assert telegram.confirmed == 1001
    # of the photo nothing is left
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    assert (tmp_path / "state").read_text() == "1000\n"


@pytest.mark.parametrize("moment", ["file", "sendPhoto"])
def test_killed_it_answers_every_photo_once(telegram, tmp_path, china_jpg, moment):
    """Before its answer is on its way it is begun anew, after it is not."""
    processes = []

    def kill(method: str) -> None:
        if method == moment and processes:
            processes.pop().kill()

    telegram.before = kill
    with bot_process(telegram, tmp_path) as process:
        processes.append(process)
        asked = telegram.send_photo(china_jpg.read_bytes())
        assert process.wait(timeout=240) == -signal.SIGKILL
    with bot_process(telegram, tmp_path):
        last = telegram.say("/help")
        sent = telegram.answers_to(asked, last)
    assert [answer.answers for answer in sent] == [asked, last]


def test_a_token_in_no_message(run_lablr, telegram, tmp_path):
    telegram.fault = lambda method, n_before: (404, f"no /bot{TOKEN}/".encode())
    env = {"LABLR_BOT_URL": telegram.url, "LABLR_BOT_STATE": str(tmp_path / "state")}
    done = run_lablr("bot", env={**env, "LABLR_BOT_TOKEN": TOKEN})
    assert done.returncode == 1
    assert done.stderr == b"lablr: error: the Bot API refuses the token\n"
    wrong = run_lablr("bot", env={**env, "LABLR_BOT_TOKEN": f"{TOKEN}!"})
    assert wrong.returncode == 1
    assert secret_part(TOKEN).encode() not in wrong.stderr


def test_without_the_extra_it_says_what_to_install(tmp_path):
    code = (
        "import sys; sys.modules['telegram'] = None\n"
        "from lablr.cli import main; main(['bot'])"
    )
    done = run_code(code, cwd=tmp_path, LABLR_BOT_TOKEN=TOKEN)
    assert done.returncode == 1
    assert done.stderr == (
        b"lablr: error: 'pip install lablr[bot]' is needed to answer on Telegram\n"
    )
