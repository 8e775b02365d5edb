"""The catalogue's rows, as a batch in SQL reads and writes them."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from sqlalchemy import Connection, select

from shopflow.store import tables
from shopflow.store.catalogue import Products
from shopflow.store.sql import rows, shapes
from shopflow.store.sql.database import Database
from shopflow.store.tables import micros


def load(connection: Connection, skus: Collection[str]) -> Products:
    """See `CatalogueDesk`."""
    table = tables.products
    # Sorted, so that two writers never wait for each other.
    wanted = select(table.c.sku, table.c.document).where(table.c.sku.in_(sorted(skus)))
    found = connection.execute(wanted.order_by(table.c.sku).with_for_update())
    return {sku: rows.from_json(document) for sku, document in found}


def save(database: Database, connection: Connection, products: Products, at: datetime) -> None:
    """See `CatalogueDesk`."""
    now = micros(datetime.now(UTC))
    kept = [
        (sku, micros(at), rows.to_json(dict(products[sku]), f"product {sku}"), now)
        for sku in sorted(products)
    ]
    database.dialect.insert(connection, shapes.PRODUCTS, kept)
