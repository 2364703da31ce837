"""The callback handler that bills."""

# The callbacks' names, arguments and documentation are LangChain's.
# ruff: noqa: ARG002, D102

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Optional, TypeVar, cast

from langchain_core.callbacks import BaseCallbackHandler

from keito_langchain.graph import told_of_pauses
from keito_langchain.pickling import remember, restore

if TYPE_CHECKING:
    from uuid import UUID

    from langchain_core.documents import Document
    from langchain_core.messages import BaseMessage
    from langchain_core.outputs import LLMResult
    from typing_extensions import Self, Unpack

    from keito.billing import AgentBilling, Budget
    from keito.billing.policy import PolicyFields
    from keito.outbox import FlushReport

_Method = TypeVar("_Method", bound=Callable[..., None])


def _caught(billing: AgentBilling, where: str, error: Exception) -> None:
    """The agent never breaks. Only a budget may stop it."""
    from keito.billing.guard import is_stop  # noqa: PLC0415

    if is_stop(error):
        raise error
    billing.guard.caught(where, error)


def _never_raises(method: _Method) -> _Method:
    """Callbacks are called inside the user's agent: errors are counted and logged, and only a budget may stop it."""

    @functools.wraps(method)
    def guarded(self: KeitoCallbackHandler, *args: Any, **kwargs: Any) -> None:
        try:
            method(self, *args, **kwargs)
        except Exception as error:
            _caught(self.billing, method.__name__, error)

    return cast("_Method", guarded)


