"""The ten workflows of `bench run` that do all that happens, as their files would say it."""

from __future__ import annotations

#: What the templates are given.
LET = {
    "first_name": 'has(customer.first_name) ? customer.first_name : ""',
    "items": "has(trigger.items) ? trigger.items : []",
}
_WITH = {"first_name": "vars.first_name", "items": "vars.items"}
_GOAL = {
    "event": "order.placed",
    "within": "7d",
    "since": "last_send",
    "value": "has(event.total) ? event.total : 0.0",
}
_BOUGHT = {"id": "purchased", "event": "order.placed", "outcome": "converted"}


def _send(name: str, **more: object) -> dict[str, object]:
    return {"id": name, "send": "email", "template": "shop/word", "with": _WITH, **more}


def _wait(name: str, length: str) -> dict[str, object]:
    return {"id": name, "wait": length}


_FROM_LIST = {"let": {**LET, "items": "[]"}}

#: Name -> the workflow, but for what all have in common.
WORKFLOWS: dict[str, dict[str, object]] = {
    "abandoned-cart": {
        "purpose": "cart_recovery",
        "priority": 60,
        "tags": ["cart"],
        "holdout": "5%",
        "trigger": {
            "event": "cart.updated",
            "when": "has(event.items) && size(event.items) > 0 && event.total >= 20",
            "key": "event.cart_id",
            "reentry": "restart",
            "cooldown": "7d",
        },
        "exit_on": [
            _BOUGHT,
            {
                "id": "emptied",
                "event": "cart.updated",
                "when": "event.cart_id == trigger.cart_id && size(event.items) == 0",
                "outcome": "lost",
            },
        ],
        "steps": [
            _wait("settle", "1h"),
            _send("reminder", only_if="in_stock(trigger.items)", max_lateness="6h"),
            _wait("cool_off", "23h"),
            {
                "id": "second_touch",
                "choose": [
                    {"when": "trigger.total >= 90", "then": [_send("offer")]},
                    {"else": [{"id": "enough", "end": "reminded_once"}]},
                ],
            },
        ],
        "goal": _GOAL,
    },
    "abandoned-checkout": {
        "purpose": "cart_recovery",
        "priority": 65,
        "trigger": {
            "event": "checkout.started",
            "when": "has(event.checkout_id)",
            "key": "event.checkout_id",
            "reentry": "restart",
        },
        "exit_on": [_BOUGHT],
        "steps": [_wait("settle", "30m"), _send("reminder")],
        "goal": _GOAL,
    },
    "browse-abandonment": {
        "purpose": "marketing",
        "priority": 20,
        "trigger": {
            "event": "product.viewed",
            "when": "has(event.category) && event.price >= 300",
            "cooldown": "30d",
        },
        "exit_on": [
            _BOUGHT,
            {
                "id": "filled_a_cart",
                "event": ["cart.updated", "checkout.started"],
                "outcome": "went_on",
            },
        ],
        "let": {**LET, "items": "[trigger] + gathered"},
        "steps": [
            {"id": "looking", "wait": {"for": "1d", "gather": 6}},
            _send("first"),
            _wait("third_day", "2d"),
            _send("second"),
        ],
        "goal": _GOAL,
    },
    "order-follow-up": {
        "purpose": "service",
        "priority": 90,
        "trigger": {
            "event": "order.placed",
            "when": "size(event.items) > 0",
            "key": "event.order_id",
        },
        "exit_on": [
            {
                "id": "canceled",
                "event": "order.canceled",
                "when": "event.order_id == trigger.order_id",
                "outcome": "canceled",
            }
        ],
        "steps": [
            _send("confirmation"),
            {
                "id": "shipped",
                "wait_for": "order.delivered",
                "match": {"order_id": "trigger.order_id"},
                "timeout": "14d",
                "then": [_send("arrived")],
                "else": [{"id": "silent", "end": "never_arrived"}],
            },
        ],
    },
    "thank-you-review": {
        "purpose": "review",
        "trigger": {
            "event": "order.delivered",
            "when": "size(event.items) > 0",
            "key": "event.order_id",
            "reentry": "once",
        },
        "exit_on": [
            {
                "id": "sent_back",
                "event": ["return.opened", "order.refunded", "order.canceled"],
                "when": "has(event.order_id) && event.order_id == trigger.order_id",
                "outcome": "sent_back",
            }
        ],
        "steps": [_wait("two_weeks", "14d"), _send("ask", max_lateness="3d")],
        "goal": {"event": "review.posted", "within": "14d", "since": "last_send"},
    },
    "win-back": {
        "purpose": "marketing",
        "priority": 40,
        "trigger": {"event": "order.placed", "reentry": "restart"},
        "exit_on": [
            {
                "id": "came_back",
                "event": "order.placed",
                "when": "event.occurred_at > trigger.occurred_at",
                "outcome": "converted",
            }
        ],
        "steps": [_wait("long_ago", "180d"), _send("offer")],
        "goal": _GOAL,
        "in_flight": {"on_change": "pin", "max_age": "400d"},
    },
    "welcome": {
        "purpose": "marketing",
        "priority": 70,
        "trigger": {
            "event": "newsletter.subscribed",
            "when": "!segments.buyer",
            "reentry": "once",
        },
        **_FROM_LIST,
        "steps": [_send("thanks"), _wait("first_days", "3d"), _send("about_us")],
    },
    "vip": {
        "purpose": "marketing",
        "priority": 80,
        "trigger": {"segment": "vip", "on": "enters", "reentry": "once"},
        **_FROM_LIST,
        "steps": [
            {"id": "tier", "set": {"add_tags": ["vip"]}},
            _wait("next_day", "1d"),
            _send("word"),
        ],
    },
    "birthday": {
        "purpose": "marketing",
        "priority": 75,
        "trigger": {"date": "customer.birthday", "every": "year", "at": "09:00"},
        **_FROM_LIST,
        "steps": [_send("gift"), _wait("almost_over", "11d"), _send("reminder")],
    },
    "newsletter": {
        "purpose": "marketing",
        "priority": 10,
        "trigger": {
            "schedule": {"cron": "0 9 5 * *", "timezone": "Europe/Paris"},
            "audience": "segments.buyer",
            "spread": "2h",
        },
        **_FROM_LIST,
        "steps": [_send("issue")],
    },
}
