"""An invoice as it is read: its lines and what they come to."""

from __future__ import annotations

import sqlite3
from decimal import Decimal
from typing import Any, Optional

from keito.sandbox.context import Json, Row
from keito.sandbox.numbers import cents, decimal, number
from keito.sandbox.people import full_name

SELECT = """
SELECT t.*, c.id AS client_id, c.name AS client_name, u.id AS creator_id, u.first_name, u.last_name, u.email
FROM invoices t JOIN clients c ON c.no = t.client JOIN users u ON u.no = t.creator
"""


def read(db: sqlite3.Connection, no: int) -> Json:
    """An invoice by its number in the table."""
    return show(db, db.execute(f"{SELECT} WHERE t.no = ?", (no,)).fetchone())


def show(db: sqlite3.Connection, row: Row) -> Json:
    """An invoice as the API answers it."""
    lines = db.execute("SELECT * FROM invoice_lines WHERE invoice = ? ORDER BY no", (row["no"],)).fetchall()
    return {
        "id": row["id"],
        "client_id": row["client_id"],
        "created_by_id": row["creator_id"],
        "client": {"id": row["client_id"], "name": row["client_name"]},
        "creator": {"id": row["creator_id"], "name": full_name(row), "email": row["email"]},
        "number": row["number"],
        "purchase_order": row["purchase_order"],
        "subject": row["subject"],
        "state": row["state"],
        **_sums(row, lines),
        "currency": row["currency"],
        "issue_date": row["issue_date"],
        "due_date": row["due_date"],
        "payment_term": row["payment_term"],
        "notes": row["notes"],
        "period_start": row["period_start"],
        "period_end": row["period_end"],
        "sent_at": row["sent_at"],
        "paid_at": row["paid_at"],
        "closed_at": row["closed_at"],
        "created_at": row["created_at"],
        "updated_at": row["updated_at"],
        "line_items": [_line(line) for line in lines],
    }


def _line(line: Row) -> Json:
    return {
        "id": line["id"],
        "kind": line["kind"],
        "description": line["description"],
        "quantity": number(line["quantity"]),
        "unit_price": number(line["unit_price"]),
        "amount": number(_amount(line)),
        "taxed": bool(line["taxed"]),
        "taxed2": bool(line["taxed2"]),
        "project_id": line["project_id"],
    }


def _amount(line: Row) -> Decimal:
    return cents(decimal(line["quantity"]) * decimal(line["unit_price"]))


def _sums(row: Row, lines: list[Row]) -> Json:
    """The discount comes off the subtotal; the taxes apply to the taxed lines after the discount."""
    subtotal = sum(map(_amount, lines), Decimal(0))
    discount = _share(subtotal, row["discount"])
    tax = _tax(row, lines, "tax", "taxed")
    tax2 = _tax(row, lines, "tax2", "taxed2")
    amount = subtotal - (discount or 0) + (tax or 0) + (tax2 or 0)
    due = amount if row["state"] in ("draft", "open") else Decimal(0)
    shown: dict[str, Any] = {"amount": amount, "due_amount": due, "discount_amount": discount}
    shown.update(tax_amount=tax, tax2_amount=tax2, **{name: row[name] for name in ("tax", "tax2", "discount")})
    return {name: number(value) for name, value in shown.items()}


def _tax(row: Row, lines: list[Row], rate: str, flag: str) -> Optional[Decimal]:
    taxed = sum((_amount(line) for line in lines if line[flag]), Decimal(0))
    left = 1 - decimal(row["discount"] or 0) / 100
    return _share(taxed * left, row[rate])


def _share(base: Decimal, percent: Optional[float]) -> Optional[Decimal]:
    return None if percent is None else cents(base * decimal(percent) / 100)
