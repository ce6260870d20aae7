"""``lablr serve``: the page and the JSON API."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

import click

from lablr.cli.blas import use_one_blas_thread
from lablr.cli.messages import fail, print_message
from lablr.cli.options import (
    bundle_option,
    from_environment,
)
from lablr.cli.supervisor import Supervisor

__all__ = ["host_option", "port_option", "run_server", "serve_command"]

BACKLOG = 1024  # connections that wait while a worker is replaced


host_option = click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; 0.0.0.0 is every address of this machine.",
)
port_option = click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on; 0 lets the system choose a free one.",
)


@click.command("serve")
@host_option
@port_option
@bundle_option
@from_environment(
    "LABLR_DATABASE",
    "--judge",
    "database",
    metavar="DATABASE",
    help="Let people judge the predictions in this database, on /rate and /results.",
)
@from_environment(
    "LABLR_PHOTOS",
    "--photos",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="Show no photo outside this folder for judging.",
)
@from_environment(
    "LABLR_INDEX",
    "--index",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="INDEX",
    help="Let people find the photos of this index, on /search.",
)
def serve_command(
    host: str,
    port: int,
    bundle: Path | None,
    database: str | None,
    photos: Path | None,
    index: Path | None,
) -> None:
    """Serve the page and the JSON API until Ctrl-C.

    The process that serves is replaced when it dies. A bundle that takes the place
    of another in its folder is served without a restart.

    \b
    Examples:
      lablr serve
      lablr serve --host 0.0.0.0 --port 8080
      lablr serve --judge judgements.sqlite
      lablr serve --index pictures-index
      curl -F photo=@photo.jpg http://127.0.0.1:8000/api/v1/suggestions
    """
    given = {"BUNDLE": bundle, "DATABASE": database, "PHOTOS": photos, "INDEX": index}
    run_server(host, port, given)


def run_server(host: str, port: int, given: Mapping[str, object | None]) -> NoReturn:
    """Serve with these settings, of which None is the environment's, until a stop."""
    use_one_blas_thread()
    listener = _listen(host, port)
    config = {name: str(value) for name, value in given.items() if value is not None}

    def work(on_ready: Callable[[], None]) -> None:
        # imported in the worker only: the supervisor stays small
        from webapp import create_app
        from webapp.http.server import serve

        app = create_app(config)
        serve(app, listener, on_ready)

    address = _address(host, listener)
    page = "/desk" if "DESK" in config else ""
    said = f"serving on {address}{page} (stop with Ctrl-C)"
    with listener:
        status = Supervisor(listener, work, lambda: print_message(said)).run()
    raise click.exceptions.Exit(status)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = error.strerror or error
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            # without Python's note on the address, which is named already
            reason = f"{os.strerror(error.errno)}; --port chooses another"
        fail(f"cannot listen on {host} port {port}: {reason}")


def _address(host: str, listener: socket.socket) -> str:
    name = f"[{host}]" if ":" in host else host
    return f"http://{name}:{listener.getsockname()[1]}"
