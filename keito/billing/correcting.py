"""Taking back what a run was billed for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Callable, Optional

from typing_extensions import TypedDict, Unpack

from keito.outbox import Delivery

if TYPE_CHECKING:
    from keito.billing.corrections import Correction, Corrector
    from keito.billing.postings import Postings
    from keito.client import Keito


class Changes(TypedDict, total=False):
    """What `AgentBilling.replace` may change in the records of a run."""

    project_id: str
    task_id: str
    expense_category_id: str
    user_id: str
    billable: bool
    notes: str


class Correcting:
    """What a billing can take back."""

    _client: Optional[Keito]
    _delivery: Delivery
    _postings: Postings

    def void(self, run_id: str, *, reason: str, timeout: float = 30.0) -> Correction:
        """Take back what a run was billed for, exactly once, however often it is said.

        What was not sent is not sent any more, and time entries and outcomes are deleted. Keito's API can neither
        delete nor lower expenses, nor entries that are locked: those stand in `left` and in the log, for somebody to
        remove them on Keito, and a record of 0 beside each of them says so.

        Args:
            run_id: The uid of the run, as `metadata["run"]["id"]` has it.
            reason: Why; for the records and for people.
            timeout: Seconds to wait for records that are on their way.

        Raises:
            CorrectionError: A record is billed or approved, or its fate is not known yet, or the run is not in the
                outbox, or is in a rollup. Nothing was changed.
            KeitoError: Keito refuses, or is not there. What was done by then stays done; say it again.
        """
        return self._correct(timeout, lambda corrector: corrector.void(run_id, reason))

    def replace(self, run_id: str, *, reason: str, timeout: float = 30.0, **changes: Unpack[Changes]) -> Correction:
        """Take back what a run was billed for as `void` does, and post what could be removed with other fields.

        What is left on Keito is not posted again: it would be there twice.

        Args:
            run_id: The uid of the run.
            reason: Why.
            timeout: Seconds to wait for records that are on their way.
            **changes: `project_id`, `task_id`, `expense_category_id`, `user_id`, `billable` and `notes`.

        Raises:
            CorrectionError: As for `void`.
            KeitoError: As for `void`.
        """
        self._postings.bill_late(run_id)
        return self._correct(timeout, lambda corrector: corrector.replace(run_id, reason, changes))

    def _correct(self, timeout: float, work: Callable[[Corrector], Correction]) -> Correction:
        from keito.billing.corrections import CorrectionError, Corrector  # noqa: PLC0415 - rarely needed
        from keito.client import Keito  # noqa: PLC0415

        durable: Any = self._delivery
        if not hasattr(durable, "store"):
            raise CorrectionError("without an outbox nobody knows what a run was billed for")
        if self._client is not None:
            return work(Corrector(durable, self._client, timeout))
        with Keito() as client:
            return work(Corrector(durable, client, timeout))
