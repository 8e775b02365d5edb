"""A small shop with marketing, a mail sink, and the commands run in this process."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from click.testing import CliRunner
from support.running import a_project, an_event, write_events

from shopflow.cli.main import main

FILES = {
    "rules/policies/consent.yaml": """
apiVersion: shopflow/v1
kind: ConsentPolicy
purposes:
  service: {class: service}
  review: {class: relationship}
  marketing: {class: marketing, channels: {email: {}}}
  tracking: {class: tracking}
""",
    # Every look at a product is answered by an offer; every cart by a service mail.
    "rules/workflows/offer.yaml": """
apiVersion: shopflow/v1
kind: Workflow
id: offer
version: 1
title: Offer
owner: team
status: live
purpose: marketing
trigger: {event: search.performed, key: event.id, reentry: parallel}
steps:
  - {id: tell, send: email, template: offer}
""",
    "rules/templates/offer/email.en.txt": """---
subject: "An offer"
purposes: [marketing]
---
Cheap today.
""",
}


def ago(**length):
    return (datetime.now(UTC) - timedelta(**length)).isoformat()


class Shop:
    """A project in a folder, whose commands are run here."""

    def __init__(self, folder, port, **files):
        self.folder = a_project(folder, port, **{**FILES, **files})
        self._number = 0

    def call(self, *words, code=0, given=None):
        """What a command prints; standard error too where it fails."""
        words = [*words, "--project", str(self.folder)]
        result = CliRunner().invoke(main, words, input=given)
        assert result.exit_code == code, result.output + result.stderr
        return result.output + (result.stderr if code else "")

    def event(self, event_type, customer="anna", at=None, **data):
        self._number += 1
        told = an_event(self._number, customer, event_type, at or ago(minutes=1), **data)
        return {**told, "id": data.pop("event_id", f"{event_type}-{self._number}")}

    def run(self, *events):
        """The events come in and everything is delivered."""
        self._number += 1
        path = self.folder / f"events-{self._number}.jsonl"
        self.call("run", str(write_events(path, events)))

    def search(self, customer="anna", **more):
        return self.event("search.performed", customer, **{"query": "lamp", **more})

    def known(self, customer="anna", **data):
        """The customer, with an address and consent."""
        given = {"email": f"{customer}@example.com", **data}
        return [
            self.event("customer.updated", customer, ago(hours=2), **given),
            self.event(
                "consent.granted",
                customer,
                ago(hours=1),
                channel="email",
                purpose="marketing",
                source="checkout",
                text_version="v3",
                proof="form 7",
            ),
        ]
