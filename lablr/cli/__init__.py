"""The ``lablr`` command; the only place that prints, and turns errors into messages.

One module per command, named after it. What a command needs of the library is imported
when the command runs, so that ``lablr --help`` answers at once.
"""

from __future__ import annotations

from importlib import import_module

import click

from lablr import __version__
from lablr.cli.messages import LablrGroup

COMMANDS = (
    *("bot", "combine", "compare", "credits", "desk", "download", "evaluate", "export"),
    *("fit", "index", "label", "learn", "map", "push", "resize", "results", "search"),
    *("serve", "suggest", "tags", "thresholds", "train", "why", "write"),
)


@click.group(
    cls=LablrGroup,
    context_settings={"help_option_names": ["-h", "--help"], "show_default": True},
)
@click.version_option(__version__, prog_name="lablr", message="%(prog)s %(version)s")
def main() -> None:
    """Suggest tags for photos, out of the tags that people use on Flickr.

    \b
    Examples:
      lablr suggest photo.jpg
      lablr serve --port 8000

    Results go to standard output, all else to standard error. The exit code is 0
    when everything was done, 1 when something failed, 2 when the command line is
    wrong and 130 after Ctrl-C.
    """


for _name in COMMANDS:
    main.add_command(getattr(import_module(f"lablr.cli.{_name}"), f"{_name}_command"))
