"""A photo of a message: which file it is, and its bytes, never more than allowed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from telegram import Bot, Message
from telegram.error import TelegramError
from telegram.request import BaseRequest

from lablr.bot.transport import AnswerTooLarge
from lablr.photos import PhotoLimits, check_size

__all__ = ["Files", "TelegramFile", "call", "photo_of"]


@dataclass(frozen=True)
class TelegramFile:
    """A file on Telegram's servers; ``n_bytes`` as Telegram says, None when not."""

    file_id: str
    n_bytes: int | None


def photo_of(message: Message, limits: PhotoLimits) -> TelegramFile | None:
    """Return the file to look at: of a photo's sizes the largest that is allowed.

    Of a message with neither photo nor file it is None. What kind of file it is
    only its bytes tell.
    """
    sizes = [
        TelegramFile(size.file_id, size.file_size)
        for size in sorted(message.photo, key=lambda size: size.width * size.height)
    ]
    allowed = [size for size in sizes if (size.n_bytes or 0) <= limits.max_bytes]
    if sizes:
        return allowed[-1] if allowed else sizes[0]
    document = message.document
    return TelegramFile(document.file_id, document.file_size) if document else None


class Files:
    """Downloads from Telegram.

    answers : the transport for the Bot API's methods.
    bodies : the one for files, which reads one byte more than allowed at most.
    """

    def __init__(
        self, bot: Bot, answers: BaseRequest, bodies: BaseRequest, limits: PhotoLimits
    ) -> None:
        self._bot, self._answers, self._bodies = bot, answers, bodies
        self._limits = limits

    async def fetch(self, file: TelegramFile) -> bytes:
        """Return a file's bytes.

        Not by `telegram.File`: it takes a path that exists on this machine for a
        file to read here, and reads an answer of any length. Raises PhotoTooLarge
        before more than the allowed bytes have come, TelegramError.
        """
        check_size(file.n_bytes or 0, self._limits)
        found = await call(self._answers, self._bot, "getFile", file_id=file.file_id)
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


async def call(
    transport: BaseRequest, bot: Bot, method: str, **parameters: object
) -> Any:
    """Return the result of a method that changes nothing, asked by GET.

    Raises TelegramError, also for an answer that is none of the Bot API's.
    """
    query = urlencode({name: str(value) for name, value in parameters.items()})
    payload = await transport.retrieve(f"{bot.base_url}/{method}?{query}")
    try:
        answer = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise TelegramError(f"{method}: the answer is not JSON") from error
    if not isinstance(answer, dict) or answer.get("ok") is not True:
        raise TelegramError(f"{method}: the answer is not the Bot API's")
    return answer.get("result")
