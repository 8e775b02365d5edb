"""A customer whose parts are read from its stored state one by one, as they are asked for.

Most events touch little of what is known of a customer: what nobody asks for is neither turned
into values nor, when it is written again, back. Which parts there are and how each is kept is
`shopflow.domain.codec`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from types import MappingProxyType
from typing import Any, cast

from shopflow.domain.codec_making import changer
from shopflow.domain.customer import Customer, Stand
from shopflow.domain.ids import CustomerId

#: Reads the named part out of a state; of `stands` it is where the enrolments stand.
ReadPart = Callable[[Mapping[str, Any], str], object]

_FIELDS = tuple(field.name for field in fields(Customer))
_change = changer(Customer)
_set = object.__setattr__
_NOTHING: Mapping[str, object] = MappingProxyType({})


class StoredCustomer(Customer):
    """A customer, equal to any other with the same parts."""

    __slots__ = ("_read_part", "at_hand", "changes", "state")

    #: As it came out of JSON, or before the changes.
    state: Mapping[str, Any]
    #: The parts that were read when it was made.
    at_hand: Mapping[str, object]
    #: The parts that are no longer those of the state.
    changes: Mapping[str, object]
    _read_part: ReadPart

    def __new__(cls, **parts: Any) -> Customer:  # type: ignore[misc]
        """Whoever makes one by its parts, as `dataclasses.replace` does, gets a plain customer."""
        return Customer(**parts)

    def __getattr__(self, name: str) -> object:
        # Asked for when the slot is empty, which a part is until it is read.
        if name not in _FIELDS:
            raise AttributeError(name)
        value = self._read_part(self.state, name)
        _set(self, name, value)
        return value

    @property
    def stands(self) -> list[Stand]:
        """See `Customer`; enrolments that have not changed are not made for it."""
        if "enrolments" in self.changes:
            return super().stands
        stands: list[Stand] = self._read_part(self.state, "stands")  # type: ignore[assignment]
        return stands

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Customer):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in _FIELDS)

    __hash__ = Customer.__hash__


class _Open(Customer):
    """A stored customer in the making: with the same slots, and not frozen.

    Setting the fields of a frozen one by calls would be most of what making it costs.
    """

    __slots__ = ("_read_part", "at_hand", "changes", "state")
    __setattr__ = object.__setattr__


def stored(
    customer_id: CustomerId,
    state: Mapping[str, Any],
    parts: Mapping[str, object],
    read_part: ReadPart,
    changes: Mapping[str, object] = _NOTHING,
) -> Customer:
    """The customer of a state that came out of JSON, of which these parts have been read.

    The changes are parts that differ from the state.
    """
    made: Any = object.__new__(_Open)
    made.id = customer_id
    made.state = state
    made.at_hand = parts
    made.changes = changes
    made._read_part = read_part  # noqa: SLF001 - its maker
    for known in (parts, changes) if changes else (parts,):
        for name, value in known.items():
            setattr(made, name, value)
    made.__class__ = StoredCustomer
    return cast("Customer", made)


def with_parts(customer: Customer, changes: Mapping[str, object]) -> Customer:
    """The customer with other parts; the same one when there are none."""
    if not changes:
        return customer
    if type(customer) is not StoredCustomer:
        return _change(customer, changes)
    both = {**customer.changes, **changes}
    return stored(customer.id, customer.state, customer.at_hand, customer._read_part, both)  # noqa: SLF001 - its maker
