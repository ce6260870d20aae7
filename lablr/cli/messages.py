"""Errors become messages and exit codes.

====  ==========================================================
exit  meaning
====  ==========================================================
0     everything asked for was done
1     something failed: one line ``lablr: error: ...`` on stderr
2     the command line is wrong: the usage is shown
130   stopped with Ctrl-C
====  ==========================================================
"""

from __future__ import annotations

import errno
import io
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import click

from lablr.errors import LablrError


class LablrGroup(click.Group):
    """A group of commands whose errors end as one line on standard error."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was named; errors become messages here only."""
        _print_what_cannot_be_encoded()
        try:
            with _warnings_shown():
                return super().invoke(ctx)
        except LablrError as error:
            fail(str(error))
        except KeyboardInterrupt:
            print_message("stopped; nothing that was finished is lost")
            raise click.exceptions.Exit(130) from None
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise  # The reader, such as `head`, has seen enough; click is quiet.
            name = "" if error.filename is None else f"{shown(str(error.filename))}: "
            fail(f"{name}{error.strerror or error}")


def fail(message: str) -> NoReturn:
    """Print an error and end the command with exit code 1."""
    print_message(f"error: {message}")
    raise click.exceptions.Exit(1) from None


def print_message(message: str) -> None:
    """Write one line to standard error, after the name of the program."""
    click.echo(f"lablr: {message}", err=True)


def shown(name: str) -> str:
    """Return a file name as it is safe to print.

    Bytes that are not UTF-8 and control characters, which could move the cursor
    or colour the terminal, become the replacement character. The two joiners that
    Persian and Indian words are written with stay.
    """
    kept = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
    return "".join(
        c if c.isprintable() or c in kept else "\N{REPLACEMENT CHARACTER}" for c in name
    )


class _Line(logging.Formatter):
    """A log record as a message; the library names photos in its warnings."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802
        return f"lablr: {shown(record.message)}"


@contextmanager
def _warnings_shown() -> Iterator[None]:
    """Show on standard error what the library logs as a warning or worse."""
    log = logging.getLogger("lablr")
    handler = logging.StreamHandler()
    handler.setFormatter(_Line())
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


def _print_what_cannot_be_encoded() -> None:
    """Let a terminal without Unicode show ``?`` where it cannot show a character."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
