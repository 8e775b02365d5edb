"""`shopflow recommend`: what is recommended by what, computed and looked at."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import click

from shopflow.cli.options import FORMAT, PROJECT
from shopflow.domain.recommendation import MOST, About, Shopper, Strategy
from shopflow.engine.shopper import shopper_of
from shopflow.errors import SettingsError
from shopflow.recommend import Recommender
from shopflow.rulebook import LoadedProject, load_project
from shopflow.runtime.advice import find_customer
from shopflow.runtime.app import database_url
from shopflow.runtime.embedded import wall_clock
from shopflow.runtime.recommendations import compute_all
from shopflow.runtime.shelves import StoreShelves
from shopflow.store.opening import open_store
from shopflow.store.protocol import Store


@click.group
def recommend() -> None:
    """Compute what products go together, and look at what would be recommended."""


@recommend.command
@FORMAT
@PROJECT
def build(style: str, project: Path) -> None:
    """Compute every ranking anew from the event log and the catalogue.

    `shopflow run` and `shopflow worker` do it by themselves every night at three.
    """
    loaded = load_project(project)
    store = _opened(loaded)
    try:
        done = compute_all(store, wall_clock())
        counts = {
            str(name): count for name, count in sorted(store.recommendations.counts().items())
        }
    finally:
        store.close()
    if style == "json":
        whole = {
            "orders": done.orders,
            "views": done.looks,
            "searches": done.searches,
            "products": done.products,
            "rankings": counts,
            "seconds": round(done.seconds, 3),
        }
        click.echo(json.dumps(whole, indent=2))
        return
    click.echo(
        f"{done.orders:,} orders, {done.looks:,} views, {done.searches:,} searches, "
        f"{done.products:,} products: {done.rankings:,} rankings in {done.seconds:.1f} s"
    )
    for name, count in counts.items():
        click.echo(f"  {name:<16} {count:>9,}")


@recommend.command
@click.argument("strategy", type=click.Choice([str(each) for each in Strategy]))
@click.option("--sku", "skus", multiple=True, help="A product to start from; may be repeated.")
@click.option("--query", help="What was searched for, for search_related.")
@click.option("--customer", help="Leave out what this customer has; needed for recently_viewed.")
@click.option("--category", help="Only of this category, for best_sellers and new_arrivals.")
@click.option(
    "--limit", type=click.IntRange(1, MOST), default=10, show_default=True, help="How many."
)
@FORMAT
@PROJECT
def show(  # noqa: PLR0917 - click passes each option by name
    strategy: str,
    skus: tuple[str, ...],
    query: str | None,
    customer: str | None,
    category: str | None,
    limit: int,
    style: str,
    project: Path,
) -> None:
    """Show what STRATEGY would recommend now: in stock, known to the catalogue, best first."""
    about = _about(Strategy(strategy), skus, query, customer)
    if category and Strategy(strategy).about is not About.SHOP:
        raise click.UsageError(f"{strategy} takes no --category")
    loaded = load_project(project)
    store = _opened(loaded)
    try:
        shopper = Shopper() if customer is None else _shopper(loaded, store, customer)
        answer = Recommender(StoreShelves(store), lambda: shopper)
        found = answer(strategy, about, limit=limit, category=category)
        computed_at = store.recommendations.computed_at()
        known = bool(store.views.products())
    finally:
        store.close()
    if style == "json":
        at = None if computed_at is None else computed_at.isoformat()
        click.echo(json.dumps({"computed_at": at, "products": found}, indent=2))
        return
    for place, product in enumerate(found, 1):
        click.echo(f"{place:>3}  {product['sku']:<16} {product['name']}")
    if not found:
        click.echo(_why_nothing(computed_at, known))


def _why_nothing(computed_at: datetime | None, known: bool) -> str:  # noqa: FBT001 - a fact
    if not known:
        return "nothing to recommend: the catalogue is empty"
    if computed_at is None:
        return "nothing is computed yet; do it by shopflow recommend build"
    return "nothing to recommend"


def _about(
    strategy: Strategy, skus: tuple[str, ...], query: str | None, customer: str | None
) -> object:
    match strategy.about:
        case About.PRODUCTS:
            if not skus:
                raise click.UsageError(f"{strategy} starts from a product: --sku SKU")
            return list(skus)
        case About.WORDS:
            if not query:
                raise click.UsageError(f"{strategy} starts from a search: --query TEXT")
            return query
        case About.CUSTOMER:
            if not customer:
                raise click.UsageError(f"{strategy} is about somebody: --customer ID")
            return None
        case About.SHOP:
            return None


def _shopper(loaded: LoadedProject, store: Store, customer_id: str) -> Shopper:
    customer = find_customer(store, customer_id)
    if customer is None:
        raise SettingsError(f"no customer '{customer_id}' in this database")
    return shopper_of(loaded.ruleset, customer, wall_clock())


def _opened(loaded: LoadedProject) -> Store:
    project = loaded.project
    return open_store(database_url(project), partitions=project.partitions, create=False)
