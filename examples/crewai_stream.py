"""A crew streams its answer. It is billed when its work ends, also when nobody listens any more.

    python examples/crewai_stream.py

It runs as it is, on a Keito of its own; see local_keito.py for how it bills to your account.
"""

import sys
from uuid import uuid4

from crewai_offline import crew_of, show
from keito_crewai import BilledCrew
from local_keito import keito_account, stop

from keito import Keito


def main() -> int:
    with keito_account("KEITO_EXPENSE_CATEGORY_ID") as where, Keito() as keito:
        print(f"A crew streams its answer, billed to {where}.\n")
        session = f"stream-{uuid4()}"
        crew = BilledCrew(crew_of({"Writer": "Write about bees."}, "Streamed text", stream=True), session_id=session)
        print("  ", end="")
        for chunk in crew.kickoff():
            print(chunk.content, end="", flush=True)
        print("\n")
        if not crew.flush().complete:
            stop("Not everything reached Keito; the log says why.", status=1)
        show(keito, session)
    return 0


if __name__ == "__main__":
    sys.exit(main())
