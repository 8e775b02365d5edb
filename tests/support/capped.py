"""More rules for the shop of the fault tests: messages that frequency caps hold back."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from datetime import timedelta

#: At most so many messages of the capped kind in any such time.
MOST, WITHIN = 2, timedelta(hours=1)

CAPPED = {
    "rules/policies/consent.yaml": """
apiVersion: shopflow/v1
kind: ConsentPolicy
purposes:
  service: {class: service}
  advice: {class: relationship}
""",
    "rules/policies/caps.yaml": f"""
apiVersion: shopflow/v1
kind: FrequencyCaps
caps:
  - id: advice-hour
    max: {MOST}
    in_any: {WITHIN.seconds}s
    classes: [relationship]
    if_capped: skip
""",
    # Of each product that is looked at, until the cap says no.
    "rules/workflows/shop/advice.yaml": """
apiVersion: shopflow/v1
kind: Workflow
id: advice
title: A word on what was looked at
owner: tests
status: live
purpose: advice
trigger: {event: product.viewed, key: event.sku, reentry: ignore}
steps:
  - {id: say, send: log, template: fact/advice}
""",
    # It keeps the whole cart for ten minutes.
    "rules/workflows/shop/basket.yaml": """
apiVersion: shopflow/v1
kind: Workflow
id: basket
title: How much is in the cart
owner: tests
status: live
purpose: service
trigger: {event: cart.updated, reentry: restart}
steps:
  - {id: settle, wait: 10m}
  - {id: say, send: log, template: fact/basket, with: {lines: string(size(trigger.items))}}
""",
    "rules/templates/fact/basket/log.en.txt": """---
purposes: [service]
variables: {lines: string}
---
{{ lines }} lines.
""",
    "rules/templates/fact/advice/log.en.txt": """---
purposes: [advice]
---
Well chosen.
""",
}


def most_within(sends):
    """The most capped messages that any customer got within the time of the cap."""
    times = defaultdict(list)
    for at, customer, workflow, *_ in sends:
        if workflow == "advice":
            times[customer].append(at)
    most = 0
    for each in times.values():
        each.sort()
        for number, at in enumerate(each):
            most = max(
                most, number + 1 - bisect_left(each, at - WITHIN + timedelta(microseconds=1))
            )
    return most
