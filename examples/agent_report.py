"""Sum up what agents did last month, by client: hours, outcomes, and what both are worth.

    python examples/agent_report.py

It runs as it is, on a Keito of its own where it records some work first; on your account (see local_keito.py) it only
reads. There, the key must be a manager's.
"""

import os
import sys
from datetime import date, timedelta
from typing import Any

from local_keito import keito_account

from keito import Keito
from keito.types import AgentTotals


def main() -> int:
    is_own_account = bool(os.environ.get("KEITO_API_KEY"))
    last_day = date.today().replace(day=1) - timedelta(days=1)  # noqa: DTZ011 - of this machine's calendar
    first_day = last_day.replace(day=1)
    with keito_account() as where, Keito() as keito:
        if not is_own_account:
            record_some_work(keito, last_day)
        summary = keito.reports.agent_summary(first_day, last_day, group_by="client")
        print(f"Agents on {where}, {first_day} to {last_day}:\n")
        for group in summary.groups:
            show(group.names.get("client", "unknown client"), group)
        show("All", summary)
        if summary.combined.unpriced:
            print(f"\nWithout a rate or a price, and in no amount: {summary.combined.unpriced}")
    return 0


def show(name: str, totals: AgentTotals) -> None:
    """One line; amounts in several currencies stand side by side."""
    amounts = ", ".join(f"{amount:.2f} {currency}" for currency, amount in totals.combined.revenues.items())
    outcomes = f"{totals.outcomes.successful} of {totals.outcomes.total} outcomes"
    print(f"  {name:<8} {totals.time.total_hours:>6.2f} h  {outcomes:<18} {amounts or '-'}")


def record_some_work(keito: Keito, day: date) -> None:
    """Two clients' work; one of them pays in euros, for outcomes only."""
    umlaut = keito.clients.create(name="Umlaut", currency="EUR")
    leads = keito.projects.create(client_id=umlaut.id, name="Leads")
    task = os.environ["KEITO_TASK_ID"]
    tickets: dict[str, Any] = {"project_id": os.environ["KEITO_PROJECT_ID"], "task_id": task, "spent_date": day}
    keito.time_entries.create(**tickets, hours=1.5, source="agent")
    keito.outcomes.log(**tickets, outcome_type="ticket_resolved", unit_price=0.99, quantity=3)
    keito.outcomes.log(**tickets, outcome_type="ticket_resolved", unit_price=0.99, success=False)
    calls: dict[str, Any] = {"project_id": leads.id, "task_id": task, "spent_date": day}
    keito.outcomes.log(**calls, outcome_type="lead_qualified", unit_price=12.5)
    keito.outcomes.log(**calls, outcome_type="lead_qualified")


if __name__ == "__main__":
    sys.exit(main())
