"""One agent works for two clients: each ticket is billed to the project of the client that it came from.

    python examples/multi_tenant.py

It runs as it is, on a Keito of its own; see local_keito.py for how it bills to your account.
"""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Optional

from local_keito import keito_account, stop

from keito import Keito
from keito.billing import AgentBilling, BillingPolicy, Outcome
from keito.metering import AgentRun

TICKETS = [("acme", "4821"), ("globex", "77"), ("acme", "4822"), ("globex", "78"), ("acme", "4823")]


def second_project(keito: Keito) -> str:
    """The project of the second client: yours, or a new one on the Keito that this program started."""
    given = os.environ.get("KEITO_SECOND_PROJECT_ID")
    if given:
        return given
    client = keito.clients.create(name="Globex")
    return keito.projects.create(client_id=client.id, name="Globex support").id


def answer(billing: AgentBilling, tenant: str, ticket: str) -> None:
    # The agent says for whom it works; which project that is, and what a ticket costs there, is the billing's matter.
    with billing.run(f"Ticket {ticket}", attributes={"tenant": tenant}) as run:
        run.record_llm_call(provider="openai", model="gpt-5-mini", input_tokens=9_000, output_tokens=700)


def show(keito: Keito, tenant: str, policy: BillingPolicy) -> None:
    entries = list(keito.time_entries.list(source="agent", project_id=policy.project_id))
    expenses = list(keito.expenses.list(source="agent", project_id=policy.project_id))
    about = [entry.metadata or {} for entry in entries]
    prices = [metadata["outcome_unit_price"] for metadata in about if "outcome_type" in metadata]
    cost = f"${sum(expense.total_cost or 0 for expense in expenses):.6f}" if expenses else "unknown"
    print(f"  {tenant:<7} {len(prices)} tickets at ${prices[0]:.2f}   LLM cost {cost}")


def main() -> int:
    with keito_account("KEITO_EXPENSE_CATEGORY_ID", "KEITO_SECOND_PROJECT_ID") as where, Keito() as keito:
        print(f"An agent answers {len(TICKETS)} tickets of two clients, billed to {where}.\n")
        acme = BillingPolicy.from_env(outcome=Outcome("ticket_resolved", unit_price="0.99"))
        globex = replace(
            acme,
            project_id=second_project(keito),
            outcome=Outcome("ticket_resolved", unit_price="1.50"),
            markup="1.20",  # this client pays 20 % on top of what the models cost
        )
        policies = {"acme": acme, "globex": globex}

        def resolve(run: AgentRun) -> Optional[BillingPolicy]:
            return policies.get(run.attributes["tenant"])

        billing = AgentBilling(acme, keito, resolve=resolve)
        with ThreadPoolExecutor() as threads:
            list(threads.map(lambda ticket: answer(billing, *ticket), TICKETS))
        if not billing.flush().complete:
            stop("Not everything reached Keito; the log says why.", status=1)
        for tenant, policy in policies.items():
            show(keito, tenant, policy)
    return 0


if __name__ == "__main__":
    sys.exit(main())
