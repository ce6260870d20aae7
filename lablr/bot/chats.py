"""Each chat's choices, held in memory, and the order of its messages."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

__all__ = ["Chat", "Chats"]

MAX_CHATS = 10_000


@dataclass
class Chat:
    """The choices of a chat; ``is_told`` once it was asked to send fewer photos."""

    k: int = 10
    ranking: str = "calibrated"
    is_told: bool = False


@dataclass
class _Turns:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    n_waiting: int = 0


class Chats:
    """The chats seen last; a chat that is dropped starts over with the defaults."""

    def __init__(self, most: int = MAX_CHATS) -> None:
        self._most = most
        self._chats: OrderedDict[int, Chat] = OrderedDict()
        self._turns: dict[int, _Turns] = {}

    def __len__(self) -> int:
        """Return the number of chats held."""
        return len(self._chats)

    @asynccontextmanager
    async def turn(self, chat_id: int) -> AsyncIterator[Chat]:
        """Hold a chat while one of its messages is answered; the others queue."""
        turns = self._turns.setdefault(chat_id, _Turns())
        turns.n_waiting += 1
        try:
            async with turns.lock:
                yield self._chat(chat_id)
        finally:
            turns.n_waiting -= 1
            if turns.n_waiting == 0:
                del self._turns[chat_id]

    def _chat(self, chat_id: int) -> Chat:
        chat = self._chats.setdefault(chat_id, Chat())
        self._chats.move_to_end(chat_id)
        if len(self._chats) > self._most:
            self._chats.popitem(last=False)
        return chat
