"""An agent without a framework that bills itself: each outcome as it is reached, its time and its cost at the end.

    python examples/custom_agent.py

It runs as it is, on a Keito of its own; see local_keito.py for how it bills to your account.
"""

import os
import sys
import time
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any
from uuid import uuid4

from local_keito import keito_account

from keito import AgentMetadata, Keito, OutcomeTypes

LEADS = {"Ada Reyes": "We need 40 seats by May.", "Bo Lind": "Just looking around.", "Cy Moss": "Ten seats, please."}


def is_qualified(text: str) -> bool:
    time.sleep(0.2)  # a model would be asked here
    return "seats" in text


def qualify_leads(keito: Keito, project: str, task: str, category: str) -> None:
    run, began = str(uuid4()), time.perf_counter()
    day: dict[str, Any] = {"project_id": project, "spent_date": datetime.now(timezone.utc).date()}
    about = AgentMetadata.build(
        agent_id="lead-agent", run_id=run, model_name="gpt-5-mini", tokens_in=1800, tokens_out=90
    )
    about["session_id"] = run

    for number, (lead, text) in enumerate(LEADS.items()):
        if is_qualified(text):
            notes = f"{lead} qualified"
            keito.outcomes.log(
                **day,
                task_id=task,
                outcome_type=OutcomeTypes.LEAD_QUALIFIED,
                description=notes,
                unit_price=12,
                metadata={"session_id": run},
                # With a key of its own the call may be repeated, by keito or by you: Keito keeps one entry for it.
                request_options={"idempotency_key": f"{run}-outcome-{number}"},
            )
            print(f"  Outcome     $12.00      {notes}")

    hours = round((time.perf_counter() - began) / 3600, 6)
    notes = f"{len(LEADS)} leads looked at"
    keito.time_entries.create(**day, task_id=task, hours=hours, notes=notes, source="agent", metadata=about)
    print(f"  Time entry  {hours:.6f} h  {notes}")

    cost, notes = Decimal("0.00063"), "gpt-5-mini: 1,800 input + 90 output tokens"
    keito.expenses.create(
        **day, expense_category_id=category, total_cost=cost, notes=notes, source="agent", metadata=about
    )
    print(f"  Expense     ${cost}    {notes}")


def main() -> int:
    with keito_account("KEITO_EXPENSE_CATEGORY_ID") as where, Keito() as keito:
        print(f"A plain Python agent qualifies {len(LEADS)} leads, billed to {where}.\n")
        ids = (os.environ[f"KEITO_{name}_ID"] for name in ("PROJECT", "TASK", "EXPENSE_CATEGORY"))
        qualify_leads(keito, *ids)
    return 0


if __name__ == "__main__":
    sys.exit(main())
