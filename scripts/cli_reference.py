#!/usr/bin/env python3
"""Write docs/cli.md from the commands' ``--help`` (``make docs``)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from lablr.cli import main

PAGE = Path(__file__).parent.parent / "docs" / "cli.md"

HEADING = """\
# The `lablr` command

Written by `make docs` from `lablr --help`; a test holds it current.
"""


def reference() -> str:
    """Return the whole page, as it should be."""
    sections = [
        f"## `{context.command_path}`\n\n```text\n{context.get_help()}\n```\n"
        for context in _contexts()
    ]
    return "\n".join([HEADING, *sections])


def _contexts() -> Iterator[click.Context]:
    """Yield the group's context, then every command's in order of its name."""
    group = click.Context(
        main, info_name="lablr", terminal_width=80, **main.context_settings
    )
    yield group
    for name in main.list_commands(group):
        command = main.commands[name]
        yield click.Context(command, parent=group, info_name=name, terminal_width=80)


if __name__ == "__main__":
    PAGE.write_text(reference(), encoding="utf-8")
