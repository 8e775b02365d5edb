"""What the garbage collector is spared while a process decides."""

from __future__ import annotations

import gc

import pytest

from shopflow.runtime.memory import YOUNG, settled


@pytest.fixture(autouse=True)
def _nothing_stays_yet():
    """As in a process that runs no tests."""
    gc.unfreeze()
    yield
    gc.freeze()


def test_what_was_loaded_is_looked_at_again_only_when_the_work_is_over() -> None:
    pace, frozen = gc.get_threshold(), gc.get_freeze_count()
    loaded = [{"rule": number} for number in range(10_000)]
    with settled():
        assert gc.get_freeze_count() >= frozen + len(loaded)
        assert gc.get_threshold() == (YOUNG, *pace[1:])
    assert gc.get_freeze_count() == 0
    assert gc.get_threshold() == pace


def test_a_process_whose_work_fails_collects_again_as_it_did_before() -> None:
    pace = gc.get_threshold()
    with pytest.raises(OSError, match="gone"), settled():
        raise OSError("gone")
    assert gc.get_threshold() == pace


def test_within_another_nothing_is_looked_at_anew() -> None:
    pace = gc.get_threshold()
    with settled():
        frozen = gc.get_freeze_count()
        with settled():
            assert gc.get_freeze_count() == frozen
        assert gc.get_freeze_count() == frozen
        assert gc.get_threshold() == (YOUNG, *pace[1:])
    assert gc.get_threshold() == pace
