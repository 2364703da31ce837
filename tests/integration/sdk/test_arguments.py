"""What the contract forbids is refused before anything is sent, and the message says what is wrong."""

import enum
import json
from collections.abc import Mapping
from datetime import date, datetime, time, timezone
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest

from keito import KeitoError, KeitoValidationError
from keito.types import LineItemCreate, Source


@pytest.fixture(params=["sync", "aiohttp"])
def transport(request: pytest.FixtureRequest) -> str:
    """Arguments are looked at before a transport is; aiohttp is there since it builds URLs of its own."""
    return str(request.param)


PROJECT = {"project_id": "proj_support", "task_id": "task_tickets"}
ENTRY = {**PROJECT, "spent_date": "2026-03-05"}
EXPENSE = {"project_id": "proj_support", "expense_category_id": "cat_llm", "spent_date": "2026-03-05"}
NO_JSON = object()
CYCLE: "dict[str, Any]" = {}
CYCLE["self"] = CYCLE


def create(**given: Any) -> Any:
    return lambda client: client.time_entries.create(**{**ENTRY, **given})


def expense(**given: Any) -> Any:
    return lambda client: client.expenses.create(**{**EXPENSE, **given})


def outcome(**given: Any) -> Any:
    return lambda client: client.outcomes.log(**{**ENTRY, "outcome_type": "x", **given})


def listing(**given: Any) -> Any:
    return lambda client: next(client.time_entries.list(**given))


def options(**given: Any) -> Any:
    return lambda client: client.users.me(request_options=given)


