"""The model, run off the event loop on a few photos at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from lablr.bot.chats import Chat
from lablr.bot.replies import Reply, tags_text
from lablr.figures.map_svg import draw_map_png
from lablr.ranking.tagger import Tagger
from lablr.system.cpu import available_threads

N_FETCHED_AHEAD = 2


class Inference:
    """Turns photos into replies, as many at a time as there are cores.

    A photo is fetched only when its turn is near, so memory holds few photos,
    however many were sent.
    """

    def __init__(self, tagger: Tagger) -> None:
        n_threads = available_threads()
        self.tagger = tagger
        self._threads = ThreadPoolExecutor(n_threads, thread_name_prefix="lablr-bot")
        self._room = asyncio.Semaphore(n_threads + N_FETCHED_AHEAD)

    async def run(self, fetch: Callable[[], Awaitable[bytes]], chat: Chat) -> Reply:
        """Return tags and map of the photo that ``fetch`` downloads.

        Raises PhotoError when the photo cannot be used, and what ``fetch`` raises.
        """
        async with self._room:
            photo = await fetch()
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(
                self._threads, self._reply, photo, chat.k, chat.ranking
            )

    def close(self) -> None:
        """Stop the threads; photos under way are finished first."""
        self._threads.shutdown(cancel_futures=True)

    def _reply(self, photo: bytes, k: int, ranking: str) -> Reply:
        tagger = self.tagger
        # all tags: the map shows the most relevant ones, wherever they rank
        suggestion = tagger.suggest(photo, k=0, ranking=ranking)
        picture = draw_map_png(tagger.latent_map, tagger.tags, suggestion)
        return tags_text(replace(suggestion, tags=suggestion.tags[:k]), picture)
