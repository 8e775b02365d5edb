"""A small client for shops: sends events to the Redis queue or to the HTTP door.

Light on purpose: it needs `redis` or `httpx`, whichever way is chosen, and nothing of the rest.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

from shopflow.errors import SettingsError, ShopflowError

#: Events that go together; the HTTP door takes no more than 1,000 and 8 MiB.
BATCH = 500
BATCH_BYTES = 4 * 1024 * 1024
#: Tries of one batch, and seconds before the second; the pause doubles.
TRIES = 6
PAUSE = 0.5
#: Seconds between two looks at a queue that is too long.
WAIT = 1.0

#: An event as an object, or as JSON that is sent as it is.
Sendable = Mapping[str, object] | bytes | str


class NotSent(ShopflowError):  # noqa: N818 - the name is the claim
    """Raised when events could not be handed over; send the same again, doubles are recognised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What was handed over."""

    events: int = 0
    #: Refused by the HTTP door as they came; kept there as dead letters, with their reasons.
    refused: int = 0

    def __add__(self, other: Sent) -> Sent:
        return Sent(events=self.events + other.events, refused=self.refused + other.refused)


class _Way(Protocol):
    def put(self, raws: list[bytes]) -> Sent:
        """Hands the batch over; raises `_TryAgain` when it may go later."""
        ...

    def close(self) -> None:
        """Lets go of connections."""


class _TryAgain(Exception):  # noqa: N818 - never leaves this module
    def __init__(self, reason: str, after: float = 0.0) -> None:
        super().__init__(reason)
        self.after = after


class Client:
    """Sends events; safe to use for one batch or for millions.

    An event may arrive twice when a connection breaks, which its id makes harmless.
    """

    def __init__(
        self,
        *,
        redis_url: str = "",
        url: str = "",
        api_key: str = "",
        namespace: str = "shopflow",
        max_length: int = 0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Sends to the queue at `redis_url`, or to the HTTP door at `url`.

        With `max_length`, it waits while more entries than that are in the queue.
        """
        if bool(redis_url) == bool(url):
            raise SettingsError("name either redis_url or url")
        self._way: _Way = (
            _Queue(redis_url, namespace, max_length) if redis_url else _Http(url, api_key)
        )
        self._sleep = sleep

    def send(self, *events: Sendable) -> Sent:
        """The events are with shopflow.

        Raises:
            NotSent: Some may not be; send them all again.
        """
        sent = Sent()
        for one in self.send_all(events):
            sent += one
        return sent

    def send_all(self, events: Iterable[Sendable]) -> Iterator[Sent]:
        """Sends in batches, and tells of each; see `send` for what is raised."""
        batch: list[bytes] = []
        size = 0
        for raw in map(_raw, events):
            if batch and (len(batch) == BATCH or size + len(raw) > BATCH_BYTES):
                yield self._put(batch)
                batch, size = [], 0
            batch.append(raw)
            size += len(raw)
        if batch:
            yield self._put(batch)

    def close(self) -> None:
        """Lets go of connections."""
        self._way.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _put(self, batch: list[bytes]) -> Sent:
        pause, tries = PAUSE, 0
        while True:
            try:
                return self._way.put(batch)
            except _TryAgain as e:
                # Being asked to wait is no failure: it goes on as soon as there is room.
                tries += not e.after
                if tries >= TRIES:
                    raise NotSent(f"{len(batch)} events are not known to be taken: {e}") from e
                self._sleep(e.after or pause)
                pause *= 1 if e.after else 2


class _Queue:
    """The door in Redis: one entry for each event, a batch in one round trip."""

    def __init__(self, url: str, namespace: str, max_length: int) -> None:
        import redis  # noqa: PLC0415 - only needed this way

        self._errors = redis.RedisError
        try:
            self._redis: Any = redis.Redis.from_url(url)
        except ValueError as e:
            raise SettingsError(f"redis_url: {e}") from e
        self._key = f"{namespace}:events"
        self._max_length = max_length

    def put(self, raws: list[bytes]) -> Sent:
        try:
            if self._max_length and self._redis.xlen(self._key) >= self._max_length:
                raise _TryAgain("the queue is full", WAIT)
            with self._redis.pipeline(transaction=False) as pipe:
                for raw in raws:
                    pipe.xadd(self._key, {"event": raw})
                pipe.execute()
        except self._errors as e:
            raise _TryAgain(str(e)) from e
        return Sent(events=len(raws))

    def close(self) -> None:
        self._redis.close()


class _Http:
    """The HTTP door: JSON lines, a batch in one request."""

    def __init__(self, url: str, api_key: str) -> None:
        import httpx  # noqa: PLC0415 - only needed this way

        self._errors = httpx.TransportError
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._client = httpx.Client(headers=headers, timeout=30.0)
        self._url = f"{url.rstrip('/').removesuffix('/v1/events')}/v1/events"

    def put(self, raws: list[bytes]) -> Sent:
        # A line break in an event would make two of it.
        body = b"\n".join(raw.replace(b"\r", b" ").replace(b"\n", b" ") for raw in raws)
        try:
            answer = self._client.post(self._url, content=body)
        except self._errors as e:
            raise _TryAgain(f"{type(e).__name__} {e}") from e
        if answer.status_code in {429, 503}:
            raise _TryAgain(f"{self._url} answers {answer.status_code}", _seconds(answer))
        if answer.status_code not in {202, 422}:
            raise NotSent(f"{self._url} answers {answer.status_code}: {answer.text[:300]}")
        return Sent(events=len(raws), refused=int(answer.json().get("dead_letter", 0)))

    def close(self) -> None:
        self._client.close()


def _seconds(answer: Any) -> float:
    told = answer.headers.get("retry-after", "")
    return float(told) if told.isdigit() else WAIT


def _raw(event: Sendable) -> bytes:
    if isinstance(event, bytes):
        return event
    if isinstance(event, str):
        return event.encode(errors="surrogatepass")
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode(
        errors="surrogatepass"
    )
