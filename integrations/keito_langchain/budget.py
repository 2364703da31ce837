"""The handler that stops agents."""

# ruff: noqa: D102

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Optional

from langchain_core.callbacks import BaseCallbackHandler

from keito_langchain.handler import KeitoCallbackHandler

if TYPE_CHECKING:
    from uuid import UUID

    from langchain_core.messages import BaseMessage

    from keito.billing import Budget


class KeitoBudgetHandler(BaseCallbackHandler):
    """Stops a run before the model call that a budget forbids, with `KeitoBudgetExceeded`.

        handler = KeitoCallbackHandler()
        agent.invoke(question, config={"callbacks": [handler, KeitoBudgetHandler(handler, Budget(max_cost="0.50"))]})

    It limits the runs that it is given to; a budget of the policy limits all that is billed by it.

    Args:
        handler: The handler that bills the run. It counts, and must be given to the run as well.
        *budgets: What the run may spend. They stop it, whatever their `stop` says.

    Raises:
        ValueError: There is no budget.
        TypeError: One of these is something else.
    """

    run_inline = True
    raise_error = True

    def __init__(self, handler: KeitoCallbackHandler, *budgets: Budget) -> None:
        if not isinstance(handler, KeitoCallbackHandler):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError(f"the first argument is the KeitoCallbackHandler that bills the run; got {handler!r}")
        if not budgets:
            raise ValueError("give a Budget, such as Budget(max_calls=50)")
        from dataclasses import replace  # noqa: PLC0415

        from keito.billing import Budget  # noqa: PLC0415 - a program that only imports the handler does without

        for budget in budgets:
            if not isinstance(budget, Budget):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(f"a budget is a keito.billing.Budget; got {budget!r}")
        self.budgets: Sequence[Budget] = tuple(replace(budget, stop=True) for budget in budgets)
        self._handler = handler

    def on_chat_model_start(
        self,
        serialized: Optional[dict[str, Any]],
        messages: list[list[BaseMessage]],
        *,
        run_id: UUID,
        parent_run_id: Optional[UUID] = None,
        tags: Optional[list[str]] = None,
        metadata: Optional[dict[str, Any]] = None,
        **kwargs: Any,
    ) -> None:
        # It may be told first: then the run is not known yet. The second report of the same start is ignored.
        self._handler.on_chat_model_start(
            serialized, messages, run_id=run_id, parent_run_id=parent_run_id, tags=tags, metadata=metadata, **kwargs
        )
        self._check(run_id)

    def on_llm_start(
        self,
        serialized: Optional[dict[str, Any]],
        prompts: list[str],
        *,
        run_id: UUID,
        parent_run_id: Optional[UUID] = None,
        tags: Optional[list[str]] = None,
        metadata: Optional[dict[str, Any]] = None,
        **kwargs: Any,
    ) -> None:
        self._handler.on_llm_start(
            serialized, prompts, run_id=run_id, parent_run_id=parent_run_id, tags=tags, metadata=metadata, **kwargs
        )
        self._check(run_id)

    def _check(self, run_id: UUID) -> None:
        try:
            self._handler.check_budget(run_id, self.budgets)
        except Exception as error:  # only a budget stops the agent
            from keito.billing.guard import is_stop  # noqa: PLC0415

            if is_stop(error):
                raise
            self._handler.billing.guard.caught("check_budget", error)
