"""The model's look at a photo, beside the event loop and a few at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from lablr.bot.chats import Chat
from lablr.bot.replies import Reply, tags_text
from lablr.figures.map_svg import draw_map_png
from lablr.ranking.tagger import RANKINGS, Tagger
from lablr.system.cpu import available_threads

__all__ = ["Inference", "rankings_of"]

N_FETCHED_AHEAD = 2


def rankings_of(tagger: Tagger) -> tuple[str, ...]:
    """The methods that /method takes, the first one unless told: the tagger's own."""
    rankings: tuple[str, ...] = getattr(tagger, "rankings", RANKINGS)
    return rankings


class Inference:
    """Turns photos into replies, as many at a time as there are cores.

    A photo's bytes are fetched only when it is nearly its turn, so memory holds
    those of few photos, however many were sent.
    """

    def __init__(self, tagger: Tagger, n_threads: int | None = None) -> None:
        n_threads = n_threads or available_threads()
        self.tagger = tagger
        self._threads = ThreadPoolExecutor(n_threads, thread_name_prefix="lablr-bot")
        self._room = asyncio.Semaphore(n_threads + N_FETCHED_AHEAD)

    async def run(self, fetch: Callable[[], Awaitable[bytes]], chat: Chat) -> Reply:
        """Return tags and map of the photo that ``fetch`` gets.

        Raises PhotoError when the photo cannot be used, and what ``fetch`` raises.
        """
        async with self._room:
            photo = await fetch()
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(
                self._threads, self._reply, photo, chat.k, chat.ranking
            )

    def close(self) -> None:
        """Give the threads back; a photo under way is looked at to its end."""
        self._threads.shutdown(cancel_futures=True)

    def _reply(self, photo: bytes, k: int, ranking: str) -> Reply:
        tagger = self.tagger
        # all tags: the map shows the most relevant ones, wherever they rank
        suggestion = tagger.suggest(photo, k=0, ranking=ranking)
        picture = draw_map_png(tagger.latent_map, tagger.tags, suggestion)
        return tags_text(replace(suggestion, tags=suggestion.tags[:k]), picture)
