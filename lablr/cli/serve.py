"""``lablr serve``: the page and the JSON API."""

from __future__ import annotations

from pathlib import Path

import click

from lablr.cli.blas import use_one_blas_thread
from lablr.cli.messages import fail, say
from lablr.cli.options import bundle_option

__all__ = ["serve_command"]


@click.command("serve")
@click.option(
    "--host",
    default="127.0.0.1",
    show_default=True,
    help="Address to listen on; 0.0.0.0 is every address of this machine.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on; 0 lets the system choose a free one.",
)
@bundle_option
def serve_command(host: str, port: int, bundle: Path | None) -> None:
    """Serve the page and the JSON API until Ctrl-C.

    \b
    Examples:
      lablr serve
      lablr serve --host 0.0.0.0 --port 8080
      curl -F photo=@photo.jpg http://127.0.0.1:8000/api/v1/suggestions
    """
    use_one_blas_thread()
    from webapp import create_app
    from webapp.server import serve

    config = {} if bundle is None else {"BUNDLE": str(bundle)}
    app = create_app(config)
    try:
        serve(app, host, port, on_listening=_say_where)
    except OSError as error:
        fail(f"cannot listen on {host} port {port}: {error.strerror or error}")


def _say_where(address: str) -> None:
    say(f"serving on {address} (stop with Ctrl-C)")
