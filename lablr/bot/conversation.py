"""Updates to answers, whatever fails on the way."""

from __future__ import annotations

import logging
import math
from contextlib import suppress
from typing import Any

from telegram import Bot, Document, Message, PhotoSize, ReplyParameters, Update
from telegram.constants import ChatAction, ChatType, ParseMode
from telegram.error import BadRequest, Forbidden, TelegramError

from lablr.bot.chats import Chat, Chats
from lablr.bot.commands import reply_to_text
from lablr.bot.dedup import Answered
from lablr.bot.fetching import Files, photo_of
from lablr.bot.inference import Inference
from lablr.bot.replies import DEFECT, NOT_FETCHED, Reply
from lablr.errors import PhotoError
from lablr.system.rate_limit import RateLimit

log = logging.getLogger("lablr.bot")

# Raised by the library for an answer that has not the shape of the Bot API's.
MALFORMED = (AttributeError, KeyError, TypeError, ValueError)


class Conversation:
    """Answers messages: those of a chat in order, several chats at a time.

    limit : of photos from one chat; None is no limit.
    """

    def __init__(
        self,
        bot: Bot,
        files: Files,
        inference: Inference,
        answered: Answered,
        limit: RateLimit | None,
    ) -> None:
        self._bot, self._files, self._inference = bot, files, inference
        self._answered, self._limit = answered, limit
        self._chats = Chats()

    async def handle(self, update: Update) -> None:
        """Answer an update unless it was answered before; logs what goes wrong."""
        message = update.message
        if message is None or not self._answered.begin(update.update_id):
            return
        try:
            async with self._chats.turn(message.chat_id) as chat:
                reply = await self._reply(message, chat)
                if reply is not None:
                    await self._answered.keep(update.update_id)
                    try:
                        await self._send(message, reply)
                    except (TelegramError, *MALFORMED) as error:
                        log.warning("an answer could not be sent: %s", error)
        finally:
            self._answered.end(update.update_id)

    async def _reply(self, message: Message, chat: Chat) -> Reply | None:
        tagger = self._inference.tagger
        photo = photo_of(message, tagger.limits)
        if photo is not None:
            wait_s = 0.0
            if self._limit is not None:
                wait_s = self._limit.charge(str(message.chat_id), 1)
            if wait_s:
                return _refusal(chat, wait_s)
            chat.is_told = False
            return await self._tags(message, photo, chat)
        return reply_to_text(
            message.text or "",
            chat,
            tagger.rankings,
            tagger.limits,
            self._bot.username,
            message.chat.type == ChatType.PRIVATE,
        )

    async def _tags(
        self, message: Message, photo: PhotoSize | Document, chat: Chat
    ) -> Reply:
        with suppress(TelegramError):
            await self._bot.send_chat_action(message.chat_id, ChatAction.UPLOAD_PHOTO)
        try:
            return await self._inference.run(lambda: self._files.fetch(photo), chat)
        except PhotoError as error:
            return Reply.plain(str(error))
        except TelegramError as error:
            log.warning("a photo could not be fetched: %s", error)
            return Reply.plain(NOT_FETCHED)
        except Exception:  # of the model; the next photo is to be answered
            log.exception("the model failed on a photo")
            return Reply.plain(DEFECT)

    async def _send(self, message: Message, reply: Reply) -> None:
        """Send one message where it fits, else the text and then the picture."""
        if reply.picture is not None and reply.fits_a_caption:
            with suppress(BadRequest, Forbidden):  # no pictures in this group
                await self._show(message, reply.picture, reply.text)
                return
        await self._bot.send_message(message.chat_id, reply.text, **_options(message))
        if reply.picture is not None and not reply.fits_a_caption:
            await self._show(message, reply.picture, None)

    async def _show(self, message: Message, picture: bytes, text: str | None) -> None:
        await self._bot.send_photo(
            message.chat_id,
            picture,
            caption=text,
            filename="map.png",
            **_options(message),
        )


def _refusal(chat: Chat, wait_s: float) -> Reply | None:
    """Return the refusal for a chat that sends too much: once, not for each photo."""
    if chat.is_told:
        return None
    chat.is_told = True
    return Reply.plain(
        f"That is many photos. Please wait {math.ceil(wait_s)} seconds, then send this "
        "one, and those after it, again."
    )


def _options(message: Message) -> dict[str, Any]:
    """Return options of an answer: HTML, below its photo, and in its topic."""
    return {
        "parse_mode": ParseMode.HTML,
        "reply_parameters": ReplyParameters(
            message.message_id, allow_sending_without_reply=True
        ),
        "message_thread_id": (
            message.message_thread_id if message.is_topic_message else None
        ),
    }
