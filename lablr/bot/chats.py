"""Each chat's choices, held in memory, and the order of its messages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import lru_cache
from weakref import WeakValueDictionary

MAX_CHATS = 10_000


@dataclass
class Chat:
    """The choices of a chat; ``is_told`` once it was asked to send fewer photos."""

    k: int = 10
    ranking: str = "calibrated"
    is_told: bool = False


class Chats:
    """The chats seen last; a chat that is dropped starts over with the defaults."""

    def __init__(self, most: int = MAX_CHATS) -> None:
        self._chat = lru_cache(most)(lambda chat_id: Chat())
        # A lock lives while a message holds it or waits for it.
        self._locks: WeakValueDictionary[int, asyncio.Lock] = WeakValueDictionary()

    @asynccontextmanager
    async def turn(self, chat_id: int) -> AsyncIterator[Chat]:
        """Hold a chat while one of its messages is answered; the others queue."""
        async with self._locks.setdefault(chat_id, asyncio.Lock()):
            yield self._chat(chat_id)
