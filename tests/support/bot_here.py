"""The bot in a thread, against a Telegram of the tests' own."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
from telegram_server import TOKEN, TelegramServer, serving

from lablr.bot.running import run_bot
from lablr.bot.settings import BotSettings
from lablr.ranking.tagger import Tagger

SOCKETS_LEFT = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture
def telegram() -> Iterator[TelegramServer]:
    with serving() as server:
        yield server


@pytest.fixture(scope="session")
def tagger() -> Tagger:
    return Tagger.load()


class BotThread:
    """A bot that runs until `stop`; its waits are recorded and take no time."""

    def __init__(self, settings: BotSettings, tagger: Tagger, **options: Any) -> None:
        self.waits: list[float] = []
        self.said = ""
        self.error: BaseException | None = None
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._main = run_bot(
            settings, tagger, self._stop, self._on_ready, self._pause, **options
        )
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self._ready.wait()

    async def _pause(self, seconds: float) -> None:
        self.waits.append(seconds)
        await asyncio.sleep(0)

    def _on_ready(self, said: str) -> None:
        self.said = said
        self._ready.set()

    def _run(self) -> None:
        try:
            self._loop.run_until_complete(self._main)
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            self.error = error
        finally:
            self._loop.close()
            self._ready.set()

    def stop(self) -> None:
        """Stop it and wait for its end; raises what ended it."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
        self.wait()

    def wait(self) -> None:
        """Wait for its end; raises what ended it."""
        self._thread.join()
        if self.error is not None:
            raise self.error


@contextmanager
def running_bot(
    server: TelegramServer,
    tagger: Tagger,
    clock: Any = lambda: 0.0,
    **settings: Any,
) -> Iterator[BotThread]:
    """Run a bot in a thread; without a limit on photos unless told."""
    given = {"rate_limit": 0, "base_url": server.url, **settings}
    bot = BotThread(BotSettings(TOKEN, **given), tagger, clock=clock)
    try:
        yield bot
    finally:
        bot.stop()
        # A connection that is cut off as it begins leaves its socket to the collector:
        # now, and not in the middle of another test (see SOCKETS_LEFT).
        gc.collect()


def in_a_loop_of_its_own(coroutine: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine; a browser may hold this thread's event loop."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()