class KeitoCallbackHandler(BaseCallbackHandler):
    """Bills every run of a LangChain or LangGraph program that it is given to.

        agent.invoke(question, config={"callbacks": [KeitoCallbackHandler()]})

    A root run, from its start to its end, becomes one time entry; the outcomes that were logged inside it become
    outcomes, and its model calls become one expense. One handler may serve any number of runs at a time. The `metadata`
    of a root run's config are the attributes of the run, by which `AgentBilling(resolve=...)` chooses its policy.

    It sees what LangChain reports: on Python 3.10, async code must pass its `config` on to the models that it calls.

    Args:
        billing: Bills the runs; by default one that the environment and `policy_fields` describe.
        abandon_after: Seconds without any event after which a run is taken to have been left by its program, and is
            billed as abandoned with its time up to the last event; by default 6 hours.
        **policy_fields: Fields of `BillingPolicy`, such as `project_id` or `outcome`.

    Raises:
        ValueError: The policy is incomplete or wrong, or `abandon_after` negative; the message says what to set.
        KeitoAuthError: There are no credentials.
        TypeError: Both a billing and policy fields are given.
    """

    run_inline = True  # a thread switch for each event would cost ten times as much, and lose the context

    def __init__(
        self,
        billing: Optional[AgentBilling] = None,
        *,
        abandon_after: Optional[float] = None,
        **policy_fields: Unpack[PolicyFields],
    ) -> None:
        # Imported here: a program that only imports the handler does not pay for what bills.
        from keito.billing.given import billing_of  # noqa: PLC0415
        from keito.billing.seconds import check_seconds  # noqa: PLC0415
        from keito_langchain.model_calls import ModelCalls  # noqa: PLC0415
        from keito_langchain.roots import Roots  # noqa: PLC0415
        from keito_langchain.translate import Translator  # noqa: PLC0415

        self.billing = billing_of(billing, policy_fields)
        self._roots = Roots(self.billing)
        self._runs, self._calls = Translator(self._roots), ModelCalls(self._roots)
        if abandon_after is not None:
            check_seconds("abandon_after", abandon_after)
            self._roots.watch.patience = abandon_after
        self._name = remember(self)
        self._fields = {**policy_fields, "abandon_after": abandon_after} if billing is None else None
        # LangChain lets errors of callbacks through only then. Those that are no budget's never leave this class.
        self.raise_error = self.billing.may_stop

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self  # LangChain copies models with their callbacks; the copies bill to the same place

    def __reduce__(self) -> tuple[Any, ...]:
        # No key and no queue travels: another process bills with the credentials that it has itself.
        return restore, (KeitoCallbackHandler, self._name, self._fields)

    @property
    def open_runs(self) -> int:
        """How many LangChain runs are going on, those inside others included."""
        return len(self._roots.table)

    @property
    def dropped_runs(self) -> int:
        """How many runs were billed as abandoned because more than 10,000 were open."""
        return self._roots.table.dropped

    @property
    def ignore_retry(self) -> bool:
        """A retry shows as a further model call."""
        return True

    def check_budget(self, run_id: UUID, budgets: Sequence[Budget] = ()) -> None:
        """Stop a model call that a budget forbids. For handlers that limit what runs spend.

        Args:
            run_id: LangChain's id of the call, whose start was reported.
            budgets: Budgets of its run beside those of the policy.

        Raises:
            KeitoBudgetExceeded: A budget that is to stop the agent is used up.
        """
        self._calls.check_budget(run_id, budgets)

    def flush(self, timeout: float = 10.0) -> FlushReport:
        """Send what is not delivered yet, within `timeout` seconds, and say where everything stands.

        Runs that are going on are no part of it.
        """
        self._roots.watch.look()
        return self.billing.send(timeout)

    @_never_raises
    def on_chain_start(
        self,
        serialized: Optional[dict[str, Any]],
        inputs: Any,
        *,
        run_id: UUID,
        parent_run_id: Optional[UUID] = None,
        tags: Optional[list[str]] = None,
        metadata: Optional[dict[str, Any]] = None,
        **kwargs: Any,
    ) -> None:
        # By now a program that runs a graph has loaded what tells of its pauses.
        self.__class__ = told_of_pauses(type(self))
        self._runs.started(run_id, parent_run_id, _name(serialized, kwargs), metadata, inputs=inputs, tags=tags)

    @_never_raises
    def on_tool_start(
        self,
        serialized: Optional[dict[str, Any]],
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: Optional[UUID] = None,
        tags: Optional[list[str]] = None,
        metadata: Optional[dict[str, Any]] = None,
        inputs: Optional[dict[str, Any]] = None,
        **kwargs: Any,
    ) -> None:
        self._runs.started(
            run_id, parent_run_id, _name(serialized, kwargs), metadata, inputs=inputs or input_str, uses="tool"
        )

    @_never_raises
    def on_retriever_start(
        self,
        serialized: Optional[dict[str, Any]],
        query: str,
        *,
        run_id: UUID,
        parent_run_id: Optional[UUID] = None,
        tags: Optional[list[str]] = None,
        metadata: Optional[dict[str, Any]] = None,
        **kwargs: Any,
    ) -> None:
        self._runs.started(run_id, parent_run_id, _name(serialized, kwargs), metadata, inputs=query, uses="retriever")

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
        try:  # not by the decorator: the agent waits for this and for `on_llm_end` with each of its model calls
            is_news = self._calls.started(run_id, parent_run_id, serialized, metadata, kwargs, messages)
            if is_news and self.raise_error:
                self._calls.check_budget(run_id)
        except Exception as error:
            _caught(self.billing, "on_chat_model_start", error)

    @_never_raises
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
        is_news = self._calls.started(run_id, parent_run_id, serialized, metadata, kwargs, prompts)
        if is_news and self.raise_error:
            self._calls.check_budget(run_id)

    @_never_raises
    def on_custom_event(
        self,
        name: str,
        data: Any,
        *,
        run_id: UUID,
        tags: Optional[list[str]] = None,
        metadata: Optional[dict[str, Any]] = None,
        **kwargs: Any,
    ) -> None:
        self._runs.custom_event(run_id, name, data)

    @_never_raises
    def on_interrupt(self, event: Any) -> None:
        """LangGraph has paused a graph."""
        self._runs.paused(event.run_id, paused=True)

    @_never_raises
    def on_resume(self, event: Any) -> None:
        """LangGraph goes on with a graph that was paused."""
        self._runs.paused(event.run_id, paused=False)

    def on_llm_end(
        self, response: LLMResult, *, run_id: UUID, parent_run_id: Optional[UUID] = None, **kwargs: Any
    ) -> None:
        try:
            self._calls.ended(run_id, kwargs.get("tags"), response)
        except Exception as error:
            _caught(self.billing, "on_llm_end", error)

    @_never_raises
    def on_llm_error(
        self, error: BaseException, *, run_id: UUID, parent_run_id: Optional[UUID] = None, **kwargs: Any
    ) -> None:
        self._calls.ended(run_id, kwargs.get("tags"), kwargs.get("response"), error)

    @_never_raises
    def on_chain_end(self, outputs: Any, *, run_id: UUID, parent_run_id: Optional[UUID] = None, **kwargs: Any) -> None:
        self._runs.ended(run_id, kwargs.get("tags"), result=outputs)

    @_never_raises
    def on_tool_end(self, output: Any, *, run_id: UUID, parent_run_id: Optional[UUID] = None, **kwargs: Any) -> None:
        self._runs.ended(run_id, kwargs.get("tags"), result=output)

    @_never_raises
    def on_retriever_end(
        self, documents: Sequence[Document], *, run_id: UUID, parent_run_id: Optional[UUID] = None, **kwargs: Any
    ) -> None:
        self._runs.ended(run_id, kwargs.get("tags"))

    @_never_raises
    def on_chain_error(
        self, error: BaseException, *, run_id: UUID, parent_run_id: Optional[UUID] = None, **kwargs: Any
    ) -> None:
        self._runs.ended(run_id, kwargs.get("tags"), error)

    @_never_raises
    def on_tool_error(
        self, error: BaseException, *, run_id: UUID, parent_run_id: Optional[UUID] = None, **kwargs: Any
    ) -> None:
        self._runs.ended(run_id, kwargs.get("tags"), error)

    @_never_raises
    def on_retriever_error(
        self, error: BaseException, *, run_id: UUID, parent_run_id: Optional[UUID] = None, **kwargs: Any
    ) -> None:
        self._runs.ended(run_id, kwargs.get("tags"), error)


def _name(serialized: Optional[dict[str, Any]], details: dict[str, Any]) -> Optional[str]:
    return details.get("name") or (serialized or {}).get("name")  # LangGraph and sequences have no `serialized`
