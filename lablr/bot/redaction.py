"""Secrets masked in every log record, whichever library makes it.

The Bot API's addresses contain the token: httpx logs each at INFO, a proxy repeats it
in its error page, python-telegram-bot logs that page and puts the token into an
exception. So every record is searched where it is made.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

MASK = "***"
# Their messages must not reach standard error by Python's handler of last resort.
LIBRARIES = ("httpcore", "httpx", "telegram", "tornado")


def secret_part(token: str) -> str:
    """Return a token's part behind the colon, which an address may write ``%3A``."""
    return token.partition(":")[2]


def masked(text: str, *secrets: str) -> str:
    """Return a text with ``***`` in place of every secret."""
    for secret in secrets:
        text = text.replace(secret, MASK)
    return text


@contextmanager
def nothing_of(*secrets: str) -> Iterator[None]:
    """Mask secrets in all log records made meanwhile, tracebacks included."""
    make_before = logging.getLogRecordFactory()

    def make(*args: Any, **options: Any) -> logging.LogRecord:
        record = make_before(*args, **options)
        _hide(record, secrets)
        return record

    quiet = logging.NullHandler()
    for name in LIBRARIES:
        logging.getLogger(name).addHandler(quiet)
    logging.setLogRecordFactory(make)
    try:
        yield
    finally:
        logging.setLogRecordFactory(make_before)
        for name in LIBRARIES:
            logging.getLogger(name).removeHandler(quiet)


def _hide(record: logging.LogRecord, secrets: tuple[str, ...]) -> None:
    message = _message(record)
    if (hidden := masked(message, *secrets)) != message:
        record.msg, record.args = hidden, ()
    if record.exc_info and record.exc_info[1] is not None:
        text = logging.Formatter().formatException(record.exc_info)
        if (hidden := masked(text, *secrets)) != text:
            # A formatter takes the text when there is one.
            record.exc_info, record.exc_text = None, hidden


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except (TypeError, ValueError, KeyError):  # arguments that do not fit
        return f"{record.msg} {record.args}"
