"""Progress of long-running functions, without printing.

A library function that takes over two seconds has a parameter
``progress: Progress = silent`` and iterates over ``progress(items, total,
label)`` instead of ``items``. The command line hands in a bar on standard error.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Progress(Protocol):
    """A wrapper of a loop's items that shows how far the loop has come."""

    def __call__(
        self, items: Iterable[T], total: int | None, label: str
    ) -> Iterable[T]:
        """Yield every item of ``items``, once and in order.

        ``total`` is the number of items (None: unknown) and ``label`` what is
        being done, such as "encoding photos".
        """
        ...


def silent(items: Iterable[T], total: int | None, label: str) -> Iterable[T]:
    """Show nothing: the default of every library function."""
    return items
