"""The sums of `reports.agent_summary()`, against sums that are computed in another way."""

from __future__ import annotations

import json
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keito.resources.agent_tally import AgentTally
from keito.types import TimeEntry


def entry(**fields: Any) -> TimeEntry:
    """An entry as the client reads it from the API's JSON."""
    usual = {"id": "te_1", "hours": 0, "billable": True, "is_running": False, "billable_rate": 90}
    return TimeEntry.model_validate_json(json.dumps({**usual, **fields}))


def outcome(**fields: Any) -> dict[str, Any]:
    usual = {"type": "ticket_resolved", "unit_price": 0.99, "quantity": 1, "success": True}
    given_fields = {**usual, **fields}
    return {f"outcome_{name}": value for name, value in given_fields.items() if value is not ...}


def totals_of(*entries: TimeEntry, currency: str | None = "USD") -> Any:
    tally = AgentTally()
    for one in entries:
        tally.add(one, currency)
    return tally.totals()


def test_hours_and_money_are_exact() -> None:
    totals = totals_of(*[entry(hours=0.1, billable_rate=0.1)] * 3, *[entry(metadata=outcome(unit_price=0.1))] * 3)
    assert totals["time"].total_hours == Decimal("0.3")
    assert totals["time"].revenue == Decimal("0.03")
    assert totals["outcomes"].revenue == Decimal("0.3")
    assert totals["combined"].total_revenue == Decimal("0.33")


def test_the_programs_own_decimal_context_changes_nothing() -> None:
    with localcontext() as context:
        context.prec = 2
        totals = totals_of(entry(hours=1.234567, billable_rate=87.65), entry(hours=20))
    assert totals["time"].total_hours == Decimal("21.234567")
    assert totals["time"].revenue == Decimal("1.234567") * Decimal("87.65") + 1800


def test_nobody_pays_for_a_failed_outcome() -> None:
    totals = totals_of(entry(metadata=outcome(quantity=3)), entry(metadata=outcome(success=False, unit_price=500)))
    outcomes = totals["outcomes"]
    assert (outcomes.total, outcomes.successful, outcomes.failed, outcomes.unpriced) == (2, 1, 1, 0)
    assert (outcomes.quantity, outcomes.revenue) == (3, Decimal("2.97"))


def test_what_is_not_billable_has_no_revenue_and_is_not_unknown() -> None:
    totals = totals_of(
        entry(hours=2, billable=False, billable_rate=None), entry(billable=False, metadata=outcome(unit_price=9))
    )
    assert (totals["time"].total_hours, totals["time"].billable_hours) == (2, 0)
    assert totals["outcomes"].successful == 1
    assert (totals["combined"].total_revenue, totals["combined"].unpriced) == (0, 0)


@pytest.mark.parametrize(
    "unknown", [{"billable_rate": None}, {"billable": None}, {"billable_rate": -1}, {"billable_rate": 1e13}]
)
def test_hours_whose_worth_is_unknown_are_no_zero(unknown: dict[str, Any]) -> None:
    alone = totals_of(entry(hours=2, **unknown))
    assert (alone["time"].revenue, alone["time"].unpriced, alone["time"].unpriced_hours) == (None, 1, 2)
    assert (alone["combined"].total_revenue, alone["combined"].unpriced) == (None, 1)
    beside = totals_of(entry(hours=2, **unknown), entry(hours=1))
    assert (beside["time"].revenue, beside["time"].unpriced, beside["time"].unpriced_hours) == (90, 1, 2)


@pytest.mark.parametrize(
    "unknown",
    [
        {"unit_price": ...},
        {"unit_price": None},
        {"unit_price": "0.99"},
        {"unit_price": True},
        {"unit_price": -1},
        {"quantity": "many"},
        {"success": ...},
        {"success": "yes"},
    ],
)
def test_outcomes_whose_worth_is_unknown_are_no_zero(unknown: dict[str, Any]) -> None:
    outcomes = totals_of(entry(metadata=outcome(**unknown)))["outcomes"]
    assert (outcomes.total, outcomes.revenue, outcomes.revenues, outcomes.unpriced) == (1, None, {}, 1)


def test_an_outcome_without_a_word_about_its_success_is_neither_successful_nor_failed() -> None:
    outcomes = totals_of(entry(metadata=outcome(success=...)))["outcomes"]
    assert (outcomes.total, outcomes.successful, outcomes.failed, outcomes.quantity) == (1, 0, 0, 0)


def test_an_outcome_without_a_quantity_is_one() -> None:
    outcomes = totals_of(entry(metadata=outcome(quantity=...)))["outcomes"]
    assert (outcomes.quantity, outcomes.revenue) == (1, Decimal("0.99"))


