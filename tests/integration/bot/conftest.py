"""A Telegram for each test of the bot, and one model for all of them."""

from bot_here import tagger, telegram

__all__ = ["tagger", "telegram"]
