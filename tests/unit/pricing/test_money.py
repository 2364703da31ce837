"""Exchange rates and markups."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keito.pricing import ExchangeRate, ExchangeRateError, convert, mark_up

DAY = date(2026, 11, 20)
amounts = st.decimals(0, 10**6, places=12)
factors = st.decimals("0.0001", 10**4, places=6)


def test_a_fixed_rate_is_recorded_with_its_day() -> None:
    found = convert(Decimal("0.0037"), ExchangeRate("EUR", Decimal("0.92")), DAY)
    assert (found.amount, found.currency) == (Decimal("0.003404"), "EUR")
    assert (found.original, found.original_currency) == (Decimal("0.0037"), "USD")
    assert (found.rate, found.day) == (Decimal("0.92"), DAY)


def test_a_function_gives_the_rate_of_the_day() -> None:
    rates = {DAY: Decimal("0.92"), date(2026, 11, 21): Decimal("0.93")}
    rate = ExchangeRate("EUR", rates.__getitem__)
    assert [convert(Decimal(1), rate, day).amount for day in rates] == list(rates.values())


def test_what_is_in_the_currency_already_stays_as_it_is() -> None:
    found = convert(Decimal(5), ExchangeRate("EUR", Decimal("0.92")), DAY, currency="EUR")
    assert (found.amount, found.rate) == (Decimal(5), Decimal(1))


def test_a_rate_is_for_its_two_currencies_only() -> None:
    with pytest.raises(ExchangeRateError, match="the rate is from USD to EUR; the amount is in GBP"):
        convert(Decimal(5), ExchangeRate("EUR", Decimal("0.92")), DAY, currency="GBP")


@pytest.mark.parametrize(
    ("rate", "said"),
    [
        (0.92, r"rate: 0\.92 is no Decimal; write Decimal\('0\.92'\)"),
        (Decimal(0), "rate: 0 is not a positive number"),
        (Decimal("NaN"), "rate: NaN is not a positive number"),
        (None, "rate: None is no Decimal"),
    ],
)
def test_a_wrong_rate_is_refused_at_once(rate: Any, said: str) -> None:
    with pytest.raises(ExchangeRateError, match=said):
        ExchangeRate("EUR", rate)


@pytest.mark.parametrize("rates", [{}, {DAY: 0.92}, {DAY: Decimal(-1)}])
def test_a_function_that_fails_is_an_error_that_names_the_day(rates: "dict[date, Any]") -> None:
    with pytest.raises(ExchangeRateError, match="2026-11-20"):
        convert(Decimal(1), ExchangeRate("EUR", rates.__getitem__), DAY)


def test_currencies_are_iso_codes() -> None:
    with pytest.raises(ValueError, match="currency: 'Euro' is not an ISO code"):
        ExchangeRate("Euro", Decimal(1))


@given(amounts, factors)
def test_converting_is_exact(amount: Decimal, factor: Decimal) -> None:
    found = convert(amount, ExchangeRate("EUR", factor), DAY)
    assert int(found.amount.scaleb(18)) == int(amount.scaleb(12)) * int(factor.scaleb(6))


@given(amounts, factors)
def test_cost_and_markup_are_the_amount(cost: Decimal, factor: Decimal) -> None:
    found = mark_up(cost, factor)
    assert found.cost + found.markup == found.amount
    assert (found.cost, found.factor) == (cost, factor)


@pytest.mark.parametrize("factor", [1.2, Decimal(0), Decimal("-1.2"), 1])
def test_a_wrong_markup_is_refused(factor: Any) -> None:
    with pytest.raises(ValueError, match="markup: "):
        mark_up(Decimal(1), factor)
