"""Every byte to and from the Bot API: bounded, patient where it may be.

python-telegram-bot's own transport reads an answer to its end however long it is, and
waits for nobody. This one stops at a number of bytes and of seconds, waits when
Telegram says so (429), and tries again what surely did not arrive.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import httpx
from telegram.error import NetworkError, TelegramError, TimedOut
from telegram.request import BaseRequest, RequestData

__all__ = ["MAX_ANSWER_BYTES", "AnswerTooLarge", "Transport"]

MAX_ANSWER_BYTES = 8 << 20  # a hundred updates, the longest there are
BACKOFF_S = (1.0, 2.0, 4.0)
LONGEST_WAIT_S = 60.0
CONNECT_S = 10.0
WRITE_S = 30.0
# Of an address that nobody answers at, nothing was sent.
NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

Pause = Callable[[float], Awaitable[object]]
Seconds = Any  # a number, None, or the library's mark for "not given"


class AnswerTooLarge(TelegramError):
    """An answer with more bytes than are wanted; it was not read further."""


class Transport(BaseRequest):
    """A client of the Bot API for one kind of answers.

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
        self._max_bytes = max_bytes
        self._read_s, self._total_s = read_s, total_s
        self._pause = pause
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(read_s, connect=CONNECT_S, write=WRITE_S),
            limits=httpx.Limits(max_connections=32, max_keepalive_connections=8),
            # compressed, a few bytes could become very many
            headers={"User-Agent": self.USER_AGENT, "Accept-Encoding": "identity"},
            verify=_certificates(),
        )

    @property
    def read_timeout(self) -> float:
        """Seconds between two bytes."""
        return self._read_s

    async def initialize(self) -> None:
        """Do nothing: the client is ready."""

    async def shutdown(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: Seconds = None,
        write_timeout: Seconds = None,
        connect_timeout: Seconds = None,
        pool_timeout: Seconds = None,
    ) -> tuple[int, bytes]:
        """Return status and body of the answer; the timeouts are the client's own.

        Raises TimedOut when it is not known whether the request arrived, NetworkError
        when it surely did not, AnswerTooLarge.
        """
        request = self._request(url, method, request_data)
        for least_s in (*BACKOFF_S, None):
            try:
                status, body = await asyncio.wait_for(request(), self._total_s)
            except (httpx.HTTPError, asyncio.TimeoutError) as error:
                is_safe = method == "GET" or isinstance(error, NEVER_SENT)
                if least_s is None or not is_safe:
                    raise _named(error) from error
                await self._pause(least_s)
            else:
                wait_s = _wait_s(status, body, least_s)
                if wait_s is None:
                    return status, body
                await self._pause(wait_s)
        raise AssertionError("the last attempt returns or raises")

    def _request(
        self, url: str, method: str, data: RequestData | None
    ) -> Callable[[], Awaitable[tuple[int, bytes]]]:
        fields = data.json_parameters if data else None
        files = data.multipart_data if data else None

        async def send() -> tuple[int, bytes]:
            async with self._client.stream(
                method, url, data=fields, files=files or None
            ) as answer:
                return answer.status_code, await self._body(answer)

        return send

    async def _body(self, answer: httpx.Response) -> bytes:
        parts, size = [], 0
        async for part in answer.aiter_raw():
            size += len(part)
            if size > self._max_bytes:
                raise AnswerTooLarge(f"an answer of more than {self._max_bytes} bytes")
            parts.append(part)
        return b"".join(parts)

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """Return the object that an answer is; raises TelegramError for another."""
        try:
            answer = json.loads(payload.decode("utf-8", "replace"))
        except (ValueError, RecursionError) as error:
            raise TelegramError("the answer is not JSON") from error
        if not isinstance(answer, dict):
            raise TelegramError("the answer is not a JSON object")
        # The wait asked for was waited; the library would make a warning of it.
        answer.pop("parameters", None)
        return {"result": None, **answer}


@cache
def _certificates() -> ssl.SSLContext:
    """Whom to trust; reading it takes a while, so it is read once."""
    return httpx.create_ssl_context()


def _named(error: Exception) -> NetworkError:
    """The library's error for one of httpx, without the address it may hold."""
    kind = type(error).__name__
    if isinstance(error, NEVER_SENT):
        return NetworkError(f"not sent ({kind})")
    return TimedOut(f"no whole answer ({kind})")


def _wait_s(status: int, body: bytes, least_s: float | None) -> float | None:
    """How long to wait before trying again; None when the answer is final.

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
