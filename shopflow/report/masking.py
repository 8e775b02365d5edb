"""Personal data on its way to a screen or a log: masked unless somebody asks for it by name."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from shopflow.lang.schemas import Schema, marked
from shopflow.report.sentences import masked

#: What stands where nothing may be shown.
BLANK = "***"
#: Of attributes that no schema speaks of, those that always say who somebody is.
_ALWAYS = frozenset({"email", "phone", "first_name", "last_name", "name", "birthday", "address"})
_ADDRESS = re.compile(r"[^\s@<>,;:'\"()\[\]]+@[^\s@<>,;:'\"()\[\]]+\.[a-z]{2,}", re.IGNORECASE)
_PHONE = re.compile(r"(?<![\w.+-])\+\d[\d ]{6,16}\d\b")


class Mask:
    """Shows values by their names; what a schema marks `x-secret` is never shown."""

    def __init__(
        self, personal: Collection[str] = (), secret: Collection[str] = (), *, off: bool = False
    ) -> None:
        self._personal = _ALWAYS | frozenset(personal)
        self._secret = frozenset(secret)
        self._off = off

    def shown(self, value: object, name: str = "") -> object:
        """The value, of a field or of a path of fields, as it may be shown."""
        last = name.rpartition(".")[2]
        if last in self._secret and value is not None:
            return BLANK
        match value:
            case Mapping():
                # Of a personal object each part is personal, whatever it is called.
                return {
                    str(key): self.shown(inner, name if last in self._personal else str(key))
                    for key, inner in value.items()
                }
            case list() | tuple():
                return [self.shown(inner, name) for inner in value]
            case None | bool():
                return value
            case _ if self._off:
                return value
            case str() if last in self._personal:
                return masked(value)
            case _ if last in self._personal:
                return BLANK
            case str():
                return self.text(value)
            case _:
                return value

    def text(self, text: str) -> str:
        """Words, in which addresses are masked wherever they stand."""
        if self._off:
            return text
        text = _ADDRESS.sub(lambda found: masked(found[0]), text)
        return _PHONE.sub(lambda found: masked(found[0]), text)

    def address(self, address: str) -> str:
        """Where a message went."""
        return address if self._off else masked(address)


def mask_of(schemas: Iterable[Schema], *, off: bool = False) -> Mask:
    """The mask for payloads of these schemas."""
    known = list(schemas)
    personal = {name for schema in known for name in marked(schema, "x-personal")}
    secret = {name for schema in known for name in marked(schema, "x-secret")}
    return Mask(personal, secret, off=off)
