"""The bot's answers as Telegram's HTML, within the lengths that Telegram allows."""

from __future__ import annotations

import html
from collections.abc import Sequence
from dataclasses import dataclass

from lablr.bot.chats import Chat
from lablr.figures.map_layout import percent
from lablr.photos import PhotoLimits
from lablr.ranking.tagger import Suggestion

MAX_K = 75  # as many tags as Flickr takes for a photo
# Telegram counts the characters shown, without markup.
# Source: https://core.telegram.org/bots/api#sendmessage and #sendphoto
MAX_CAPTION = 1024
MAX_MESSAGE = 4096

NO_PHOTO = "Send me a photo, or a photo as a file. /help says more."
NOT_FETCHED = "The photo could not be fetched from Telegram. Please send it again."
DEFECT = "Something went wrong here; it is not your photo's fault."


@dataclass(frozen=True)
class Reply:
    """A message to send, and a picture (PNG) with it.

    text : HTML.
    n_shown : its length in characters as shown, without markup.
    """

    text: str
    n_shown: int
    picture: bytes | None = None

    @classmethod
    def plain(cls, text: str) -> Reply:
        """Return a message of plain text."""
        return cls(html.escape(text, quote=False), len(text))

    @property
    def fits_a_caption(self) -> bool:
        """True if text and picture may be one message."""
        return self.n_shown <= MAX_CAPTION


def tags_text(suggestion: Suggestion, picture: bytes | None = None) -> Reply:
    """Return the tags to copy at a tap, and their probabilities beneath.

    Tags are written as Flickr's own field takes them: separated by spaces, and in
    double quotes where they contain one. If the message would be too long, the least
    probable are left out.
    """
    unsure = ""
    if not suggestion.sure:
        unsure = f"Not sure: no tag reaches {percent(suggestion.threshold)}.\n"
    names, numbers, room = [], [], MAX_MESSAGE - len(unsure)
    for score in suggestion.tags:
        name = _as_flickr_takes(score.tag)
        number = f"{score.tag} {percent(score.probability)}"
        room -= len(name) + len(number) + 4  # " " and " · "
        if room < 0:
            break
        names.append(name)
        numbers.append(number)
    block, beneath = " ".join(names), " · ".join(numbers)
    shown, chances = (html.escape(part, quote=False) for part in (block, beneath))
    text = f"{unsure}<pre>{shown}</pre>\n{chances}"
    return Reply(text, len(unsure) + len(block) + 1 + len(beneath), picture)


def help_text(chat: Chat, rankings: Sequence[str], limits: PhotoLimits) -> Reply:
    """Return the help: what the bot does, its commands, and the chat's choices."""
    return Reply.plain(
        "Send me a photo, or a photo as a file. I suggest tags that people use on "
        "Flickr, ready to copy, and show where the photo lies on the map of tags. "
        "Of an album every photo gets its own answer.\n\n"
        f"/k 10 - how many tags, 1 to {MAX_K}\n"
        f"/method {rankings[0]} - how tags are ranked: {', '.join(rankings)}\n"
        "/help - this text\n\n"
        f"Now: {chat.k} tags, {chat.ranking}.\n"
        f"JPEG, PNG, WebP or GIF of at most {limits.max_bytes / (1 << 20):g} MiB. "
        "A photo that is sent as a file keeps its full size. No photo is kept."
    )


def _as_flickr_takes(tag: str) -> str:
    """Quote a tag: Flickr splits at spaces outside double quotes and has no escape."""
    plain = tag.replace('"', "")
    return f'"{plain}"' if any(c.isspace() or c == "," for c in plain) else plain
