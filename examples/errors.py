"""What can go wrong, and how a program deals with it.

    python examples/errors.py

It runs as it is, on a Keito of its own; see local_keito.py for how it runs on your account.
"""

import logging
import os
import sys
from typing import Any

from local_keito import keito_account

from keito import (
    Keito,
    KeitoApiError,
    KeitoAuthError,
    KeitoConflictError,
    KeitoConnectionError,
    KeitoNotFoundError,
    KeitoValidationError,
)


def main() -> int:
    with keito_account() as where, Keito() as keito:
        print(f"Making mistakes on {where}.")
        work: dict[str, Any] = {name: os.environ[f"KEITO_{name.upper()}"] for name in ("project_id", "task_id")}

        print("\nA second timer. The error says which one is running:")
        timer = keito.time_entries.start(**work)
        try:
            keito.time_entries.start(**work)
        except KeitoConflictError as error:
            print(f"  {error}")
            keito.time_entries.delete(error.body["running_entry"]["id"])

        print("\nA value that the API forbids. Nothing was sent:")
        try:
            keito.time_entries.create(**work, spent_date="2026-03-05", hours=25)
        except KeitoValidationError as error:
            print(f"  {error}")

        print("\nAn entry that is gone:")
        try:
            keito.time_entries.update(timer.id, notes="Where is it?")
        except KeitoNotFoundError as error:
            print(f"  {error}")

        print("\nA wrong key, and any other refusal of the API:")
        try:
            Keito(api_key="kto_mistyped").users.me()
        except KeitoAuthError as error:
            print(f"  {error}")
        except KeitoApiError as error:
            print(f"  something else than 401: {error.status_code} {error.body}")

    print("\nA server that is down. The connection was never made, so keito tries again by itself:")
    logging.basicConfig(level=logging.INFO, format="  %(message)s", stream=sys.stdout)  # or KEITO_LOG=info
    try:
        Keito(api_key="kto_any", account_id="acc_any", base_url="http://127.0.0.1:9").users.me()
    except KeitoConnectionError as error:
        print(f"  {error}; was it sent? {error.sent}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