# The call, and what its refusal must mention: the field, the value, the rule.
REFUSED: "dict[str, tuple[Any, list[str]]]" = {
    "hours below 0": (create(hours=-0.01), ["hours", "-0.01", "greater than or equal to 0"]),
    "hours above 24": (create(hours=24.01), ["hours", "24.01", "less than or equal to 24"]),
    "hours Decimal": (create(hours=Decimal("24.0001")), ["hours", "24.0001", "24"]),
    "hours NaN": (create(hours=float("nan")), ["hours", "nan", "finite"]),
    "hours infinite": (create(hours=float("inf")), ["hours", "inf", "finite"]),
    "hours Decimal NaN": (create(hours=Decimal("NaN")), ["hours", "NaN", "finite"]),
    "hours signalling NaN": (create(hours=Decimal("sNaN")), ["hours", "sNaN", "finite"]),
    "hours beyond a double": (create(hours=10**400), ["hours", "finite"]),
    "hours text": (create(hours="1.5"), ["hours", "'1.5'", "int, float or Decimal"]),
    "hours bool": (create(hours=True), ["hours", "True", "int, float or Decimal"]),
    "hours update": (
        lambda client: client.time_entries.update("te_1", hours=25),
        ["hours", "25", "less than or equal to 24"],
    ),
    "day of no month": (create(spent_date="2026-02-30"), ["spent_date", "'2026-02-30'", "day is out of range"]),
    "day in words": (create(spent_date="5 March"), ["spent_date", "'5 March'", "YYYY-MM-DD"]),
    "day compact": (create(spent_date="20260305"), ["spent_date", "'20260305'", "YYYY-MM-DD"]),
    "day with time": (create(spent_date="2026-03-05T10:00:00"), ["spent_date", "YYYY-MM-DD"]),
    "day with blanks": (create(spent_date="2026-03-05\n"), ["spent_date", "YYYY-MM-DD"]),
    "day datetime": (
        create(spent_date=datetime(2026, 3, 5, tzinfo=timezone.utc)),
        ["spent_date", "datetime", "time zone"],
    ),
    "day number": (create(spent_date=20260305), ["spent_date", "20260305", "YYYY-MM-DD"]),
    "day null": (create(spent_date=None), ["spent_date", "None", "YYYY-MM-DD"]),
    "clock of 24": (create(started_time="24:00"), ["started_time", "'24:00'", "HH:mm"]),
    "clock 12 hours": (create(ended_time="9:30 pm"), ["ended_time", "'9:30 pm'", "HH:mm"]),
    "clock short": (create(ended_time="9:30"), ["ended_time", "'9:30'", "HH:mm"]),
    "project null": (create(project_id=None), ["project_id", "None", "string"]),
    "notes number": (create(notes=5), ["notes", "5", "string"]),
    "notes half a surrogate": (create(notes="\ud800"), ["notes", "\\ud800", "JSON"]),
    "source number": (create(source=5), ["source", "5"]),
    "billable word": (create(billable="perhaps"), ["billable", "'perhaps'", "boolean"]),
    "metadata list": (create(metadata=[1]), ["metadata", "[1]", "object"]),
    "metadata text": (create(metadata='{"a": 1}'), ["metadata", "object"]),
    "metadata set": (create(metadata={"a": {1}}), ["metadata", "{1}", "JSON"]),
    "metadata bytes": (create(metadata={"a": b"x"}), ["metadata", "b'x'", "JSON"]),
    "metadata object": (create(metadata={"a": NO_JSON}), ["metadata", "object object", "JSON"]),
    "metadata NaN": (create(metadata={"a": float("nan")}), ["metadata", "nan", "JSON"]),
    "metadata Decimal NaN": (create(metadata={"a": Decimal("NaN")}), ["metadata", "NaN", "JSON"]),
    "metadata Decimal sNaN": (create(metadata={"a": Decimal("sNaN")}), ["metadata", "sNaN", "JSON"]),
    "metadata Decimal infinite": (create(metadata={"a": Decimal("Infinity")}), ["metadata", "Infinity", "JSON"]),
    "metadata Decimal huge": (create(metadata={"a": Decimal("1e999999")}), ["metadata", "1E+999999", "JSON"]),
    "metadata int huge": (create(metadata={"a": 10**5000}), ["metadata", "<dict>", "JSON"]),
    "metadata cycle": (create(metadata=CYCLE), ["metadata", "JSON"]),
    "metadata key": (create(metadata={(1, 2): 3}), ["metadata", "(1, 2)", "JSON"]),
    "metadata half a surrogate": (create(metadata={"a": "\udfff"}), ["metadata", "JSON"]),
    "metadata too large": (create(metadata={"a": "x" * 5000}), ["metadata", "5,008 bytes", "4,096"]),
    "negative cost": (expense(total_cost=-0.01), ["total_cost", "-0.01", "greater than or equal to 0"]),
    "negative Decimal": (expense(total_cost=Decimal(-1)), ["total_cost", "-1", "greater than or equal to 0"]),
    "cost NaN": (expense(total_cost=float("nan")), ["total_cost", "nan", "finite"]),
    "neither cost nor units": (expense(), ["total_cost", "units", "one of them"]),
    "both null": (expense(total_cost=None, units=None), ["total_cost", "units", "one of them"]),
    "no unit": (expense(units=0), ["units", "0", "greater than or equal to 1"]),
    "half a unit": (expense(units=1.5), ["units", "1.5", "integer"]),
    "expense metadata": (expense(total_cost=1, metadata={"a": "é" * 2050}), ["metadata", "4,108 bytes", "4,096"]),
    "price below 0": (outcome(unit_price=-1), ["unit_price", "-1", "0 or more"]),
    "price NaN": (outcome(unit_price=float("nan")), ["unit_price", "nan", "finite"]),
    "quantity below 0": (outcome(quantity=-1), ["quantity", "-1", "0 or more"]),
    "quantity text": (outcome(quantity="2"), ["quantity", "'2'", "int, float or Decimal"]),
    "no outcome type": (outcome(outcome_type=""), ["outcome_type", "''", "non-empty"]),
    "outcome type null": (outcome(outcome_type=None), ["outcome_type", "None", "string"]),
    "evidence list": (outcome(evidence=["a"]), ["evidence", "['a']", "object"]),
    "outcome metadata": (outcome(metadata={"a": "x" * 4000}, evidence={"b": "y" * 200}), ["metadata", "4,096"]),
    "misspelt line": (
        lambda client: client.invoices.create(client_id="c", line_items=[{"unit_prise": 1}]),
        ["line_items.0.unit_prise", "1"],
    ),
    "line price": (
        lambda client: client.invoices.create(client_id="c", line_items=[{}, {"unit_price": "1"}]),
        ["line_items.1.unit_price", "'1'"],
    ),
    "lines text": (lambda client: client.invoices.create(client_id="c", line_items="abc"), ["line_items", "'abc'"]),
    "due date": (lambda client: client.invoices.create(client_id="c", due_date="soon"), ["due_date", "'soon'"]),
    "no recipient email": (
        lambda client: client.invoices.messages.create("i", recipients=[{"name": "n"}]),
        ["recipients.0.email"],
    ),
    "tax text": (lambda client: client.clients.create(name="n", tax="19"), ["tax", "'19'"]),
    "name null": (lambda client: client.clients.create(name=None), ["name", "None", "string"]),
    "from_date": (listing(from_date="2026-3-5"), ["from_date", "'2026-3-5'", "YYYY-MM-DD"]),
    "to_date": (listing(to_date=datetime(2026, 3, 5, tzinfo=timezone.utc)), ["to_date", "datetime"]),
    "updated_since without zone": (
        listing(updated_since=datetime(2026, 3, 5)),  # noqa: DTZ001 - that is what is wrong with it
        ["updated_since", "2026, 3, 5", "time zone"],
    ),
    "updated_since text": (listing(updated_since="yesterday"), ["updated_since", "'yesterday'"]),
    "updated_since number": (listing(updated_since=5), ["updated_since", "5", "datetime"]),
    "updated_since before time": (
        listing(updated_since="0001-01-01T00:00:00+23:00"),
        ["updated_since", "0001-01-01", "range"],
    ),
    "report date": (lambda client: next(client.reports.team_time("2026-13-01", "20260331")), ["from_date", "month"]),
    "filter half a surrogate": (listing(project_id="\ud800"), ["project_id", "UTF-8"]),
    "page 0": (listing(page=0), ["page", "0", "at least 1"]),
    "page text": (listing(page="1"), ["page", "'1'", "integer"]),
    "page bool": (listing(page=True), ["page", "True", "integer"]),
    "per_page 0": (listing(per_page=0), ["per_page", "0", "at least 1"]),
    "per_page 2001": (listing(per_page=2001), ["per_page", "2001", "at most 2000"]),
    "prefetch -1": (listing(prefetch=-1), ["prefetch", "-1", "at least 0"]),
    "prefetch 65": (listing(prefetch=65), ["prefetch", "65", "at most 64"]),
    "unknown option": (options(retries=3), ["request_options", "'retries'", "max_retries"]),
    "options list": (lambda client: client.users.me(request_options=["timeout"]), ["request_options", "mapping"]),
    "timeout 0": (options(timeout=0), ["timeout", "0", "positive"]),
    "timeout NaN": (options(timeout=float("nan")), ["timeout", "nan", "positive"]),
    "timeout infinite": (options(timeout=float("inf")), ["timeout", "inf", "None to wait for ever"]),
    "timeout text": (options(timeout="5"), ["timeout", "'5'", "positive"]),
    "timeout bool": (options(timeout=True), ["timeout", "True", "positive"]),
    "max_retries -1": (options(max_retries=-1), ["max_retries", "-1", "0 or more"]),
    "max_retries 1.5": (options(max_retries=1.5), ["max_retries", "1.5", "integer"]),
    "header name": (options(additional_headers={"A B": "c"}), ["additional_headers", "'A B'", "name"]),
    "header lines": (options(additional_headers={"A": "b\r\nC: d"}), ["additional_headers.A", "one line"]),
    "header blanks": (options(additional_headers={"A": " b"}), ["additional_headers.A", "trimmed"]),
    "header tail": (options(additional_headers={"A": "b\t"}), ["additional_headers.A", "trimmed"]),
    "header number": (options(additional_headers={"A": 5}), ["additional_headers.A", "text"]),
    "header beyond bytes": (options(additional_headers={"A": "\u20ac"}), ["additional_headers.A"]),
    "headers list": (options(additional_headers=[("A", "b")]), ["additional_headers", "mapping"]),
    "key lines": (options(idempotency_key="a\nb"), ["Idempotency-Key", "one line"]),
    "key empty": (options(idempotency_key=""), ["Idempotency-Key"]),
}


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused_and_nothing_is_sent(client: Any, keito_sandbox: Any, name: str) -> None:
    call, mentioned = REFUSED[name]
    with pytest.raises(KeitoValidationError) as caught:
        call(client)
    text = str(caught.value)
    assert not [part for part in mentioned if part not in text], text
    assert caught.value.raw_response is None
    assert caught.value.status_code == 400
    assert keito_sandbox.requests() == []


