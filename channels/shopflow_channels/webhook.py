"""The webhook channel: a signed JSON POST to one of the shop's own services.

```yaml
channels:
  webhook: {url: "https://hooks.boutique.example/shopflow", secret: "${WEBHOOK_SECRET}"}
```

The body is the template's JSON, or without a template the message's values. The receiver checks
`Shopflow-Signature: t=<unix time>,v1=<hex>`, an HMAC-SHA256 over `<unix time>.<body>` with the
secret, and recognises a repetition by `Idempotency-Key`.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, ClassVar
from urllib.parse import urlsplit

import httpx

from shopflow.channel import ContentSpec, FailureReason, Message, OnUncertain, Receipt
from shopflow.errors import SettingsError

_THIS_MACHINE = frozenset({"localhost", "127.0.0.1", "::1"})
_RETRYABLE = frozenset({408, 425, 429})
_AUTH = frozenset({401, 403, 407})
_OK = range(200, 300)
_SERVER_ERRORS = range(500, 600)
#: Bytes from which an answer's body is not worth reading.
_LONG = 65_536

#: Failures after which the receiver cannot have seen the request.
_NEVER_LEFT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class WebhookChannel:
    """Posts messages to one URL; needs no address of the customer."""

    name: ClassVar[str] = "webhook"
    settings_schema: ClassVar[Mapping[str, object]] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "additionalProperties": False,
        "required": ["url", "secret"],
        "properties": {
            "url": {"type": "string", "minLength": 8, "x-secret": True},
            "secret": {"type": "string", "minLength": 16, "x-secret": True},
            "allow_http": {
                "type": "boolean",
                "default": False,
                "description": "Allow http beyond this machine: bodies can be read on the way",
            },
            "headers": {
                "type": "object",
                "additionalProperties": {"type": "string", "pattern": r"^[\x20-\x7e]*$"},
                "propertyNames": {"pattern": r"^[A-Za-z0-9-]+$"},
                "x-secret": True,
            },
            "timeout": {"type": "number", "exclusiveMinimum": 0, "maximum": 120, "default": 10},
            "connections": {"type": "integer", "minimum": 1, "maximum": 100, "default": 4},
        },
    }
    needs_address: ClassVar[bool] = False
    content: ClassVar[ContentSpec] = ContentSpec(extensions=("json",), optional=("body",))
    #: A repetition carries the same Idempotency-Key.
    on_uncertain: ClassVar[OnUncertain] = OnUncertain.RESEND

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self._url = _checked_url(settings["url"], allow_http=settings.get("allow_http", False))
        self._secret: bytes = settings["secret"].encode()
        self._headers: Mapping[str, str] = settings.get("headers", {})
        self._timeout = float(settings.get("timeout", 10))
        self._workers: int = settings.get("connections", 4)
        self._client: httpx.AsyncClient | None = None

    async def send(self, messages: Sequence[Message]) -> AsyncIterator[tuple[str, Receipt]]:
        """Each message's receipt as it is answered; as many at a time as connections."""
        room = asyncio.Semaphore(self._workers)

        async def attempt(message: Message) -> tuple[str, Receipt]:
            async with room:
                return message.id, await self._post(message)

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

    async def _post(self, message: Message) -> Receipt:
        body = _body(message)
        stamp = str(int(time.time()))
        headers = {
            **self._headers,
            "Content-Type": "application/json",
            "Idempotency-Key": message.id.encode("ascii", "backslashreplace").decode("ascii"),
            "Shopflow-Signature": f"t={stamp},v1={signature(self._secret, stamp, body)}",
        }
        try:
            async with asyncio.timeout(self._timeout):
                return await self._answer(body, headers)
        except _NEVER_LEFT as e:
            return Receipt.failed(_lost(e), retryable=True, detail=f"POST: {type(e).__name__}")
        except (httpx.RequestError, TimeoutError) as e:
            return Receipt.uncertain(_lost(e), f"POST: no answer, {type(e).__name__}")

    async def _answer(self, body: bytes, headers: Mapping[str, str]) -> Receipt:
        client = self._opened()
        async with client.stream("POST", self._url, content=body, headers=headers) as answer:
            # Only the status counts. A short body is read so that the connection can be kept.
            if int(answer.headers.get("Content-Length", _LONG)) < _LONG:
                await answer.aread()
            return _read(answer.status_code)

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(
                # Shorter than the whole, so that "nobody there" is told from "no answer".
                timeout=httpx.Timeout(self._timeout, connect=self._timeout / 2),
                follow_redirects=False,
                limits=httpx.Limits(max_connections=self._workers),
                # A proxy from the environment would see what only the receiver should.
                trust_env=False,
            )
        return self._client


def signature(secret: bytes, stamp: str, body: bytes) -> str:
    """The hex HMAC-SHA256 of `stamp.body`, as the receiver computes it to compare."""
    return hmac.new(secret, stamp.encode() + b"." + body, sha256).hexdigest()


def _body(message: Message) -> bytes:
    if text := message.content.get("body"):
        return text.encode(errors="replace")
    whole = {
        "id": message.id,
        "created_at": message.created_at.isoformat(),
        "customer_id": message.customer_id,
        "workflow": message.workflow,
        "step": message.step,
        "values": dict(message.variables),
    }
    return json.dumps(whole, default=str).encode()


def _read(status: int) -> Receipt:
    detail = f"POST answered {status}"
    if status in _OK:
        return Receipt.accepted(detail=detail)
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


def _lost(error: Exception) -> FailureReason:
    if isinstance(error, (httpx.TimeoutException, TimeoutError)):
        return FailureReason.TIMEOUT
    return FailureReason.CONNECTION


def _checked_url(url: str, *, allow_http: bool) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as e:
        raise SettingsError("channels.webhook.url: is no URL") from e
    if parts.scheme not in {"http", "https"} or not host or not url.isprintable() or " " in url:
        raise SettingsError("channels.webhook.url: is no URL; write https://host/path")
    if parts.scheme == "http" and host not in _THIS_MACHINE and not allow_http:
        raise SettingsError(
            "channels.webhook.url: must be https beyond this machine; "
            "allow_http: true sends it in the clear all the same"
        )
    return url
