"""Crews, flows and agents that are billed, and are otherwise what they were."""

from __future__ import annotations

import copy
import functools
import inspect
from collections.abc import Mapping
from typing import Any, Optional

from typing_extensions import Self, Unpack

from keito.billing import AgentBilling
from keito.billing.given import billing_of
from keito.billing.policy import PolicyFields
from keito.outbox import FlushReport
from keito_crewai.binding import Binding, TaskOutcome, bound
from keito_crewai.seams import place_seams
from keito_crewai.streams import carried


class _Billed:
    """Stands for a thing of CrewAI: attributes, methods and `isinstance` are those of the thing."""

    _keito_entry_points: frozenset[str] = frozenset()
    _keito_inner: Any
    _keito_binding: Binding

    def __init__(
        self,
        thing: Any,
        billing: Optional[AgentBilling] = None,
        *,
        task_outcomes: Optional[Mapping[str, TaskOutcome]] = None,
        exact: bool = False,
        training: bool = False,
        patience: float = 2.0,
        **policy_fields: Unpack[PolicyFields],
    ) -> None:
        binding = binding_of(billing, task_outcomes, exact, training, patience, policy_fields)
        place_seams()
        self._keito_hold(thing._keito_inner if isinstance(thing, _Billed) else thing, binding)

    def _keito_hold(self, thing: Any, binding: Binding) -> None:
        object.__setattr__(self, "_keito_inner", thing)
        object.__setattr__(self, "_keito_binding", binding)

    def _keito_like_this(self, thing: Any) -> Self:
        other = object.__new__(type(self))
        other._keito_hold(thing, self._keito_binding)
        return other

    @property
    def billing(self) -> AgentBilling:
        """What bills it."""
        return self._keito_binding.billing

    def flush(self, timeout: float = 10.0) -> FlushReport:
        """Send what is not delivered yet, within `timeout` seconds, and say where everything stands."""
        return self.billing.send(timeout)

    def copy(self, *args: Any, **kwargs: Any) -> Self:
        """A copy of the thing that is billed by the same."""
        return self._keito_like_this(self._keito_inner.copy(*args, **kwargs))

    def model_copy(self, **kwargs: Any) -> Self:
        """The same, as pydantic's models make it."""
        return self._keito_like_this(self._keito_inner.model_copy(**kwargs))

    def __copy__(self) -> Self:
        return self._keito_like_this(copy.copy(self._keito_inner))

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self._keito_like_this(copy.deepcopy(self._keito_inner, memo))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_keito_"):  # one that was not constructed, or made anew by pickle
            raise AttributeError(name)
        value = getattr(self._keito_inner, name)
        return _entering(value, self._keito_binding) if name in self._keito_entry_points else value

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._keito_inner, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._keito_inner, name)

    def __repr__(self) -> str:
        return repr(self._keito_inner)

    def __dir__(self) -> list[str]:
        return sorted({*dir(self._keito_inner), "billing", "flush"})

    @property  # type: ignore[misc]
    def __class__(self) -> Any:  # pyright: ignore[reportIncompatibleMethodOverride]
        inner: object = self._keito_inner
        return type(inner)


class BilledCrew(_Billed):
    """A crew whose kickoffs are billed.

        crew = BilledCrew(crew)
        crew.kickoff(inputs={"topic": "bees"})

    Each kickoff becomes a time entry, the outcomes that are logged inside it, and an expense for its model calls; with
    `kickoff_for_each` each input does. The inputs are the attributes of the run, by which `AgentBilling(resolve=...)`
    chooses its policy.

    Args:
        thing: The crew. One that is billed already is billed by this from here on, and once.
        billing: Bills it; by default one that the environment and `policy_fields` describe.
        task_outcomes: What its tasks are worth, by their names: an `Outcome`, or a function from a task's output to
            one, several or none. They are billed if the whole run completes.
        exact: Meter the clients of CrewAI's own models for OpenAI and Anthropic, too. It finds what CrewAI does not
            report, such as answers that do not fit their schema; what both report counts once.
        training: Bill `train()` and `test()`, too.
        patience: For how many seconds the end waits for model calls that have not ended.
        **policy_fields: Fields of `BillingPolicy`, such as `project_id` or `outcome`.

    Raises:
        ImportError: CrewAI is missing or too old.
        ValueError: The policy is incomplete or wrong; the message says what to set.
        KeitoAuthError: There are no credentials.
        TypeError: Both a billing and policy fields are given.
    """

    _keito_entry_points = frozenset(
        {
            "akickoff",
            "akickoff_for_each",
            "kickoff",
            "kickoff_async",
            "kickoff_for_each",
            "kickoff_for_each_async",
            "replay",
            "test",
            "train",
        }
    )


class BilledFlow(_Billed):
    """A flow whose kickoffs are billed, with everything that its methods do: crews, agents and model calls.

        flow = BilledFlow(flow)
        flow.kickoff()

    The arguments are those of `BilledCrew`.
    """

    _keito_entry_points = frozenset(
        {
            "akickoff",
            "astream",
            "chat",
            "handle_turn",
            "kickoff",
            "kickoff_async",
            "resume",
            "resume_async",
            "stream_events",
            "stream_turn",
        }
    )


class BilledAgent(_Billed):
    """An agent whose kickoffs without a crew are billed; see `billed_agent`."""

    _keito_entry_points = frozenset({"akickoff", "kickoff", "kickoff_async", "message"})


def billed_agent(
    agent: Any, billing: Optional[AgentBilling] = None, *, exact: bool = False, **policy_fields: Unpack[PolicyFields]
) -> BilledAgent:
    """An agent whose `kickoff()` without a crew is billed. The arguments are those of `BilledCrew`."""
    return BilledAgent(agent, billing, exact=exact, **policy_fields)


def binding_of(
    billing: Optional[AgentBilling],
    task_outcomes: Optional[Mapping[str, TaskOutcome]],
    exact: bool,
    training: bool,
    patience: float,
    policy_fields: PolicyFields,
) -> Binding:
    """What these arguments describe.

    Raises:
        TypeError: The billing is none, or policy fields are given beside it.
    """
    return Binding(billing_of(billing, policy_fields), task_outcomes or {}, exact, training, patience)


def _entering(method: Any, binding: Binding) -> Any:
    if inspect.iscoroutinefunction(method):

        @functools.wraps(method)
        async def enter_async(*args: Any, **kwargs: Any) -> Any:
            with bound(binding):
                return carried(await method(*args, **kwargs), binding)

        return enter_async

    @functools.wraps(method)
    def enter(*args: Any, **kwargs: Any) -> Any:
        with bound(binding):
            result = method(*args, **kwargs)
        return _awaited(result, binding) if inspect.isawaitable(result) else carried(result, binding)

    return enter


async def _awaited(coroutine: Any, binding: Binding) -> Any:
    """`Agent.kickoff` inside an event loop gives a coroutine."""
    with bound(binding):
        return await coroutine
