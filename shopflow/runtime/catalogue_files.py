"""Files of products: Google Merchant feeds as CSV, TSV or XML, and JSON lines.

Each row becomes one product as events about products say it; a row that is none is told with its
reason, and the others go in.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree as ET

from shopflow.errors import SettingsError

#: Longest sku that events may carry.
LONGEST_SKU = 64
#: Longest cell of a feed; descriptions have 5,000 signs.
LONGEST_CELL = 200_000

Row = Mapping[str, object]


class BadProduct(NamedTuple):
    """A row that is no product, and why."""

    line: int
    reason: str


class _Refused(Exception):  # noqa: N818 - never leaves this module
    """What is wrong with a row."""


#: A feed's name of a field -> ours, where it is taken as it is.
_FIELDS = {
    "id": "sku",
    "sku": "sku",
    "title": "name",
    "name": "name",
    "link": "url",
    "url": "url",
    "image_link": "image_url",
    "image_url": "image_url",
    "brand": "brand",
    "description": "description",
    "item_group_id": "group",
    "color": "colour",
    "size": "size",
    "gtin": "gtin",
    "condition": "condition",
    "category": "category",
    "currency": "currency",
    "published_at": "published_at",
    "line": "line",
    "brand_url": "brand_url",
}
#: The words of a feed for what can be bought now; a pre-order cannot.
_IN_STOCK = {
    "in_stock": True,
    "available": True,
    "out_of_stock": False,
    "preorder": False,
    "backorder": False,
    "sold_out": False,
}
_MONEY = re.compile(r"([A-Z]{3})?\s*([0-9][0-9\s.,\u00a0\u202f]*)\s*([A-Z]{3}|€)?")
_LISTS = ("tags", "compatible_with", "substitutes")


def read_products(
    path: Path, complain: Callable[[BadProduct], None], *, now: datetime
) -> Iterator[tuple[str, Row]]:
    """The products of a file by sku; the kind of file is told by its beginning.

    Raises:
        SettingsError: The file is none of these kinds, or breaks off.
    """
    seen: dict[str, int] = {}
    for line, row in _rows(path, complain):
        try:
            product = product_of(row, now=now)
            sku = str(product["sku"])
        except _Refused as e:
            complain(BadProduct(line, str(e)))
            continue
        if sku in seen:
            complain(BadProduct(line, f"'{sku}' stands in line {seen[sku]} already"))
            continue
        seen[sku] = line
        yield sku, product


def product_of(row: Row, *, now: datetime) -> dict[str, object]:
    """The product of a row, by the names of either kind of file."""
    product: dict[str, object] = {}
    for name, ours in _FIELDS.items():
        value = row.get(name)
        if isinstance(value, str) and value.strip():
            product.setdefault(ours, value.strip())
        elif isinstance(value, int) and not isinstance(value, bool) and ours == "sku":
            product.setdefault(ours, str(value))
    _check_sku(product.get("sku"))
    if "category" not in product:
        product |= _text(row, "product_type", "category") or _text(
            row, "google_product_category", "category"
        )
    product |= _price(row, now)
    product |= _stock(row)
    for name in _LISTS:
        if listed := _list(row.get(name)):
            product[name] = listed
    for name in ("url", "image_url"):
        if not str(product.get(name, "https://")).startswith(("https://", "http://")):
            raise _Refused(f"{name} '{str(product[name])[:60]}' is no address of the web")
    return product


def _check_sku(sku: object) -> None:
    if not isinstance(sku, str):
        raise _Refused("there is no id")
    if len(sku) > LONGEST_SKU:
        raise _Refused(f"an id of {len(sku)} signs; at most {LONGEST_SKU} are taken")


def _text(row: Row, name: str, ours: str) -> dict[str, object]:
    value = row.get(name)
    return {ours: value.strip()} if isinstance(value, str) and value.strip() else {}


def _price(row: Row, now: datetime) -> dict[str, object]:
    full, currency = _money(row.get("price"), "price")
    if full is None:
        return {}
    told: dict[str, object] = {"price": full, **({"currency": currency} if currency else {})}
    sale, _ = _money(row.get("sale_price"), "sale_price")
    if sale is not None and sale < full and _is_on(row.get("sale_price_effective_date"), now):
        told |= {"price": sale, "previous_price": full}
    return told


def _money(value: object, name: str) -> tuple[float | None, str]:
    if value is None or value == "":
        return None, ""
    if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
        return float(value), ""
    found = _MONEY.fullmatch(str(value).strip())
    if found is None:
        raise _Refused(f"{name} '{str(value)[:40]}' is no amount such as 12.90 EUR")
    amount = re.sub(r"[\s\u00a0\u202f]", "", found[2])
    if "," in amount and "." not in amount and len(amount) - amount.rindex(",") <= 3:  # noqa: PLR2004 - cents
        amount = amount.replace(",", ".")
    try:
        number = Decimal(amount.replace(",", ""))
    except InvalidOperation:
        raise _Refused(f"{name} '{str(value)[:40]}' is no amount such as 12.90 EUR") from None
    return float(number), (found[1] or found[3] or "").replace("€", "EUR")


def _is_on(dates: object, now: datetime) -> bool:
    """Whether a sale's dates, `start/end`, include now; without dates it is on."""
    if not isinstance(dates, str) or not dates.strip():
        return True
    start, _, end = dates.strip().partition("/")
    try:
        return datetime.fromisoformat(start) <= now < datetime.fromisoformat(end)
    except (ValueError, TypeError):
        raise _Refused(
            f"sale_price_effective_date '{dates[:60]}' is no pair of times with a zone"
        ) from None


