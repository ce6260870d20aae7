"""Tags and the latent map in reply to photos on Telegram.

``transport`` makes every request to the Bot API, ``polling`` and ``webhook`` receive
updates, ``dispatch`` bounds those under way, ``conversation`` answers them one chat
after the other, ``inference`` runs the model off the event loop, ``replies`` words the
answers, ``dedup`` remembers them, and ``redaction`` keeps secrets out of the logs.
``running`` wires them.

python-telegram-bot and tornado come with the extra ``bot``.
"""
