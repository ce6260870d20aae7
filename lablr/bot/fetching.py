"""The photo of a message: its file on Telegram, and never more bytes than allowed."""

from __future__ import annotations

from urllib.parse import quote

from telegram import Bot, Document, Message, PhotoSize
from telegram.error import TelegramError

from lablr.bot.transport import AnswerTooLarge, Transport
from lablr.photos import PhotoLimits, check_size


def photo_of(message: Message, limits: PhotoLimits) -> PhotoSize | Document | None:
    """Return the photo's file: of its sizes the largest that is allowed.

    None for a message with neither photo nor file. Only the bytes tell what kind of
    file it is.
    """
    sizes = sorted(message.photo, key=lambda size: size.width * size.height)
    allowed = [size for size in sizes if (size.file_size or 0) <= limits.max_bytes]
    return (allowed or sizes[:1])[-1] if sizes else message.document


class Files:
    """Downloads from Telegram.

    answers : the transport for the Bot API's methods.
    bodies : the one for files, which reads one byte more than allowed at most.
    """

    def __init__(
        self, bot: Bot, answers: Transport, bodies: Transport, limits: PhotoLimits
    ) -> None:
        self._bot, self._answers, self._bodies = bot, answers, bodies
        self._limits = limits

    async def fetch(self, file: PhotoSize | Document) -> bytes:
        """Return a file's bytes.

        `telegram.File` would read a path that exists on this machine instead of
        downloading it. Raises PhotoTooLarge before more than the allowed bytes have
        come, TelegramError.
        """
        check_size(file.file_size or 0, self._limits)
        method = f"{self._bot.base_url}/getFile"
        found = await self._answers.call(method, file_id=file.file_id)
        if not isinstance(found, dict) or not isinstance(found.get("file_path"), str):
            raise TelegramError("getFile: the answer names no file")
        n_bytes = found.get("file_size")
        check_size(n_bytes if isinstance(n_bytes, int) else 0, self._limits)
        path = quote(found["file_path"].lstrip("/"))
        try:
            return await self._bodies.retrieve(f"{self._bot.base_file_url}/{path}")
        except AnswerTooLarge:
            check_size(self._limits.max_bytes + 1, self._limits)
            raise
