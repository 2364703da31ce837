"""A CrewAI crew researches a topic, and Keito has the bill: for what its model calls took, not for what CrewAI says.

    pip install -e ".[crewai,sandbox]"
    python examples/crewai_research.py

It runs as it is, on a Keito of its own; see local_keito.py for how it bills to your account.
"""

import sys
from uuid import uuid4

from crewai_offline import crew_of, show
from keito_crewai import BilledCrew
from local_keito import keito_account, stop

from keito import Keito
from keito.billing import Outcome


def main() -> int:
    with keito_account("KEITO_EXPENSE_CATEGORY_ID") as where, Keito() as keito:
        print(f"A crew researches bees, billed to {where}.\n")
        session = f"research-{uuid4()}"
        crew = BilledCrew(
            crew_of({"Researcher": "Find out about {topic}.", "Writer": "Write about {topic}."}, "Research on bees"),
            task_outcomes={"writer": Outcome("report_written", unit_price=25, description="Report on bees")},
            session_id=session,
        )
        print(f"  {crew.kickoff(inputs={'topic': 'bees'}).raw}\n")
        if not crew.flush().complete:
            stop("Not everything reached Keito; the log says why.", status=1)
        show(keito, session)
    return 0


if __name__ == "__main__":
    sys.exit(main())