@pytest.mark.parametrize(
    "call",
    [
        lambda client, id: client.time_entries.update(id, notes="n"),
        lambda client, id: client.time_entries.delete(id),
        lambda client, id: client.time_entries.stop(id),
        lambda client, id: client.time_entries.restart(id),
        lambda client, id: client.clients.get(id),
        lambda client, id: client.clients.update(id, name="n"),
        lambda client, id: client.invoices.get(id),
        lambda client, id: client.invoices.update(id, notes="n"),
        lambda client, id: client.invoices.delete(id),
        lambda client, id: next(client.invoices.messages.list(id)),
        lambda client, id: client.invoices.messages.create(id, recipients=[]),
    ],
    ids=[
        "update",
        "delete",
        "stop",
        "restart",
        "get_client",
        "update_client",
        "get_invoice",
        "update_invoice",
        "delete_invoice",
        "list",
        "send",
    ],
)
def test_an_id_that_would_reach_another_endpoint(client: Any, keito_sandbox: Any, call: Any) -> None:
    for value in ("", ".", "..", None, 5, b"te_1", "\ud800"):
        with pytest.raises(KeitoValidationError, match="id: "):
            call(client, value)
    assert keito_sandbox.requests() == []


@pytest.mark.parametrize(
    "value",
    [
        "a/b",
        "../users/me",
        "a b",
        "100%",
        "%2F",
        "%2e%2e",
        "a+b",
        "a?b=c",
        "a#b",
        "a;b",
        "a&b=c",
        "ä€😀",
        "a\\b",
        "~a-b_c.d",
        "a:b@c",
        "...",
        "a\x00b",
        "'\"<>",
    ],
)
def test_an_id_is_one_segment_of_the_path(client: Any, keito_sandbox: Any, value: str) -> None:
    with pytest.raises(KeitoError):
        client.clients.get(value)
    (request,) = keito_sandbox.requests()
    assert request["path"] == f"/api/v2/clients/{value}"
    assert request["query"] == {}
    assert request["status"] == 404


