"""The bot's settings, and that its token is in no log and no message."""

from __future__ import annotations

import io
import logging

import pytest
from bot_here import (
    SOCKETS_LEFT,
    running_bot,
)
from telegram_server import BOT_ID, TOKEN

from lablr.bot.redaction import masked, nothing_of, secret_part
from lablr.bot.settings import BotSettings, checked_url, read_token, state_file
from lablr.errors import BotError

PROXY_PAGE = b"<html>502: the address /bot" + TOKEN.encode() + b"/x is away</html>"

pytestmark = SOCKETS_LEFT


@pytest.fixture
def everything_logged():
    """Collect what all loggers of this process write, at every level."""
    stream, root = io.StringIO(), logging.getLogger()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s %(pathname)s"))
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield stream
    root.removeHandler(handler)
    root.setLevel(before)


def test_no_log_holds_the_token_or_the_secret(
    telegram, tagger, china_jpg, everything_logged
):
    telegram.fault = lambda method, n_before: (
        (502, PROXY_PAGE) if n_before == 0 else None
    )
    with running_bot(telegram, tagger):
        telegram.answers_to(telegram.send_photo(china_jpg.read_bytes()))
    with running_bot(telegram, tagger, webhook=telegram.url, port=0):
        secret = telegram.webhook["secret_token"]
    text = everything_logged.getvalue()
    # the library logs the addresses of its calls, and all that it sends
    assert f"HTTP Request: POST {telegram.url}/bot{BOT_ID}:***/sendPhoto" in text
    assert "Calling Bot API endpoint `setWebhook`" in text
    assert secret_part(TOKEN) not in text
    assert secret not in text


def test_tracebacks_are_looked_through_too(everything_logged):
    log = logging.getLogger("some.library")
    with nothing_of("s3cret"):
        try:
            raise ValueError("the address of s3cret")
        except ValueError:
            log.exception("failed")
        log.info("%s and %d", "s3cret", 5)
        log.info("s3cret %", *())
    log.info("s3cret, afterwards")
    text = everything_logged.getvalue()
    assert "ValueError: the address of ***" in text
    assert "*** and 5" in text
    assert text.count("s3cret") == 1


def test_the_token_is_not_shown():
    assert secret_part(TOKEN) not in repr(BotSettings(TOKEN))
    assert masked(f"bot{TOKEN}/x", secret_part(TOKEN)) == f"bot{BOT_ID}:***/x"


# --- settings


def test_the_token_comes_from_the_environment_or_a_private_file(tmp_path, monkeypatch):
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    file.chmod(0o600)
    other = "1:" + "x" * 35
    monkeypatch.delenv("LABLR_BOT_TOKEN", raising=False)
    monkeypatch.setenv("LABLR_BOT_TOKEN_FILE", str(file))
    assert read_token() == TOKEN
    monkeypatch.setenv("LABLR_BOT_TOKEN", other)
    assert read_token() == other
    assert read_token(file) == TOKEN
    file.chmod(0o640)
    with pytest.raises(BotError, match="others may read it"):
        read_token(file)
    with pytest.raises(BotError, match="No such file"):
        read_token(tmp_path / "none")


@pytest.mark.parametrize("token", ["x", "1:short", f"{TOKEN} {TOKEN}", f"bot{TOKEN}"])
def test_what_is_no_token_is_refused_without_repeating_it(token, monkeypatch):
    monkeypatch.setenv("LABLR_BOT_TOKEN", token)
    with pytest.raises(BotError, match="LABLR_BOT_TOKEN: this is not") as raised:
        read_token()
    assert token not in str(raised.value).partition("(")[0].split()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.org",
        "ftp://example.org",
        "http://",
        "http://user:pass@example.org",
        "http://example.org/?a",
        "http://example.org/#a",
        "http://example.org:port",
        "http://ex ample.org",
        "http://example.org/é",
        "http://[::1",
    ],
)
def test_an_address_that_cannot_work_is_refused(url):
    with pytest.raises(BotError, match=r"must be like https://") as raised:
        BotSettings(TOKEN, base_url=url)
    assert "pass" not in str(raised.value)


def test_addresses_that_work():
    for url in ("https://a.org", "http://127.0.0.1:80/b/", "http://[::1]:80"):
        assert checked_url("x", url) == url
    settings = BotSettings(TOKEN, base_url="http://a/b/")
    assert (settings.api_url, settings.file_url) == (
        "http://a/b/bot",
        "http://a/b/file/bot",
    )


def test_the_state_has_its_place(monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", "/s")
    assert state_file("5").as_posix() == "/s/lablr/bot-5"
