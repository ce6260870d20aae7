"""``lablr bot`` as a process: stopped by signals, and killed."""

from __future__ import annotations

import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bot_here import telegram  # noqa: F401
from command_line import environment, start_lablr
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


def stop(process: subprocess.Popen[str], number: int) -> None:
    """Send a signal, upon which it ends well and says nothing more."""
    process.send_signal(number)
    out, err = process.communicate(timeout=240)
    assert (process.returncode, out, err) == (0, "", "")


def test_a_signal_stops_it_in_good_order(telegram, tmp_path, china_jpg):
    with bot_process(telegram, tmp_path) as process:
        (sent,) = telegram.answers_to(telegram.send_photo(china_jpg.read_bytes()))
        assert sent.picture
        stop(process, signal.SIGTERM)
    assert telegram.confirmed == 1001
    # of the photo nothing is left
    assert [path.name for path in tmp_path.iterdir()] == ["state"]
    assert (tmp_path / "state").read_text() == "1000\n"


def test_killed_it_answers_every_photo_once(telegram, tmp_path, china_jpg):
    """Before its answer is on its way it is begun anew, after it is not."""
    asked = telegram.send_photo(china_jpg.read_bytes())
    for moment in ("file", "sendPhoto"):
        processes: list[subprocess.Popen[str]] = []
        held = threading.Event()

        def kill(method: str, moment=moment, processes=processes, held=held) -> None:
            if method == moment:
                held.wait(240)
                processes[0].kill()

        telegram.before = kill
        with bot_process(telegram, tmp_path) as process:
            processes.append(process)
            held.set()
            assert process.wait(timeout=240) == -signal.SIGKILL
    telegram.before = lambda method: None
    with bot_process(telegram, tmp_path) as process:
        last = telegram.say("/help")
        sent = telegram.answers_to(asked, last)
        stop(process, signal.SIGINT)
    assert [answer.answers for answer in sent] == [asked, last]


def test_a_token_in_no_message(lablr_process, telegram, tmp_path):
    telegram.fault = lambda method, n_before: (404, f"no /bot{TOKEN}/".encode())
    env = {"LABLR_BOT_URL": telegram.url, "LABLR_BOT_STATE": str(tmp_path / "state")}
    done = lablr_process("bot", env={**env, "LABLR_BOT_TOKEN": TOKEN})
    assert done.returncode == 1
    assert done.stderr == b"lablr: error: the Bot API refuses the token\n"
    wrong = lablr_process("bot", env={"LABLR_BOT_TOKEN": f"{TOKEN}!"})
    assert wrong.returncode == 1
    assert secret_part(TOKEN).encode() not in wrong.stdout + wrong.stderr
