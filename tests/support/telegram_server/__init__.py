"""A Telegram for the tests: the Bot API over real HTTP, and people who send photos.

``serving()`` runs one in a thread. `TelegramServer.say` and ``send_...`` put messages
into its queue as people would; `TelegramServer.sent` is what the bot sent them.
``fault`` decides, for every request, what goes wrong with it.
"""

from __future__ import annotations

from telegram_server.server import (
    BOT_ID,
    TOKEN,
    USERNAME,
    Sent,
    TelegramServer,
    serving,
)

__all__ = ["BOT_ID", "TOKEN", "USERNAME", "Sent", "TelegramServer", "serving"]
