"""The pages that customers see, put together: what `run --http` and `serve` have in common."""

from __future__ import annotations

from collections.abc import Callable

from starlette.routing import Route

from shopflow.domain.ruleset import Ruleset
from shopflow.lang.project import Project
from shopflow.runtime.contact import region_of
from shopflow.runtime.links import Links
from shopflow.runtime.wishes import Wishes
from shopflow.web import (
    confirm,
    onsite,
    preferences,
    providers,
    push,
    questions,
    reading,
    subscribe,
    unsubscribe,
)
from shopflow.web.office import Office, Runs
from shopflow.web.pages import Pages
from shopflow.web.probes import bears
from shopflow.web.tokens import Desk


def customer_pages(
    project: Project,
    ruleset: Ruleset,
    links: Links,
    *,
    run: Runs,
    wishes: Callable[[], Wishes],
    api_key: str = "",
) -> list[Route]:
    """The routes; `wishes` is called where `run` runs, and opens what it needs at first.

    The key is for what the shop's own server asks; without one, anybody may.
    """
    pages = Pages(project)
    desk = Desk(pages=pages, links=links, office=Office(run, wishes))
    region = region_of(project.locale)
    return [
        pages.route(),
        unsubscribe.route(desk, ruleset),
        preferences.route(desk, ruleset),
        confirm.route(desk, ruleset),
        questions.route(desk, ruleset),
        *subscribe.routes(desk, ruleset, region),
        *providers.routes(desk, project.providers, region),
        *push.routes(desk, ruleset),
        *reading.routes(desk, ruleset),
        *onsite.routes(desk, ruleset, lambda asking: not api_key or bears(asking, api_key)),
    ]
