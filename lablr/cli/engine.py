"""Options for the engine: this machine, or a Ray cluster."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from lablr.encoders.ray_engine import RayEngine

__all__ = ["chosen_engine", "engine_options"]

Command = TypeVar("Command", bound=Callable[..., Any])

_engine_option = click.option(
    "--engine",
    type=click.Choice(["local", "ray"]),
    default="local",
    show_default=True,
    help="Work on this machine, or on the machines of a Ray cluster; needs the extra"
    ' "scale".',
)

_address_option = click.option(
    "--ray-address",
    metavar="HOST:PORT",
    help="The Ray cluster.  [default: $RAY_ADDRESS, or one on this machine alone]",
)


def engine_options(command: Command) -> Command:
    """Give a command the options --engine and --ray-address."""
    return _engine_option(_address_option(command))


def chosen_engine(engine: str, ray_address: str | None) -> RayEngine | None:
    """Return Ray, or None for this machine; raise a usage error for an idle address."""
    if engine == "ray":
        from lablr.encoders.ray_engine import RayEngine

        return RayEngine(ray_address)
    if ray_address:
        raise click.UsageError("--ray-address needs --engine ray")
    return None
