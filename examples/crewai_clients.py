"""One crew works for several clients: each input of kickoff_for_each is billed to the project of its client.

    python examples/crewai_clients.py

It runs as it is, on a Keito of its own; see local_keito.py for how it bills to your account.
"""

import os
import sys
from dataclasses import replace

from crewai_offline import crew_of
from keito_crewai import BilledCrew
from local_keito import keito_account, stop

from keito import Keito
from keito.billing import AgentBilling, BillingPolicy
from keito.metering import AgentRun

TOPICS = [("acme", "anvils"), ("globex", "globes"), ("acme", "rope")]


def second_project(keito: Keito) -> str:
    """The project of the second client: yours, or a new one on the Keito that this program started."""
    given = os.environ.get("KEITO_SECOND_PROJECT_ID")
    return given or keito.projects.create(client_id=keito.clients.create(name="Globex").id, name="Globex research").id


def main() -> int:
    with keito_account("KEITO_EXPENSE_CATEGORY_ID", "KEITO_SECOND_PROJECT_ID") as where, Keito() as keito:
        print(f"A crew works on {len(TOPICS)} topics for two clients, billed to {where}.\n")
        acme = BillingPolicy.from_env(notes="Research on {topic}")
        # This client pays 20 % on top of what the models cost.
        policies = {"acme": acme, "globex": replace(acme, project_id=second_project(keito), markup="1.20")}

        def resolve(run: AgentRun) -> BillingPolicy:
            return policies[run.attributes["client"]]  # the inputs of a kickoff are the attributes of its run

        billing = AgentBilling(acme, keito, resolve=resolve)
        crew = BilledCrew(
            crew_of({"Researcher": "Find out about {topic}.", "Writer": "Write it up."}, "Topics"), billing
        )
        crew.kickoff_for_each([{"client": client, "topic": topic} for client, topic in TOPICS])
        if not billing.flush().complete:
            stop("Not everything reached Keito; the log says why.", status=1)
        for client, policy in policies.items():
            entries = list(keito.time_entries.list(source="agent", project_id=policy.project_id))
            expenses = list(keito.expenses.list(source="agent", project_id=policy.project_id))
            notes = ", ".join(sorted(str(entry.notes) for entry in entries))
            print(f"  {client:<7} LLM cost ${sum(expense.total_cost or 0 for expense in expenses):.6f}   {notes}")
        billing.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
