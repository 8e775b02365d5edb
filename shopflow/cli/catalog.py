"""`shopflow catalog`: the shop's products, brought in from its feed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import islice
from pathlib import Path

import click

from shopflow.cli.options import FORMAT, PROJECT
from shopflow.errors import SettingsError
from shopflow.rulebook import load_project
from shopflow.runtime.app import database_url
from shopflow.runtime.catalogue_files import BadProduct, read_products
from shopflow.runtime.embedded import wall_clock
from shopflow.store.opening import open_store

#: Products that one transaction takes.
PART = 500
#: Bad rows that are told one by one.
MOST_TOLD = 20


@click.group
def catalog() -> None:
    """Bring products in, and look at one."""


@catalog.command(name="import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@FORMAT
@PROJECT
def import_products(file: Path, style: str, project: Path) -> int:
    """Put the products of FILE into the catalogue.

    FILE is a feed for Google Merchant (CSV, TSV or XML), or JSON lines with the fields of
    product.updated. A row that is no product is told with its reason, and the others go in.
    """
    bad: list[BadProduct] = []
    now, count = wall_clock(), 0
    settings = load_project(project).project
    store = open_store(database_url(settings), partitions=settings.partitions)
    try:
        products = read_products(file, bad.append, now=now)
        while part := dict(islice(products, PART)):
            with store.transaction() as batch:
                batch.save_products(part, now)
            count += len(part)
    finally:
        store.close()
    click.echo(_told(count, bad, style))
    return 1 if bad else 0


@catalog.command
@click.argument("sku")
@PROJECT
def show(sku: str, project: Path) -> None:
    """Show what is known of the product SKU."""
    settings = load_project(project).project
    store = open_store(database_url(settings), partitions=settings.partitions, create=False)
    try:
        found: Mapping[str, Mapping[str, object]] = store.recommendations.products([sku])
    finally:
        store.close()
    if sku not in found:
        raise SettingsError(f"the catalogue knows no product '{sku}'")
    click.echo(json.dumps(found[sku], indent=2, ensure_ascii=False))


def _told(count: int, bad: Sequence[BadProduct], style: str) -> str:
    if style == "json":
        rows = [{"line": one.line, "reason": one.reason} for one in bad]
        return json.dumps({"products": count, "bad": len(bad), "bad_rows": rows}, indent=2)
    lines = [f"{count:,} products are in the catalogue as the file has them"]
    lines += [f"line {one.line}: {one.reason}" for one in bad[:MOST_TOLD]]
    if len(bad) > MOST_TOLD:
        lines.append(f"… and {len(bad) - MOST_TOLD:,} more")
    return "\n".join(lines)
