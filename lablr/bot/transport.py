"""Requests to the Bot API: bounded in bytes and time, repeated where that is safe.

python-telegram-bot's own client reads an answer of any length and tries once. This
one stops at a number of bytes and of seconds, waits as long as Telegram asks (429),
and repeats a request that cannot have taken effect twice.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import cache
from typing import Any
from urllib.parse import urlencode

import httpx
from telegram.error import NetworkError, TelegramError, TimedOut
from telegram.request import HTTPXRequest

MAX_ANSWER_BYTES = 8 << 20  # a hundred updates, the longest there are
BACKOFF_S = (1.0, 2.0, 4.0)
LONGEST_WAIT_S = 60.0
# Nothing was sent: there was no connection.
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

Pause = Callable[[float], Awaitable[object]]


class AnswerTooLarge(TelegramError):
    """An answer has more bytes than allowed; the rest was not read."""


class Transport(HTTPXRequest):
    """A client of the Bot API for answers of one kind.

    max_bytes : of an answer; a longer one raises `AnswerTooLarge`.
    read_s : seconds between two bytes.
    total_s : seconds for one attempt, from the first byte sent to the last received.
    pause : waits between attempts.
    """

    def __init__(
        self,
        max_bytes: int = MAX_ANSWER_BYTES,
        read_s: float = 20.0,
        total_s: float = 60.0,
        pause: Pause = asyncio.sleep,
    ) -> None:
        self._max_bytes, self._total_s, self._pause = max_bytes, total_s, pause
        super().__init__(
            connection_pool_size=32,
            read_timeout=read_s,
            write_timeout=30,
            connect_timeout=10,
            pool_timeout=total_s,
            media_write_timeout=30,
            httpx_kwargs={
                # compressed, a few bytes could become very many
                "headers": {"Accept-Encoding": "identity"},
                "verify": _certificates(),
                "event_hooks": {"response": [self._bound]},
            },
        )

    async def call(self, url: str, **parameters: object) -> Any:
        """Return the result of a method that changes nothing, asked by GET.

        Raises TelegramError, also for an answer that is none of the Bot API's.
        """
        payload = await self.retrieve(f"{url}?{urlencode(parameters)}")
        answer = self.parse_json_payload(payload)
        if answer.get("ok") is not True:
            raise TelegramError("the answer is not the Bot API's")
        return answer["result"]

    async def do_request(
        self, url: str, method: str, *data: Any, **options: Any
    ) -> tuple[int, bytes]:
        """Return status and body of the answer.

        Raises TimedOut when the request may have arrived, NetworkError when it did
        not, AnswerTooLarge.
        """
        for least_s in (*BACKOFF_S, None):
            request = super().do_request(url, method, *data, **options)
            try:
                status, body = await asyncio.wait_for(request, self._total_s)
            except (NetworkError, asyncio.TimeoutError) as error:
                is_sent = not isinstance(error.__cause__, NEVER_SENT)
                if least_s is None or (is_sent and method != "GET"):
                    raise _named(error, is_sent) from error
                await self._pause(least_s)
            else:
                wait_s = _wait_s(status, body, least_s)
                if wait_s is None:
                    return status, body
                await self._pause(wait_s)
        raise AssertionError("the last attempt returns or raises")

    async def _bound(self, answer: httpx.Response) -> None:
        """Bound the body of an answer, none of which is read yet."""
        answer.stream = _Bounded(answer.stream, self._max_bytes)

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """Return an answer's JSON object; raises TelegramError for anything else."""
        try:
            answer = json.loads(payload.decode("utf-8", "replace"))
        except (ValueError, RecursionError) as error:
            raise TelegramError("the answer is not JSON") from error
        if not isinstance(answer, dict):
            raise TelegramError("the answer is not a JSON object")
        # The wait is over; the library would raise RetryAfter, with a warning.
        answer.pop("parameters", None)
        return {"result": None, **answer}


class _Bounded(httpx.AsyncByteStream):
    def __init__(self, stream: Any, max_bytes: int) -> None:
        self._stream, self._max_bytes = stream, max_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for part in self._stream:
            size += len(part)
            if size > self._max_bytes:
                raise AnswerTooLarge(f"an answer of more than {self._max_bytes} bytes")
            yield part

    async def aclose(self) -> None:
        await self._stream.aclose()


@cache
def _certificates() -> ssl.SSLContext:
    """Return the trusted certificates; loading them takes a while."""
    return httpx.create_ssl_context()


def _named(error: BaseException, is_sent: bool) -> NetworkError:
    """Return an error that names the cause, without the address in httpx's own."""
    kind = type(error.__cause__ or error).__name__
    return (
        TimedOut(f"no whole answer ({kind})")
        if is_sent
        else NetworkError(f"not sent ({kind})")
    )


def _wait_s(status: int, body: bytes, least_s: float | None) -> float | None:
    """Return the seconds until the next attempt; None when the answer is final.

    Source: https://core.telegram.org/bots/api#responseparameters, ``retry_after``.
    """
    if least_s is None or (status != 429 and status < 500):
        return None
    try:
        asked = json.loads(body)["parameters"]["retry_after"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return least_s
    if not isinstance(asked, int | float):
        return least_s
    return max(least_s, float(asked)) if asked <= LONGEST_WAIT_S else None
