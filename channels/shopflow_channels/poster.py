"""The connections that posts go over, and what their answers mean."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import httpx

from shopflow.channel import FailureReason, Message, Receipt
from shopflow.errors import SettingsError

from .posting import THIS_MACHINE, Reading, json_of
from .reaching import Inward, OutwardTransport, is_inward

_RETRYABLE = frozenset({408, 425, 429})
_AUTH = frozenset({401, 403, 407})
_OK = range(200, 300)
_SERVER_ERRORS = range(500, 600)
#: Bytes from which an answer's body is not worth reading, and seconds it is waited for.
_LONG, _PATIENCE = 65_536, 2.0

#: Failures after which the receiver cannot have seen the request.
_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)

_NONE: Mapping[str, str] = {}


class Poster:
    """Posts over as many connections as the settings allow, to their URL or to one of each message.

    `reading` looks at each answer first.
    """

    def __init__(
        self, channel: str, settings: Mapping[str, Any], reading: Reading | None = None
    ) -> None:
        self._allow_private: bool = settings.get("allow_private", False)
        self._url = ""
        if "url" in settings:
            self._url = _checked_url(channel, settings["url"], settings)
        self._reading = reading
        self._headers: Mapping[str, str] = settings.get("headers", {})
        if authorization := settings.get("authorization"):
            self._headers = {**self._headers, "Authorization": authorization}
        self._timeout = float(settings.get("timeout", 10))
        self._workers: int = settings.get("connections", 4)
        self._client: httpx.AsyncClient | None = None

    async def each(
        self, messages: Sequence[Message], post: Callable[[Message], Awaitable[Receipt]]
    ) -> AsyncIterator[tuple[str, Receipt]]:
        """Each message's receipt as it is answered; as many at a time as connections."""
        room = asyncio.Semaphore(self._workers)

        async def attempt(message: Message) -> tuple[str, Receipt]:
            async with room:
                return message.id, await post(message)

        tasks = [asyncio.create_task(attempt(message)) for message in messages]
        try:
            for task in asyncio.as_completed(tasks):
                yield await task
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def aclose(self) -> None:
        """Lets go of the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def post(
        self, message: Message, body: bytes, headers: Mapping[str, str] = _NONE, *, url: str = ""
    ) -> Receipt:
        """What the receiver makes of the body; a repetition carries the same key."""
        key = message.id.encode("ascii", "backslashreplace").decode("ascii")
        told = {
            **self._headers,
            "Content-Type": "application/json",
            "Idempotency-Key": key,
            **headers,
        }
        try:
            async with asyncio.timeout(self._timeout):
                return await self._answer(url or self._url, body, told)
        except Inward as e:
            return Receipt.failed(FailureReason.CONNECTION, retryable=True, detail=f"POST: {e}")
        except _NEVER_LEFT as e:
            return Receipt.failed(_lost(e), retryable=True, detail=f"POST: {type(e).__name__}")
        except (httpx.RequestError, TimeoutError) as e:
            return Receipt.uncertain(_lost(e), f"POST: no answer, {type(e).__name__}")

    async def _answer(self, url: str, body: bytes, headers: Mapping[str, str]) -> Receipt:
        client = self._opened()
        async with client.stream("POST", url, content=body, headers=headers) as answer:
            text = await _short_body(answer)
            receipt = self._reading(answer.status_code, text) if self._reading else None
            return receipt or _read(answer.status_code, text)

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            limits = httpx.Limits(max_connections=self._workers)
            self._client = httpx.AsyncClient(
                transport=None if self._allow_private else OutwardTransport(limits),
                # Shorter than the whole, so that "nobody there" is told from "no answer".
                timeout=httpx.Timeout(self._timeout, connect=self._timeout / 2),
                follow_redirects=False,
                limits=limits,
                # A proxy from the environment would see what only the receiver should.
                trust_env=False,
            )
        return self._client


async def _short_body(answer: httpx.Response) -> bytes:
    """The body, so that the connection can be kept, and for its id; empty when it is long.

    The status has been given by then, so a body that does not come, or not whole, is none.
    """
    if int(answer.headers.get("Content-Length", 0)) >= _LONG:
        return b""
    text = b""
    try:
        async with asyncio.timeout(_PATIENCE):
            async for piece in answer.aiter_bytes():
                text += piece
                if len(text) >= _LONG:
                    return b""
    except (TimeoutError, httpx.RequestError):
        return b""
    return text


def _read(status: int, text: bytes) -> Receipt:
    """Only the status counts; the id is for people who look for it there."""
    detail = f"POST answered {status}"
    if status in _OK:
        return Receipt.accepted(provider_id=_provider_id(text), detail=detail)
    retryable = status in _RETRYABLE or status in _SERVER_ERRORS
    if status == httpx.codes.TOO_MANY_REQUESTS:
        reason = FailureReason.RATE_LIMITED
    elif status == httpx.codes.REQUEST_TIMEOUT:
        reason = FailureReason.TIMEOUT
    elif status in _AUTH:
        reason = FailureReason.AUTH
    else:
        reason = FailureReason.REJECTED
    return Receipt.failed(reason, retryable=retryable, detail=detail)


def _provider_id(text: bytes) -> str:
    """The `id` that the answer gives, or an object in it gives; empty when there is none."""
    told = json_of(text)
    inner = told.values() if isinstance(told, dict) else ()
    for one in (told, *inner):
        place = one[0] if isinstance(one, list) and one else one
        if isinstance(place, dict) and isinstance(place.get("id"), int | str):
            return str(place["id"])[:100]
    return ""


def _lost(error: Exception) -> FailureReason:
    if isinstance(error, (httpx.TimeoutException, TimeoutError)):
        return FailureReason.TIMEOUT
    return FailureReason.CONNECTION


def _checked_url(channel: str, url: str, settings: Mapping[str, Any]) -> str:
    where = f"channels.{channel}.url"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL) as e:
        raise SettingsError(f"{where}: is no URL") from e
    if parts.scheme not in {"http", "https"} or not host or not url.isprintable() or " " in url:
        raise SettingsError(f"{where}: is no URL; write https://host/path")
    if is_inward(host) and not settings.get("allow_private", False):
        raise SettingsError(
            f"{where}: leads to this machine or into a private network; "
            "allow_private: true posts there all the same"
        )
    if parts.scheme == "http" and host not in THIS_MACHINE and not settings.get("allow_http"):
        raise SettingsError(
            f"{where}: must be https beyond this machine; "
            "allow_http: true sends it in the clear all the same"
        )
    return url
