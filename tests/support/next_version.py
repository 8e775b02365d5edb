"""A worker of the release after this one: it writes customers in a shape that this one cannot read.

Run as a program. The shape is made up: what the watermark is called has changed.
"""

from __future__ import annotations

from shopflow.domain import codec

OLD, NEW = "w", "watermark"
PRESENT = codec.STATE_VERSION
NEXT = PRESENT + 1

_to_state, _from_state = codec.customer_to_state, codec.customer_from_state


def renamed(state, before, after):
    return {after if key == before else key: value for key, value in state.items()}


def upcast(state):
    """What the next release would add to the upcasters."""
    return renamed(state, OLD, NEW)


def to_state(customer):
    return upcast(_to_state(customer))


def from_state(customer_id, state, version, next_due_at=None):
    if version == PRESENT:
        state, version = codec.UPCASTERS[PRESENT](state), NEXT
    assert version == NEXT
    return _from_state(customer_id, renamed(state, NEW, OLD), codec.STATE_VERSION, next_due_at)


if __name__ == "__main__":
    # Only in a process of its own, and before anything else has taken these names.
    codec.STATE_VERSION = NEXT
    codec.UPCASTERS[PRESENT] = upcast
    codec.customer_to_state = to_state
    codec.customer_from_state = from_state

    from shopflow.cli.main import main

    main()
