"""An agent without a framework that bills itself: its time, its outcomes, and what its model calls cost.

    python examples/custom_agent.py

It runs as it is, on a Keito of its own; see local_keito.py for how it bills to your account.
"""

import sys
import time

from local_keito import keito_account, stop

from keito import Keito, OutcomeTypes
from keito.billing import AgentBilling, Budget, Outcome
from keito.metering import check_budget, log_outcome, record_llm_call

LEADS = {"Ada Reyes": "We need 40 seats by May.", "Bo Lind": "Just looking around.", "Cy Moss": "Ten seats, please."}


def is_qualified(text: str) -> bool:
    check_budget()  # raises KeitoBudgetExceeded instead of asking the model once too often
    time.sleep(0.1)  # a model would be asked here; it says what it counted
    record_llm_call(provider="openai", model="gpt-5-mini", input_tokens=600, output_tokens=30)
    return "seats" in text


def qualify_leads() -> None:
    """Nothing here knows what it is billed to, nor that it is."""
    for lead, text in LEADS.items():
        if is_qualified(text):
            log_outcome(Outcome(OutcomeTypes.LEAD_QUALIFIED, unit_price=12, description=f"{lead} qualified"))


def show(keito: Keito, session: str) -> None:
    """What the run became on Keito."""
    for entry in reversed(list(keito.time_entries.list(source="agent"))):
        metadata = entry.metadata or {}
        if metadata.get("session_id") == session and "outcome_type" in metadata:
            print(f"  Outcome     ${metadata['outcome_unit_price']:.2f}      {entry.notes}")
        elif metadata.get("session_id") == session:
            print(f"  Time entry  {entry.hours:.6f} h  {entry.notes}")
    for expense in keito.expenses.list(source="agent"):
        if (expense.metadata or {}).get("session_id") == session:
            print(f"  Expense     ${expense.total_cost:.5f}    {expense.notes}")


def main() -> int:
    with keito_account("KEITO_EXPENSE_CATEGORY_ID") as where, Keito() as keito:
        print(f"A plain Python agent qualifies {len(LEADS)} leads, billed to {where}.\n")
        billing = AgentBilling(client=keito, budget=Budget(max_calls=50, stop=True))
        with billing.run(f"{len(LEADS)} leads looked at", trigger="nightly") as run:
            qualify_leads()
        if not billing.flush().complete:
            stop("Not everything reached Keito; the log says why.", status=1)
        show(keito, run.session_id)
    return 0


if __name__ == "__main__":
    sys.exit(main())
