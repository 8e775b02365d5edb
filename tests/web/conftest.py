"""One shop with pages for all tests of a module; each test has people of its own."""

from __future__ import annotations

from uuid import uuid4

import pytest
from support.pages import pages_in_process


@pytest.fixture(scope="module")
def inside(tmp_path_factory):
    with pages_in_process(tmp_path_factory.mktemp("pages")) as found:
        yield found


@pytest.fixture
def anna(inside):
    """A customer who has agreed to marketing by e-mail."""
    name = f"anna-{uuid4().hex[:8]}"
    inside.tell(name, "customer.updated", email=f"{name}@example.com", first_name="Anna")
    inside.tell(name, "consent.confirmed", channel="email", purpose="marketing")
    return name
