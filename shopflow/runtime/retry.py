"""When a message that could not be handed over is tried again, and when no more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from shopflow.channel import Outcome, Receipt
from shopflow.domain.ids import fraction
from shopflow.errors import FailureReason

#: The least and most that jitter makes of a pause.
LEAST, MOST = 0.75, 1.25


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """Pauses that double from `first` to `longest`."""

    first: timedelta = timedelta(seconds=2)
    longest: timedelta = timedelta(minutes=30)
    max_attempts: int = 200
    #: From the decision on.
    max_age: timedelta = timedelta(hours=72)

    def pause(self, message_id: str, attempt: int) -> timedelta:
        """The time until the next attempt after this one, counted from 1.

        The jitter is a hash of both, so that messages that failed together do not come back
        together and a message's pauses are the same in every run.
        """
        # 2**40 seconds are longer than every pause; the exponent must not grow without end.
        plain: timedelta = min(self.first * 2 ** min(attempt - 1, 40), self.longest)
        return plain * (LEAST + (MOST - LEAST) * fraction(message_id, str(attempt)))

    def gives_up(self, attempt: int, age: timedelta) -> bool:
        """True when there is no attempt after this one."""
        return attempt >= self.max_attempts or age > self.max_age


#: Failures of the channel rather than of one message: the others wait with it.
_CHANNEL_DOWN = frozenset({FailureReason.CONNECTION, FailureReason.TIMEOUT, FailureReason.AUTH})
#: The longest that a channel rests.
_LONGEST_REST = timedelta(seconds=30)


class Rest:
    """How long a channel that cannot be reached is left alone, by a clock in seconds."""

    def __init__(self, policy: RetryPolicy, clock: Callable[[], float]) -> None:
        self._policy = policy
        self._clock = clock
        self._failures = 0
        self._until = 0.0

    def note(self, receipt: Receipt) -> None:
        """Takes a receipt into account."""
        if receipt.outcome is not Outcome.FAILED or receipt.reason not in _CHANNEL_DOWN:
            self._failures = 0
            self._until = 0.0
        elif not self.left:
            self._failures += 1
            pause = min(self._policy.pause("rest", self._failures), _LONGEST_REST)
            self._until = self._clock() + pause.total_seconds()

    @property
    def left(self) -> float:
        """Seconds of rest that are left."""
        return max(self._until - self._clock(), 0.0)
