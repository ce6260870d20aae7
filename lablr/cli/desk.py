"""``lablr desk``: the page on which many photos get their tags."""

from __future__ import annotations

from pathlib import Path

import click

from lablr.cli.options import bundle_option
from lablr.cli.serve import host_option, port_option, run_server

__all__ = ["desk_command"]

NO_FOLDER = Path("-")


@click.command("desk")
@click.argument(
    "folder",
    required=False,
    type=click.Path(path_type=Path, exists=True, file_okay=False, allow_dash=True),
    envvar="LABLR_DESK",
)
@host_option
@port_option
@bundle_option
def desk_command(
    folder: Path | None, host: str, port: int, bundle: Path | None
) -> None:
    """Tag the photos of FOLDER on a page of the browser, until Ctrl-C.

    Lablr suggests; keys accept, reject and add tags, one photo after the other or
    many like it at once. Everything is kept at once and can be taken back step by
    step, also another day. No file is changed before "Write tags", which shows the
    difference first and can be undone, too. Without FOLDER, the desk holds copies of
    the photos that are dropped on it.

    What was done is kept in ~/.local/state/lablr, or in the database that
    LABLR_DATABASE names. It answers on this computer only; a --host that others can
    reach needs LABLR_API_TOKEN.

    \b
    Examples:
      lablr desk holiday
      lablr desk
      lablr desk holiday --port 8080
    """
    place = NO_FOLDER if folder is None else folder
    run_server(host, port, {"BUNDLE": bundle, "DESK": place})
