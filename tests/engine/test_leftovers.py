"""What a decision leaves behind in memory."""

import gc

from support.engine import DAY, HOUR, Life, a_send, a_wait, a_workflow, cel

from shopflow.domain.journal import Queue
from shopflow.domain.trait import Segment


def test_a_decision_leaves_nothing_to_the_garbage_collector():
    """Values that hold one another stay until it stops the process to look for them."""
    keen = Segment(name="keen", when=cel("reachable.email"))
    vip = Segment(name="vip", when=cel("segments.keen"))
    word = a_send(
        only_if=cel("vars.big && segments.vip"), variables={"total": cel("trigger.total")}
    )
    workflow = a_workflow(
        steps=[a_wait(), word],
        let={"total": cel("trigger.total"), "big": cel("vars.total > 10")},
    )
    life = Life(workflow, segments={"keen": keen, "vip": vip})
    life.event(total=50)
    life.tick(HOUR)
    gc.collect()
    gc.disable()
    try:
        life.event(at=DAY, total=50)
        life.tick(DAY + HOUR)
        assert gc.collect() == 0
    finally:
        gc.enable()
    assert len(life.of(Queue)) == 2
