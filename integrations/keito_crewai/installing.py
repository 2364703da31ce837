"""Billing of everything that CrewAI does in this process."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Optional

from typing_extensions import Unpack

from keito.billing import AgentBilling
from keito.billing.policy import PolicyFields
from keito_crewai import listener
from keito_crewai.billed import binding_of
from keito_crewai.binding import TaskOutcome, set_installed
from keito_crewai.seams import place_seams


def install(
    billing: Optional[AgentBilling] = None,
    *,
    task_outcomes: Optional[Mapping[str, TaskOutcome]] = None,
    exact: bool = False,
    training: bool = False,
    patience: float = 2.0,
    **policy_fields: Unpack[PolicyFields],
) -> AgentBilling:
    """Bill every crew, flow and agent of this process that starts from now on, without touching their code.

    The arguments are those of `BilledCrew`. What is in a `BilledCrew` or `BilledFlow` is billed by that, and once. A
    second call takes the place of the first.

    Returns:
        What bills them: for `flush()` and `close()`.

    Raises:
        ImportError: CrewAI is missing or too old.
        ValueError: The policy is incomplete or wrong; the message says what to set.
        KeitoAuthError: There are no credentials.
        TypeError: Both a billing and policy fields are given.
    """
    binding = binding_of(billing, task_outcomes, exact, training, patience, policy_fields)
    place_seams()
    listener.register()
    set_installed(binding)
    return binding.billing


def uninstall() -> None:
    """Bill only what is in a `BilledCrew` or `BilledFlow` again."""
    set_installed(None)
