"""Who waits for which event about no customer, and whom such an event is told to."""

from __future__ import annotations

from shopflow.domain.customer import Awaited, Customer
from shopflow.domain.event import Event, News
from shopflow.domain.ids import CustomerId, EnrolmentId
from shopflow.engine import Rulebook
from shopflow.engine.news import Place, addressed, keys_of


class Waiting:
    """Enrolments by what they await, kept up to date as their customers change."""

    def __init__(self) -> None:
        self._places: dict[tuple[str, str], dict[EnrolmentId, Place]] = {}

    def add(self, awaited: Awaited, enrolment: EnrolmentId, customer: CustomerId) -> None:
        """The enrolment of this customer awaits it."""
        key = (awaited.event_type, awaited.key)
        self._places.setdefault(key, {})[enrolment] = (awaited.since, enrolment, customer)

    def change(self, before: Customer | None, after: Customer) -> None:
        """The customer is no longer as before but as after."""
        for enrolment in before.enrolments if before is not None else ():
            for one in enrolment.awaits:
                self._drop((one.event_type, one.key), enrolment.id, after.id)
        for enrolment in after.enrolments:
            for one in enrolment.awaits:
                self.add(one, enrolment.id, after.id)

    def told(self, rulebook: Rulebook, event: Event) -> list[tuple[CustomerId, News]]:
        """Who is to hear of the event: whoever waited for it before its instant, longest first."""
        found: set[Place] = set()
        for key in keys_of(rulebook, event):
            places = self._places.get((event.type, key), {}).values()
            found.update(place for place in places if place[0] < event.occurred_at)
        return addressed(event, sorted(found))

    def _drop(self, key: tuple[str, str], enrolment: EnrolmentId, customer: CustomerId) -> None:
        places = self._places.get(key, {})
        # A merge may have handed it to another customer already.
        if enrolment in places and places[enrolment][2] == customer:
            del places[enrolment]
            if not places:
                del self._places[key]
