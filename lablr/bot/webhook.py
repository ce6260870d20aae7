"""The webhook: Telegram delivers updates, and proves by a secret that it is Telegram.

python-telegram-bot's own server compares the secret byte by byte, logs a wrong one,
accepts bodies of 100 MB and answers before the update is handled. This one compares
in constant time and answers afterwards: until then Telegram would deliver it again.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import re
from typing import Any
from urllib.parse import urlsplit

from telegram import Bot
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, RequestHandler

from lablr.bot.dispatch import ALLOWED_UPDATES, Dispatcher, read_update
from lablr.errors import BotError

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105
MAX_BODY_BYTES = 1 << 20  # of one update
MAX_HEADER_BYTES = 16 << 10
BODY_S = 30
IDLE_S = 75
MAX_CONNECTIONS = 16  # from Telegram
ANSWER_S = 50.0  # then Telegram is told 200, although the update is not handled yet


class Webhook:
    """A small HTTP server for Telegram's calls, behind a proxy that ends TLS.

    url : the public address; its path is the one that is listened on.
    address : host and port; port 0 lets the system choose.

    Raises BotError when the address cannot be listened on.
    """

    def __init__(
        self,
        url: str,
        secret: str,
        address: tuple[str, int],
        bot: Bot,
        dispatcher: Dispatcher,
    ) -> None:
        path = urlsplit(url).path or "/"
        parts = {"secret": secret.encode(), "bot": bot, "dispatcher": dispatcher}
        application = Application(
            [(re.escape(path), _Receiver, parts)],
            default_handler_class=_Nothing,
            log_function=lambda handler: None,
        )
        self._server = HTTPServer(
            application,
            max_body_size=MAX_BODY_BYTES,
            max_buffer_size=MAX_BODY_BYTES + MAX_HEADER_BYTES,
            max_header_size=MAX_HEADER_BYTES,
            body_timeout=BODY_S,
            idle_connection_timeout=IDLE_S,
        )
        self._url, self._secret, self._bot = url, secret, bot
        host, port = address
        try:
            self._sockets = bind_sockets(port, host)
        except OSError as error:
            raise BotError(
                f"cannot listen on {host} port {port}: {error.strerror or error}"
            ) from error

    async def start(self) -> str:
        """Accept connections, register with Telegram; returns the address in words."""
        self._server.add_sockets(self._sockets)
        await self._bot.set_webhook(
            self._url,
            secret_token=self._secret,
            allowed_updates=ALLOWED_UPDATES,
            max_connections=MAX_CONNECTIONS,
        )
        host, port, *_ = self._sockets[0].getsockname()
        return f", called on {host} port {port}"

    async def run(self) -> None:
        """Wait until cancelled."""
        await asyncio.Event().wait()

    def stop_listening(self) -> None:
        """Accept no more connections; open ones still get their answers.

        The webhook stays registered: Telegram delivers what arrives meanwhile after
        the next start.
        """
        self._server.stop()
        for listener in self._sockets:
            listener.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._server.close_all_connections()


class _Nothing(RequestHandler):
    """Answers 404 for every other address; errors have no body."""

    SUPPORTED_METHODS = ("POST",)

    def prepare(self) -> None:
        self.send_error(404)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        self.finish()

    def set_default_headers(self) -> None:
        self.clear_header("Server")

    def log_exception(self, *details: Any) -> None:
        """Log nothing: the fault came from outside."""


class _Receiver(_Nothing):
    def initialize(self, secret: bytes, bot: Bot, dispatcher: Dispatcher) -> None:
        self._secret, self._bot, self._dispatcher = secret, bot, dispatcher

    def prepare(self) -> None:
        given = self.request.headers.get(SECRET_HEADER, "")
        # takes as long for a near miss as for a far one
        if not hmac.compare_digest(given.encode(), self._secret):
            self.send_error(403)

    async def post(self) -> None:
        """Answer 200 once the update is handled, 503 when too many are under way.

        A body that is no update gets 400.
        """
        try:
            _, update = read_update(json.loads(self.request.body), self._bot)
        except (ValueError, RecursionError):
            self.send_error(400)
            return
        if update is None:  # the next delivery would be malformed too
            return
        if self._dispatcher.room <= 0:
            self.set_header("Retry-After", "5")
            self.send_error(503)
            return
        await asyncio.wait([self._dispatcher.start(update)], timeout=ANSWER_S)
