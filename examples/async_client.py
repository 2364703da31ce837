"""Record many entries at once with the awaiting client, then read them page by page.

    python examples/async_client.py

It runs as it is, on a Keito of its own; see local_keito.py for how it bills to your account.
"""

import asyncio
import os
import sys
import time
from datetime import datetime, timezone

from local_keito import keito_account

from keito import AsyncKeito
from keito.types import TimeEntry

ENTRIES = 40


async def record(keito: AsyncKeito, number: int) -> TimeEntry:
    return await keito.time_entries.create(
        project_id=os.environ["KEITO_PROJECT_ID"],
        task_id=os.environ["KEITO_TASK_ID"],
        spent_date=datetime.now(timezone.utc).date(),
        hours=0.1,
        notes=f"Document {number} summarised",
        source="agent",
    )


async def work() -> None:
    async with AsyncKeito() as keito:
        began = time.perf_counter()
        entries = await asyncio.gather(*(record(keito, number) for number in range(1, ENTRIES + 1)))
        print(f"{len(entries)} entries recorded in {time.perf_counter() - began:.2f} s, all at the same time.")

        listed = keito.time_entries.list(source="agent", per_page=10, prefetch=3)
        newest = await listed.__anext__()  # from Python 3.10 on: await anext(listed)
        print(f"Keito has {listed.total_entries} on {listed.total_pages} pages; the newest: {newest.notes}")
        hours = (newest.hours or 0) + sum([entry.hours or 0 async for entry in listed])
        print(f"Together they are {hours:.1f} hours.")

        for entry in entries:
            await keito.time_entries.delete(entry.id)
        print("All of them are deleted again.")


def main() -> int:
    with keito_account() as where:
        print(f"Recording on {where}.\n")
        asyncio.run(work())
    return 0


if __name__ == "__main__":
    sys.exit(main())
