"""A flow with two crews is one run: one time entry, one expense, with the share of each crew and agent beside it.

    python examples/crewai_flow.py

It runs as it is, on a Keito of its own; see local_keito.py for how it bills to your account.
"""

import sys
from typing import Any
from uuid import uuid4

from crewai_offline import crew_of, show

# isort: split
from crewai.flow.flow import Flow, listen, start
from keito_crewai import BilledFlow
from local_keito import keito_account, stop

from keito import Keito, OutcomeTypes
from keito.billing import Outcome
from keito.metering import log_outcome


class Newsletter(Flow):  # type: ignore[misc]
    """Finds the news, then writes them up. Nothing here knows that it is billed, but for the outcome."""

    @start()  # type: ignore[untyped-decorator]
    def research(self) -> Any:
        return crew_of({"Reader": "Read the news.", "Analyst": "Pick the best."}, "Research").kickoff().raw

    @listen(research)  # type: ignore[untyped-decorator]
    def write(self) -> Any:
        text = crew_of({"Writer": "Write the letter."}, "Editing").kickoff().raw
        log_outcome(Outcome(OutcomeTypes.EMAIL_SENT, unit_price=5, description="Newsletter sent"))
        return text


def main() -> int:
    with keito_account("KEITO_EXPENSE_CATEGORY_ID") as where, Keito() as keito:
        print(f"A flow writes a newsletter with two crews, billed to {where}.\n")
        session = f"newsletter-{uuid4()}"
        flow = BilledFlow(Newsletter(suppress_flow_events=True), session_id=session)
        print(f"  {flow.kickoff()}\n")
        if not flow.flush().complete:
            stop("Not everything reached Keito; the log says why.", status=1)
        show(keito, session)
        for entry in keito.time_entries.list(source="agent"):
            for agent in (entry.metadata or {}).get("keito", {}).get("details", {}).get("agents", []):
                print(f"              {agent['role']}: {agent['tokens_in']:,} in, {agent['tokens_out']:,} out")
    return 0


if __name__ == "__main__":
    sys.exit(main())