def _stock(row: Row) -> dict[str, object]:
    told: dict[str, object] = {}
    stock = row.get("stock", row.get("quantity"))
    if isinstance(stock, int) or (isinstance(stock, str) and stock.strip().isdigit()):
        told["stock"] = int(stock)
        told["in_stock"] = int(stock) > 0
    if isinstance(row.get("in_stock"), bool):
        told["in_stock"] = row["in_stock"]
    word = row.get("availability")
    if isinstance(word, str) and word.strip():
        known = word.strip().lower().rpartition("/")[2].replace(" ", "_").replace("-", "_")
        if known not in _IN_STOCK:
            raise _Refused(f"availability '{word[:40]}' is none of {', '.join(_IN_STOCK)}")
        told["in_stock"] = _IN_STOCK[known]
    return told


def _list(value: object) -> list[str]:
    items = value.split(",") if isinstance(value, str) else value
    return (
        [str(one).strip() for one in items if str(one).strip()] if isinstance(items, list) else []
    )


def _rows(path: Path, complain: Callable[[BadProduct], None]) -> Iterator[tuple[int, Row]]:
    with path.open("rb") as raw:
        start = raw.read(512).lstrip(b"\xef\xbb\xbf \t\r\n")
    try:
        if start.startswith(b"<"):
            yield from _of_xml(path)
        elif start.startswith(b"{"):
            yield from _of_json_lines(path, complain)
        else:
            yield from _of_table(path)
    except (UnicodeDecodeError, csv.Error, ET.ParseError) as e:
        raise SettingsError(f"{path}: no feed of products that can be read: {e}") from e


def _of_table(path: Path) -> Iterator[tuple[int, Row]]:
    csv.field_size_limit(LONGEST_CELL)
    with path.open(encoding="utf-8-sig", newline="") as text:
        first = text.readline()
        text.seek(0)
        rows = csv.reader(text, delimiter=max("\t,;|", key=first.count))
        header = [_name(cell) for cell in next(rows, [])]
        if not {"id", "sku"} & set(header):
            raise SettingsError(
                f"{path}: no column `id`; found {', '.join(header)[:200] or 'nothing'}"
            )
        for cells in rows:
            if any(cells):
                yield rows.line_num, dict(zip(header, cells, strict=False))


def _of_json_lines(path: Path, complain: Callable[[BadProduct], None]) -> Iterator[tuple[int, Row]]:
    with path.open(encoding="utf-8-sig") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as e:
                complain(BadProduct(number, f"no JSON: {e}"))
                continue
            if isinstance(row, dict):
                yield number, row
            else:
                complain(BadProduct(number, "no JSON object"))


def _of_xml(path: Path) -> Iterator[tuple[int, Row]]:
    """The items of RSS 2.0, the entries of Atom; numbered, since XML has no lines."""
    number = 0
    # The shop's own file; expat itself stops entities that grow without end.
    for _, element in ET.iterparse(path):  # noqa: S314
        if _name(element.tag) in {"item", "entry"}:
            number += 1
            yield number, {_name(child.tag): _content(child) for child in element}
            element.clear()


def _content(element: ET.Element) -> str:
    """Its text; of a link in Atom, where it leads."""
    return (element.text or "").strip() or element.get("href", "")


def _name(text: str) -> str:
    """A field's name without namespace or prefix: `g:image_link`, `image link`."""
    return text.rpartition("}")[2].rpartition(":")[2].strip().lower().replace(" ", "_")
