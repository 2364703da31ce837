"""Bill an agent's work by hand: its time, its outcomes and its model cost; then read it back.

    python examples/manual_billing.py

It runs as it is, on a Keito of its own; see local_keito.py for how it bills to your account.
"""

import os
import sys
from datetime import datetime, timezone
from uuid import uuid4

from local_keito import keito_account

from keito import AgentMetadata, Keito, OutcomeTypes
from keito.types import Source


def main() -> int:
    with keito_account("KEITO_EXPENSE_CATEGORY_ID") as where, Keito() as keito:
        print(f"Billing to {where}, as {keito.users.me().email}.\n")
        project, task = os.environ["KEITO_PROJECT_ID"], os.environ["KEITO_TASK_ID"]
        today = datetime.now(timezone.utc).date()
        session = {"session_id": f"triage-{uuid4()}"}  # the same in all records: it joins the cost to the work

        keito.time_entries.create(
            project_id=project,
            task_id=task,
            spent_date=today,
            hours=0.25,
            notes="Triage of the morning's tickets",
            source=Source.AGENT,
            metadata={**AgentMetadata.build(agent_id="triage-agent", model_name="gpt-5-mini"), **session},
        )
        for ticket in ("4821", "4822", "4823"):
            keito.outcomes.log(
                project_id=project,
                task_id=task,
                spent_date=today,
                outcome_type=OutcomeTypes.TICKET_RESOLVED,
                description=f"Ticket {ticket} resolved",
                unit_price=0.99,
                evidence={"ticket": ticket},
                metadata=session,
            )
        keito.expenses.create(
            project_id=project,
            expense_category_id=os.environ["KEITO_EXPENSE_CATEGORY_ID"],
            spent_date=today,
            total_cost=0.0042,
            notes="gpt-5-mini: 9,300 input + 780 output tokens",
            source=Source.AGENT,
            metadata=session,
        )

        for entry in keito.time_entries.list(project_id=project, source=Source.AGENT, from_date=today):
            if (entry.metadata or {}).get("session_id") == session["session_id"]:
                print(f"Time entry  {entry.hours} h  {entry.notes}")
        for expense in keito.expenses.list(project_id=project, source=Source.AGENT, from_date=today):
            print(f"Expense     ${expense.total_cost}  {expense.notes}")
        for found in keito.projects.list(is_active=True):
            print(f"Project     {found.name}, {'billable' if found.is_billable else 'not billable'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