def test_amounts_without_a_currency_are_unknown() -> None:
    totals = totals_of(entry(hours=1), entry(metadata=outcome()), currency=None)
    assert (totals["time"].unpriced, totals["outcomes"].unpriced, totals["combined"].unpriced) == (1, 1, 2)
    assert totals["combined"].revenues == {}


def test_currencies_are_never_added_up() -> None:
    tally = AgentTally()
    tally.add(entry(hours=1), "USD")
    tally.add(entry(metadata=outcome(unit_price=5)), "EUR")
    totals: Any = tally.totals()
    assert (totals["time"].revenue, totals["outcomes"].revenue) == (90, 5)
    assert totals["combined"].total_revenue is None
    assert totals["combined"].revenues == {"USD": 90, "EUR": 5}


@pytest.mark.parametrize("open_entry", [{"is_running": True}, {"is_running": True, "hours": 2}, {"hours": None}])
def test_hours_that_are_not_known_yet_are_not_counted(open_entry: dict[str, Any]) -> None:
    totals = totals_of(entry(**open_entry, metadata={"outcome_type": "x"}))
    assert (totals["time"].unmeasured, totals["time"].total_hours, totals["time"].unpriced) == (1, 0, 0)
    assert totals["outcomes"].total == 0


def test_hours_with_the_metadata_of_an_outcome_are_work() -> None:
    totals = totals_of(entry(hours=0.5, metadata=outcome()))
    assert (totals["time"].revenue, totals["outcomes"].total) == (45, 0)


def test_no_hours_are_worth_nothing_whatever_the_rate_is() -> None:
    totals = totals_of(entry(hours=0, billable_rate=None))
    assert (totals["time"].revenue, totals["time"].unpriced) == (0, 0)


amounts = st.one_of(st.none(), st.integers(0, 10**6), st.floats(0, 10**6, allow_nan=False))
entries = st.lists(
    st.fixed_dictionaries(
        {
            "currency": st.sampled_from(["USD", "EUR", None]),
            "hours": st.one_of(st.just(0), st.floats(0, 24)),
            "billable": st.sampled_from([True, False, None]),
            "billable_rate": amounts,
            "is_running": st.sampled_from([False, False, True]),
            "outcome": st.one_of(
                st.none(),
                st.fixed_dictionaries({"unit_price": amounts, "quantity": amounts, "success": st.booleans()}),
            ),
        }
    ),
    max_size=30,
)


@settings(max_examples=300, deadline=None)
@given(entries)
def test_the_sums_are_those_of_fractions(rows: list[dict[str, Any]]) -> None:
    tally = AgentTally()
    for row in rows:
        metadata = None if row["outcome"] is None else outcome(**row["outcome"])
        fields = {name: row[name] for name in ("hours", "billable", "billable_rate", "is_running")}
        tally.add(entry(**fields, metadata=metadata), row["currency"])
    totals: Any = tally.totals()

    def exactly(number: Any) -> Fraction:
        return Fraction(repr(number))

    finished = [row for row in rows if not row["is_running"]]
    work = [row for row in finished if row["hours"] != 0 or row["outcome"] is None]
    results = [row for row in finished if row["hours"] == 0 and row["outcome"] is not None]
    assert totals["time"].unmeasured == len(rows) - len(finished)
    assert Fraction(totals["time"].total_hours) == sum(exactly(row["hours"]) for row in work)
    assert Fraction(totals["time"].billable_hours) == sum(exactly(row["hours"]) for row in work if row["billable"])
    assert (totals["outcomes"].total, totals["outcomes"].successful) == (
        len(results),
        sum(row["outcome"]["success"] for row in results),
    )
    expected: dict[str, Fraction] = {}
    unpriced = 0
    sales = [(row, row["hours"], row["billable_rate"]) for row in work if row["hours"] and row["billable"] is not False]
    sales += [
        (row, row["outcome"]["quantity"], row["outcome"]["unit_price"])
        for row in results
        if row["outcome"]["success"] and row["billable"] is not False
    ]
    for row, count, price in sales:
        if None in (row["billable"], row["currency"], count, price):
            unpriced += 1
        else:
            known = expected.get(row["currency"], Fraction(0))
            expected[row["currency"]] = known + exactly(count) * exactly(price)
    combined = totals["combined"]
    assert {name: Fraction(amount) for name, amount in combined.revenues.items()} == expected
    assert combined.unpriced == unpriced == totals["time"].unpriced + totals["outcomes"].unpriced
