"""Map a function over items in several threads, in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def map_in_order(
    function: Callable[[T], R], items: Iterable[T], n_threads: int, n_ahead: int
) -> Generator[R, None, None]:
    """Yield ``function(item)`` of every item in order, from ``n_threads`` threads.

    Items are taken as they are needed: at most ``n_ahead`` are under way or wait for
    their turn, which is what bounds the memory. What an item raises is raised in its
    turn. Closing the generator waits for what is running and drops the rest.
    """
    pool = ThreadPoolExecutor(n_threads)
    remaining = iter(items)
    waiting: deque[Future[R]] = deque()
    try:
        while True:
            for item in islice(remaining, n_ahead - len(waiting)):
                waiting.append(pool.submit(function, item))
            if not waiting:
                return
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)
