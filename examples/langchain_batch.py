"""One chain works for several clients at a time: the config of each input says whose project it is billed to.

    pip install -e ".[examples]"
    python examples/langchain_batch.py

It runs as it is, on a Keito of its own; see local_keito.py for how it bills to your account.
"""

import logging
import os
import sys

from local_keito import keito_account, stop
from offline_model import OfflineModel

try:
    from keito_langchain import KeitoCallbackHandler
    from langchain_core.runnables import RunnableConfig, RunnableLambda
except ImportError as error:
    stop(f'This needs Python 3.10 or newer, and: pip install -e ".[examples]" ({error})')

from keito import Keito

INVOICES = {"acme": ["a-1", "a-2", "a-3"], "globex": ["g-1", "g-2"]}


def projects_of(keito: Keito) -> dict[str, str]:
    """The project of each client; the second one is yours, or new on the Keito that this program started."""
    second = os.environ.get("KEITO_SECOND_PROJECT_ID")
    if not second:
        client = keito.clients.create(name="Globex")
        second = keito.projects.create(client_id=client.id, name="Globex invoices").id
    return {"acme": os.environ["KEITO_PROJECT_ID"], "globex": second}


def to_prompt(invoice: str) -> str:
    return f"Read invoice {invoice}."


def main() -> int:
    with keito_account("KEITO_EXPENSE_CATEGORY_ID", "KEITO_SECOND_PROJECT_ID") as where, Keito() as keito:
        work = [(client, invoice) for client, invoices in INVOICES.items() for invoice in invoices]
        print(f"A chain reads {len(work)} invoices of {len(INVOICES)} clients, billed to {where}.\n")
        projects = projects_of(keito)
        handler = KeitoCallbackHandler()
        configs: list[RunnableConfig] = [
            {
                "callbacks": [handler],
                "run_name": f"Invoice {invoice}",
                "metadata": {"keito_project_id": projects[client], "keito_session_id": f"{client}-today"},
            }
            for client, invoice in work
        ]
        chain = RunnableLambda(to_prompt) | OfflineModel()
        chain.batch([invoice for _, invoice in work], configs)

        report = handler.flush()
        for client, project in projects.items():
            expenses = list(keito.expenses.list(source="agent", project_id=project))
            cost = sum(expense.total_cost or 0 for expense in expenses)
            print(f"  {client:<7} {len(expenses)} invoices   LLM cost ${cost:.6f}")
        handler.billing.close()
        return 0 if report.complete else 1


if __name__ == "__main__":
    logging.basicConfig(format="%(levelname)s: %(message)s")
    sys.exit(main())
