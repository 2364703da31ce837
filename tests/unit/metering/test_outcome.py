from decimal import Decimal
from typing import Any

import pytest

from keito import OutcomeTypes
from keito.metering import Outcome


def test_a_price_is_decimal_however_it_is_given() -> None:
    prices = {Outcome("x", unit_price=price).unit_price for price in (0.99, "0.99", Decimal("0.99"))}
    assert prices == {Decimal("0.99")}
    assert Outcome("x", 2).unit_price == Decimal(2)
    assert Outcome("x").quantity == Decimal(1)


def test_a_known_type_is_its_name() -> None:
    assert Outcome(OutcomeTypes.TICKET_RESOLVED).type == "ticket_resolved"


def test_evidence_is_what_it_was_when_the_outcome_was_made() -> None:
    evidence = {"ticket": {"id": 4821}}
    outcome = Outcome("x", evidence=evidence)
    evidence["ticket"]["id"] = 0
    assert outcome.evidence == {"ticket": {"id": 4821}}


def nested(levels: int) -> "list[Any]":
    found: list[Any] = []
    for _ in range(levels - 1):
        found = [found]
    return found


@pytest.mark.parametrize(
    "bad",
    [
        {"type": ""},
        {"type": "x" * 101},
        {"type": "half a pair \ud800"},
        {"type": None},
        {"type": "x", "evidence": {"text": "half a pair \ud800"}},
        {"type": "x", "evidence": {"list": nested(20)}},
        {"type": "x", "evidence": {"list": nested(100_000)}},
        {"type": "x", "evidence": 4821},
        {"type": "x", "unit_price": -1},
        {"type": "x", "unit_price": "NaN"},
        {"type": "x", "unit_price": "a lot"},
        {"type": "x", "quantity": float("inf")},
        {"type": "x", "evidence": {"object": object()}},
        {"type": "x", "evidence": {"rate": float("nan")}},
        {"type": "x", "evidence": {"text": "x" * 2048}},
    ],
)
def test_what_cannot_be_billed_is_refused_where_it_is_written(bad: "dict[str, Any]") -> None:
    with pytest.raises(ValueError, match=r"."):
        Outcome(**bad)


def test_evidence_may_have_the_exact_numbers_of_a_file() -> None:
    assert Outcome("x", evidence={"score": Decimal("0.9")}).evidence == {"score": 0.9}
    for bad in (Decimal("NaN"), Decimal("Infinity"), object()):
        with pytest.raises(ValueError, match="not JSON"):
            Outcome("x", evidence={"score": bad})


def test_evidence_may_be_nested_a_little() -> None:
    evidence = {"list": nested(19)}
    assert Outcome("x", evidence=evidence).evidence == evidence


@pytest.mark.parametrize(("given", "text"), [(4821, "4821"), ("half a pair \ud800", "half a pair ?"), (None, None)])
def test_a_description_is_text_that_can_be_posted(given: Any, text: "str | None") -> None:
    assert Outcome("x", description=given).description == text
