"""The expenses that were missing for want of a price, once there is one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal, localcontext
from typing import Any, Optional, Union

from keito.billing.cost import Gap, RateRow, RunCost
from keito.billing.expenses import Expense, expenses_for, not_converted
from keito.billing.gap_rows import gaps_of
from keito.billing.metadata import fit, keito_facts, model_rows, model_totals
from keito.billing.model_cost import ModelCost
from keito.billing.policy import BillingPolicy
from keito.metering import RunStatus
from keito.metering.by_hand import EXACT
from keito.outbox.record import BillingRecord, RecordKind
from keito.pricing import PricedCall, PriceTable, RateSet, find_rates
from keito.pricing.rates import REQUEST_RATES

_HOUR = timedelta(minutes=59, seconds=59)


@dataclass(frozen=True)
class Unbilled:
    """Why a run's missing expense is not to be posted now.

    Attributes:
        reason: For people.
        models: The models that need a price.
    """

    reason: str
    models: tuple[str, ...] = ()


def late_key(key: str, number: int = 0) -> str:
    """The key of the first expense that a time entry with this key lacks, or of a further one in another currency."""
    return f"{key}-reprice-{number}" if number else f"{key}-reprice"


def late_expenses(key: str, body: Mapping[str, Any], policy: BillingPolicy) -> Union[list[BillingRecord], Unbilled]:
    """The expenses for the calls of a time entry that had no price when it was made: one in each currency.

    Their keys follow from the entry's: posted twice, they would be known. So they have to wait until all of the
    entry's calls have a price that ever can have one.

    Args:
        key: The time entry's.
        body: What was posted as the time entry.
        policy: What it is billed by now: its prices, exchange rate, markup and expense category.

    Returns:
        The expenses, none where nothing is missing; or why there are none yet.
    """
    facts: Mapping[str, Any] = body["metadata"]["keito"]
    gaps = gaps_of(facts)
    if not gaps:
        return []
    if policy.expense_category_id is None:
        return Unbilled("KEITO_EXPENSE_CATEGORY_ID is not set")
    with localcontext(EXACT):
        priced = [(gap, price_gap(gap, policy.prices)) for gap in gaps]
        missing = {gap.model: found.reason for gap, found in priced if found.amount is None}
        if missing:
            reasons = ", ".join(f"{model}: {reason}" for model, reason in missing.items())
            return Unbilled(reasons, tuple(missing))
        return _expenses(key, body, _cost(priced), policy)


def price_gap(gap: Gap, table: Optional[PriceTable] = None) -> PricedCall:
    """What calls of one model and hour, or of several, cost together, where that follows from their tokens together."""
    if gap.hour is None:
        return PricedCall(reason="when it was called is not known")
    found = find_rates(gap.provider, gap.model, gap.hour, gap.tier, table)
    if isinstance(found, str):
        return PricedCall(reason=found)
    if any(find_rates(gap.provider, gap.model, moment, gap.tier, table) != found for moment in _moments(gap)):
        return PricedCall(reason="its price changed within the " + ("hour" if gap.until is None else "hours"))
    priced = found.price(gap.usage)
    if priced.amount is None or gap.calls == 1:
        return priced
    if _depends_on_size(found, priced, gap.usage.input_tokens):
        return PricedCall(reason="its price depends on the size of each call")
    return replace(priced, amount=EXACT.add(priced.amount, _requests(found, gap.calls - 1)))


def _moments(gap: Gap) -> Iterator[datetime]:
    """Begin and end of each hour in which the calls may have begun."""
    hour = gap.hour
    while hour is not None and hour <= (gap.until or gap.hour or hour):
        yield hour
        yield hour + _HOUR
        hour += timedelta(hours=1)


def _depends_on_size(found: RateSet, priced: PricedCall, input_tokens: int) -> bool:
    """Whether one of the calls may have been so large that it had another rate."""
    return any(start < input_tokens for unit in priced.rates for start, _ in found.rates[unit].steps)


def _requests(found: RateSet, count: int) -> Decimal:
    fees = (found.rates[unit].base.scaleb(power, EXACT) for unit, power in REQUEST_RATES.items() if unit in found.rates)
    return EXACT.multiply(sum(fees, Decimal(0)), Decimal(count))


def _cost(priced: list[tuple[Gap, PricedCall]]) -> RunCost:
    total = RunCost()
    for gap, found in priced:
        row = ModelCost(gap.provider, gap.model)
        row.calls = gap.calls
        row.count(gap.usage)
        row.pay(found.currency, found.amount or Decimal(0))
        rates = RateRow(gap.provider, gap.model, found.rates, found.source, found.table_version, found.currency)
        total.merge(RunCost.of([row], [rates], [], []))
    return total


def _expenses(
    key: str, body: Mapping[str, Any], cost: RunCost, policy: BillingPolicy
) -> Union[list[BillingRecord], Unbilled]:
    day, status = date.fromisoformat(body["spent_date"]), body["metadata"]["keito"].get("status")
    if not (policy.post_after(RunStatus(status)) if status else policy.post).expense:
        return Unbilled("the policy posts no expenses for it")
    if not_converted(cost, policy, day):
        return Unbilled("there is no exchange rate for its day")
    found = expenses_for(cost, replace(policy, expense_per="run"), day)
    return [_expense(key, body, expense, policy) for expense in found]


def _expense(key: str, body: Mapping[str, Any], expense: Expense, policy: BillingPolicy) -> BillingRecord:
    metadata: Mapping[str, Any] = body["metadata"]
    status, own = metadata["keito"].get("status"), late_key(key, expense.part)
    # Calls that no price can help, such as those without usage, stay unbilled.
    flags = [] if _named(metadata["keito"]) == expense.cost.calls else ["unpriced"]
    facts = keito_facts(own, status, corrects=key, flags=flags, **expense.facts())
    about = {name: metadata[name] for name in ("agent", "run", "session_id") if name in metadata}
    late = {
        "project_id": body["project_id"],
        "spent_date": body["spent_date"],
        "source": "agent",
        **expense.body(policy),
        "metadata": fit({**about, **_models(expense.used), "keito": facts}),
    }
    return BillingRecord(own, RecordKind.EXPENSE, late)


def _named(facts: Mapping[str, Any]) -> int:
    """How many calls the entry says to have no price."""
    return sum(row["calls"] for row in facts.get("unpriced", ()))


def _models(cost: Optional[RunCost]) -> dict[str, Any]:
    from keito.types.agent_metadata import AgentMetadata  # noqa: PLC0415 - brings every model of the API along

    return {**AgentMetadata.build(**model_totals(cost)), **model_rows(cost)}
