"""``lablr bot``: what it says when it cannot run."""

from __future__ import annotations

import sys

from click.testing import CliRunner
from telegram_server import TOKEN

from lablr.cli import main


def test_without_the_extra_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "telegram", None)
    for name in [name for name in sys.modules if name.startswith("lablr.bot.")]:
        monkeypatch.delitem(sys.modules, name)
    done = CliRunner().invoke(main, ["bot"], env={"LABLR_BOT_TOKEN": TOKEN})
    assert done.exit_code == 1
    assert done.stderr == (
        "lablr: error: 'pip install lablr[bot]' is needed to answer on Telegram\n"
    )
