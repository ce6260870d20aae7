"""Replies to text: the commands, which set a chat's choices."""

from __future__ import annotations

from collections.abc import Sequence

from lablr.bot.chats import Chat
from lablr.bot.replies import MAX_K, NO_PHOTO, Reply, help_text
from lablr.photos import PhotoLimits

# What Telegram shows while a person types; /start is asked by its button.
COMMANDS = (
    ("k", "How many tags"),
    ("method", "How tags are ranked"),
    ("help", "What I do"),
)
MAX_SHOWN = 40  # characters that are quoted back


def reply_to_text(
    text: str,
    chat: Chat,
    rankings: Sequence[str],
    limits: PhotoLimits,
    username: str,
    is_private: bool,
) -> Reply | None:
    """Return the reply to a message without a photo; None where silence is better.

    In a group the bot speaks when one of its commands is called, and a command
    for another bot (``/k@other``) is not its own.
    """
    words = text.split(maxsplit=1)
    name, _, addressee = words[0][1:].partition("@") if words else ("", "", "")
    if not text.startswith("/"):
        return Reply.plain(NO_PHOTO) if is_private else None
    if addressee and addressee.lower() != username.lower():
        return None
    argument = words[1].strip() if len(words) > 1 else ""
    name = name.lower()
    if name in ("start", "help"):
        return help_text(chat, rankings, limits)
    if name == "k":
        return Reply.plain(_set_k(chat, argument))
    if name == "method":
        return Reply.plain(_set_ranking(chat, argument, rankings))
    if is_private or addressee:
        return Reply.plain(f"I do not know /{name[:MAX_SHOWN]}. /help says what I do.")
    return None


def _set_k(chat: Chat, argument: str) -> str:
    if not argument:
        return f"You get {chat.k} tags. Another number: /k 5"
    # not int(): it takes "1_0", "+5" and other people's digits
    is_number = argument.isascii() and argument.isdigit() and len(argument) <= 6
    if not is_number or not 1 <= int(argument) <= MAX_K:
        return f"After /k comes a whole number from 1 to {MAX_K}, as in /k 10"
    chat.k = int(argument)
    return f"From now on you get {chat.k} tag{'s' if chat.k > 1 else ''}."


def _set_ranking(chat: Chat, argument: str, rankings: Sequence[str]) -> str:
    known = ", ".join(rankings)
    if not argument:
        return f"Tags are ranked by {chat.ranking}. There are: {known}."
    if argument.lower() not in rankings:
        return f"There is no method {argument[:MAX_SHOWN]!r}. There are: {known}."
    chat.ranking = argument.lower()
    return f"From now on tags are ranked by {chat.ranking}."
