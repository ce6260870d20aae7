"""The ``lablr`` command; the only place that prints, and turns errors into messages.

One module per command. What a command needs of the library is imported when the
command runs, so that ``lablr --help`` answers at once.
"""

from __future__ import annotations

import click

from lablr import __version__
from lablr.cli.bot import bot_command
from lablr.cli.combine import combine_command
from lablr.cli.compare import compare_command
from lablr.cli.credits import credits_command
from lablr.cli.desk import desk_command
from lablr.cli.download import download_command
from lablr.cli.evaluate import evaluate_command
from lablr.cli.export import export_command
from lablr.cli.fit import fit_command
from lablr.cli.index import index_command
from lablr.cli.label import label_command
from lablr.cli.learn import learn_command
from lablr.cli.map import map_command
from lablr.cli.messages import LablrGroup
from lablr.cli.resize import resize_command
from lablr.cli.results import results_command
from lablr.cli.search import search_command
from lablr.cli.serve import serve_command
from lablr.cli.suggest import suggest_command
from lablr.cli.tags import tags_command
from lablr.cli.thresholds import thresholds_command
from lablr.cli.train import train_command
from lablr.cli.write import write_command

__all__ = ["main"]


@click.group(cls=LablrGroup, context_settings={"help_option_names": ["-h", "--help"]})
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


main.add_command(bot_command)
main.add_command(combine_command)
main.add_command(compare_command)
main.add_command(credits_command)
main.add_command(desk_command)
main.add_command(download_command)
main.add_command(evaluate_command)
main.add_command(export_command)
main.add_command(fit_command)
main.add_command(index_command)
main.add_command(label_command)
main.add_command(learn_command)
main.add_command(map_command)
main.add_command(resize_command)
main.add_command(results_command)
main.add_command(search_command)
main.add_command(serve_command)
main.add_command(suggest_command)
main.add_command(tags_command)
main.add_command(thresholds_command)
main.add_command(train_command)
main.add_command(write_command)
