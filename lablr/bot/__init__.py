"""Photos come in on Telegram; tags and the latent map go back.

``transport`` is every byte to and from the Bot API, ``polling`` and ``webhook`` get
updates, ``conversation`` answers them one chat after the other, ``looking`` lets the
model see a photo without stopping the others, ``replies`` is what is said. ``running``
wires them.

python-telegram-bot and tornado come with the extra ``bot``.
"""
