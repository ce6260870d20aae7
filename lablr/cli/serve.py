"""``lablr serve``: the page and the JSON API."""

from __future__ import annotations

from pathlib import Path

import click

from lablr.cli.messages import say
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
    from webapp import create_app
    from webapp.server import serve

    config = {} if bundle is None else {"BUNDLE": str(bundle)}
    say(f"serving on http://{host}:{port} (stop with Ctrl-C)")
    serve(create_app(config), host=host, port=port)
