"""``lablr desk``: a page for tagging many photos."""

from __future__ import annotations

from pathlib import Path

import click

from lablr.cli.options import bundle_option
from lablr.cli.serve import host_option, port_option, run_server

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

    Lablr suggests; keys accept, reject and add tags, for one photo or for many similar
    ones at once. Every step is saved immediately and can be undone, even on another
    day. No file changes before "Write tags", which shows the difference first and can
    be undone, too. Without FOLDER, the desk holds copies of the photos that are
    dropped on it.

    Steps are kept in ~/.local/state/lablr, or in the database that LABLR_DATABASE
    names. The page answers on this computer only; a --host that others can reach needs
    LABLR_API_TOKEN.

    \b
    Examples:
      lablr desk holiday
      lablr desk
      lablr desk holiday --port 8080
    """
    place = NO_FOLDER if folder is None else folder
    run_server(host, port, {"BUNDLE": bundle, "DESK": place})