@pytest.mark.parametrize("value", ["a/b", "a b", "100%", "%2F", "a+b", "a?b=c", "a#b", "ä€😀"])
def test_an_odd_id_travels_encoded(connect: Any, server: Any, acts: Any, value: str) -> None:
    server.acts(acts.answer(b'{"id": "c"}'))
    connect(server.url).clients.get(value)
    target = server.requests[0].split(b" ")[1]
    assert target.count(b"/") == 4
    assert not set(target) & set(b"?# ")


def test_a_seeded_odd_id_is_found(client: Any, keito_sandbox: Any) -> None:
    keito_sandbox.seed(clients=[{"id": "a+b %2F?#", "name": "Odd"}])
    assert client.clients.get("a+b %2F?#").name == "Odd"
    assert client.clients.update("a+b %2F?#", address="x").id == "a+b %2F?#"


@pytest.mark.parametrize("value", ["a b", "a+b", "a&b=c", "ä€😀", "100%", "%2F", "a#b", "a;b", "a,b", "'\"<>", "\x00"])
def test_a_filter_travels_encoded(client: Any, keito_sandbox: Any, value: str) -> None:
    list(client.time_entries.list(project_id=value))
    assert keito_sandbox.requests()[-1]["query"]["project_id"] == value


@pytest.mark.parametrize("size", [4096, 4097])
@pytest.mark.parametrize("letter", ["x", "é", "€", "😀", '"', "\n"])
def test_the_limit_of_metadata(client: Any, keito_sandbox: Any, size: int, letter: str) -> None:
    each = len(json.dumps(letter, ensure_ascii=False).encode()) - 2
    room = size - len(b'{"a":""}')
    metadata = {"a": letter * (room // each) + "x" * (room % each)}
    if size > 4096:
        with pytest.raises(KeitoValidationError, match="4,097 bytes"):
            client.time_entries.create(**ENTRY, metadata=metadata)
        assert keito_sandbox.requests() == []
    else:
        assert client.time_entries.create(**ENTRY, metadata=metadata).metadata == metadata
        assert int(keito_sandbox.requests()[-1]["headers"]["content-length"]) < 4096 + 200


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


def test_metadata_takes_what_people_have(client: Any, keito_sandbox: Any) -> None:
    metadata: Mapping[str, Any] = MappingProxyType(
        {
            "decimal": Decimal("0.10"),
            "whole": Decimal("3.00"),
            "exponent": Decimal("1e3"),
            "date": date(2026, 3, 5),
            "moment": datetime(2026, 3, 5, 10, tzinfo=timezone.utc),
            "time": time(9, 30),
            "uuid": UUID("12345678123456781234567812345678"),
            "enum": Colour.RED,
            "level": Level.HIGH,
            "source": Source.AGENT,
            "unknown": Source("robot"),
            "mapping": MappingProxyType({"a": (1, 2)}),
            "null": None,
            "text": "Räksmörgås 😀",
        }
    )
    expected = {
        "decimal": 0.1,
        "whole": 3,
        "exponent": 1000,
        "date": "2026-03-05",
        "moment": "2026-03-05T10:00:00+00:00",
        "time": "09:30:00",
        "uuid": "12345678-1234-5678-1234-567812345678",
        "enum": "red",
        "level": 3,
        "source": "agent",
        "unknown": "robot",
        "mapping": {"a": [1, 2]},
        "null": None,
        "text": "Räksmörgås 😀",
    }
    client.time_entries.create(**ENTRY, metadata=metadata)
    client.time_entries.create(**ENTRY, metadata={"nested": [metadata]})
    client.expenses.create(**EXPENSE, total_cost=1, metadata=metadata)
    client.outcomes.log(**ENTRY, outcome_type="x", evidence=metadata)
    first, second, third, fourth = (request["body"]["metadata"] for request in keito_sandbox.requests())
    assert first == third == fourth["outcome_evidence"] == second["nested"][0] == expected


def test_the_callers_metadata_is_left_alone(client: Any) -> None:
    metadata = {"a": [Decimal("0.1")]}
    client.outcomes.log(**ENTRY, outcome_type="x", metadata=metadata)
    client.time_entries.create(**ENTRY, metadata=metadata)
    assert metadata == {"a": [Decimal("0.1")]}


@pytest.mark.parametrize(
    ("given", "sent"),
    [(0, 0), (24, 24), (0.25, 0.25), (Decimal("0.1"), 0.1), (Decimal("1.50"), 1.5), (Decimal(24), 24), (-0.0, 0)],
)
def test_numbers_in_each_form(client: Any, keito_sandbox: Any, given: Any, sent: Any) -> None:
    client.time_entries.create(**ENTRY, hours=given)
    assert keito_sandbox.requests()[-1]["body"]["hours"] == sent


def test_money_keeps_its_digits(connect: Any, server: Any, acts: Any) -> None:
    server.acts(acts.answer(b'{"id": "e"}'))
    for cost in (Decimal("0.000123"), 0.1 + 0.2, Decimal("1234567.89"), 10**15):
        connect(server.url).expenses.create(**EXPENSE, total_cost=cost)
        assert f'"total_cost":{float(cost) if cost != 10**15 else cost}'.encode() in server.requests[-1]


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        (Source.AGENT, "agent"),
        ("agent", "agent"),
        ([Source.AGENT, "cli"], "agent,cli"),
        (("web",), "web"),
        ("agent,cli", "agent,cli"),
    ],
)
def test_sources_in_each_form(client: Any, keito_sandbox: Any, given: Any, sent: str) -> None:
    list(client.time_entries.list(source=given))
    list(client.expenses.list(source=given))
    assert [request["query"]["source"] for request in keito_sandbox.requests()] == [sent, sent]


