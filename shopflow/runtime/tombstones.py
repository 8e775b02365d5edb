"""Who was erased, as a process knows it: nothing about them from before then is taken in again."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import orjson

from shopflow.domain.event import Event, Input, time_of
from shopflow.runtime.hashes import Hashes
from shopflow.runtime.ingest import Accepted, Refused
from shopflow.store.protocol import Batch

_EVER = datetime.min.replace(tzinfo=UTC)


class Tombstones:
    """The tombstones of the store, read on in every batch."""

    def __init__(self, hashes: Hashes) -> None:
        self._hashes = hashes
        self._read_to = 0
        self._at: dict[str, datetime] = {}

    def refresh(self, batch: Batch) -> None:
        """Those are known that stand when this batch ends."""
        for seq, hash_, at in batch.tombstones(self._read_to):
            self._read_to = seq
            self._at[hash_] = max(at, self._at.get(hash_, at))

    def refuse(self, ids: Iterable[object], at: datetime) -> bool:
        """True when one of these ids is somebody's who was erased at or after that instant."""
        if not self._at:
            return False
        return any(
            (erased := self._at.get(self._hashes.customer(each))) is not None and at <= erased
            for each in ids
            if isinstance(each, str)
        )

    def refuse_input(self, read: Accepted | Refused) -> bool:
        """True when what came in is about somebody who was erased after it."""
        if isinstance(read, Refused):
            return self.refuse_raw(read.raw)
        return self.refuse_event(read.event)

    def refuse_event(self, event: Event) -> bool:
        """True when the event is about somebody who was erased after it."""
        if not self._at:
            return False
        named = (event.concerns, event.customer_id, event.anonymous_id)
        told = (event.data.get(name) for name in ("customer_id", "anonymous_id"))
        return self.refuse((*named, *told), event.occurred_at)

    def refuse_raw(self, raw: str) -> bool:
        """True when a refused input names somebody who was erased: not even that is kept."""
        if not self._at:
            return False
        try:
            given = orjson.loads(raw)
        except orjson.JSONDecodeError:
            # Whose it is cannot be told; dead letters go after a while.
            return False
        fields = given if isinstance(given, dict) else {}
        data = fields.get("data")
        data = data if isinstance(data, dict) else {}
        names = ("customer_id", "anonymous_id")
        # When it happened may be what is wrong with it.
        return self.refuse([each.get(n) for each in (fields, data) for n in names], _EVER)

    def refuse_told(self, to: str, given: Input) -> bool:
        """True when what somebody is told is from before their erasure."""
        return self.refuse((to,), time_of(given))
