"""Draft an invoice, correct it, and send it to the client.

    python examples/invoice.py

It runs as it is, on a Keito of its own, which mails nothing; on your account (see local_keito.py) it mails.
"""

import sys
from datetime import date

from local_keito import keito_account

from keito import Keito, KeitoForbiddenError
from keito.types import PaymentTerm


def main() -> int:
    with keito_account() as where, Keito() as keito:
        client = next(keito.clients.list(is_active=True))
        invoice = keito.invoices.create(
            client_id=client.id,
            subject="Support agents, February 2026",
            issue_date=date(2026, 3, 2),
            payment_term=PaymentTerm.NET_15,
            period_start="2026-02-01",
            period_end="2026-02-28",
            tax=19,
            line_items=[
                {
                    "kind": "Service",
                    "description": "Tickets resolved",
                    "quantity": 312,
                    "unit_price": 0.99,
                    "taxed": True,
                },
                {"kind": "Service", "description": "Agent hours", "quantity": 6.5, "unit_price": 90, "taxed": True},
                {"kind": "Product", "description": "LLM usage", "unit_price": 4.18},
            ],
        )
        print(f"{invoice.number} for {client.name}, drafted on {where}:\n")
        for line in invoice.line_items or []:
            print(f"  {line.description:<18} {line.quantity:>7g} x {line.unit_price:>6.2f} {line.amount:>10.2f}")
        print(f"  {'Tax':<18} {invoice.tax:>14g} % {invoice.tax_amount:>10.2f}")
        print(f"  {'Total':<18} {invoice.currency:>16} {invoice.amount:>10.2f}   due {invoice.due_date}\n")

        keito.invoices.update(invoice.id, purchase_order="PO-7781", notes="Thank you for working with us.")
        message = keito.invoices.messages.create(
            invoice.id,
            recipients=[{"name": "Ada Reyes", "email": "accounts@acme.example"}],
            subject=f"Invoice {invoice.number}",
            attach_pdf=True,
        )
        state = keito.invoices.get(invoice.id).state
        print(f"Sent to {message.recipients[0]['email']}: a draft before, it is {state.value if state else '?'} now.")
        try:
            keito.invoices.delete(invoice.id)
        except KeitoForbiddenError as error:
            print(f"Nobody can delete it now: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