def test_a_source_that_keito_does_not_know_is_the_servers_to_refuse(client: Any, keito_sandbox: Any) -> None:
    with pytest.raises(KeitoValidationError) as caught:
        client.time_entries.create(**ENTRY, source=Source("robot"))
    assert caught.value.raw_response is not None
    assert keito_sandbox.requests()[-1]["body"]["source"] == "robot"


def test_null_and_nothing_are_told_apart(client: Any, keito_sandbox: Any) -> None:
    entry = client.time_entries.create(**ENTRY, hours=None, notes=None, metadata=None, started_time=None)
    client.time_entries.update(entry.id)
    client.time_entries.update(entry.id, notes=None, metadata=None)
    bodies = [request["body"] for request in keito_sandbox.requests()]
    assert bodies[0] == {**ENTRY, "hours": None, "notes": None, "metadata": None, "started_time": None}
    assert bodies[1] == {}
    assert bodies[2] == {"notes": None, "metadata": None}


def test_filters_that_are_none_are_left_out(client: Any, keito_sandbox: Any) -> None:
    list(client.time_entries.list(project_id=None, is_billed=None, from_date=None, source=None))
    assert keito_sandbox.requests()[-1]["query"] == {"page": "1", "per_page": "100"}


def test_a_wrong_keyword_is_a_type_error(client: Any) -> None:
    with pytest.raises(TypeError, match=r"create\(\) got an unexpected keyword argument .projekt_id"):
        client.time_entries.create(projekt_id="p", **ENTRY)
    with pytest.raises(TypeError, match="hourz"):
        client.time_entries.create(**ENTRY, hourz=1)


def test_all_mistakes_are_named_at_once(client: Any) -> None:
    with pytest.raises(KeitoValidationError) as caught:
        client.time_entries.create(**{**ENTRY, "spent_date": "x"}, hours=25, notes=5)
    assert not [name for name in ("spent_date", "hours", "notes") if name not in str(caught.value)]
    assert caught.value.body["error"] == "invalid argument"


def test_a_long_value_is_shown_shortened(client: Any) -> None:
    with pytest.raises(KeitoValidationError) as caught:
        client.time_entries.create(**{**ENTRY, "spent_date": "x" * 10_000})
    assert len(str(caught.value)) < 400


def test_request_objects_serve_as_lines(client: Any) -> None:
    line = LineItemCreate(description="d", quantity=2, unit_price=Decimal("0.5"))
    assert client.invoices.create(client_id="cli_acme", line_items=(line,)).amount == 1


def test_the_outcome_of_a_refused_value_is_an_ordinary_value_error(client: Any) -> None:
    with pytest.raises(ValueError, match="hours"):
        client.time_entries.create(**ENTRY, hours=99)
