"""Enums that the server may extend, and models that tolerate what they do not know."""

import copy
import json
import pickle
from enum import Enum
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import keito.types
from keito.types import ApprovalStatus, InvoiceState, MessageEvent, PaymentTerm, Source, TimeEntry, UserType
from keito.types.common import IdName, Model, OpenEnum
from keito.types.request import Request

ENUMS = [Source, UserType, InvoiceState, PaymentTerm, ApprovalStatus, MessageEvent]
MODELS = [value for value in vars(keito.types).values() if isinstance(value, type) and issubclass(value, Model)]
REQUESTS = [value for value in vars(keito.types).values() if isinstance(value, type) and issubclass(value, Request)]


def test_all_enums_are_open() -> None:
    closed = {keito.types.OutcomeTypes, keito.types.NotGiven}
    found = {value for value in vars(keito.types).values() if isinstance(value, type) and issubclass(value, Enum)}
    assert found == {*ENUMS, *closed}
    assert all(issubclass(kind, OpenEnum) for kind in ENUMS)


@pytest.mark.parametrize("kind", ENUMS)
@given(text=st.text())
@example(text="")
@example(text="AGENT")
@example(text="agent ")
@example(text="value")
@example(text="__class__")
def test_any_text_is_a_member(kind: "type[OpenEnum]", text: str) -> None:
    member = kind(text)
    assert isinstance(member, kind)
    assert isinstance(member, str)
    assert member.value == text
    assert member == text
    assert member == kind(text)
    assert hash(member) == hash(text) == hash(kind(text))
    assert {member: 1}[text] == 1  # type: ignore[index]
    assert (member in list(kind)) == (text in [known.value for known in kind])
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        clone = pickle.loads(pickle.dumps(member, protocol))
        assert type(clone) is kind
        assert clone == member
    assert copy.copy(member) == copy.deepcopy(member) == member
    assert json.loads(json.dumps({"a": member})) == {"a": text}
    assert kind(member) == member
    assert repr(member)
    assert str(member)


@pytest.mark.parametrize("kind", ENUMS)
def test_known_members_stay_themselves(kind: "type[OpenEnum]") -> None:
    known = list(kind)
    kind("something new")
    assert list(kind) == known
    for member in known:
        assert kind(member.value) is member
        assert pickle.loads(pickle.dumps(member)) is member
        assert copy.deepcopy(member) is member
    assert "something new" not in kind.__members__


@pytest.mark.parametrize("value", [None, 5, 1.5, b"agent", ["agent"]])
def test_what_is_no_text_is_no_member(value: Any) -> None:
    with pytest.raises(ValueError, match="Source"):
        Source(value)


@given(st.text(st.characters(codec="utf-8")))
def test_unknown_members_survive_json(text: str) -> None:
    entry = TimeEntry.model_validate_json(json.dumps({"id": "a", "source": text}))
    assert isinstance(entry.source, Source)
    assert entry.source.value == text
    again = TimeEntry.model_validate_json(entry.model_dump_json(exclude_unset=True))
    assert again == entry
    assert pickle.loads(pickle.dumps(entry)) == entry


json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.text(st.characters(codec="utf-8"))),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(st.characters(codec="utf-8")), inner)),
    max_leaves=8,
)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
@given(extra=st.dictionaries(st.text(st.characters(codec="ascii"), min_size=1), json_values, max_size=4))
def test_unknown_fields_are_kept(model: "type[Model]", extra: "dict[str, Any]") -> None:
    least: dict[str, Any] = {name: "x" for name, field in model.model_fields.items() if field.is_required()}
    body = {**{key: value for key, value in extra.items() if key not in model.model_fields}, **least}
    record = model.model_validate_json(json.dumps(body))
    assert record.model_dump(mode="json", exclude_unset=True) == body


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_only_ids_are_required(model: "type[Model]") -> None:
    required = {name for name, field in model.model_fields.items() if field.is_required()}
    assert required <= {"id", "user_id"}
    assert len(required) <= 1
    assert model.model_config.get("frozen")


@pytest.mark.parametrize("model", REQUESTS, ids=lambda model: model.__name__)
def test_requests_know_all_their_fields(model: "type[Request]") -> None:
    with pytest.raises(ValueError, match="misspelt"):
        model(misspelt=1)
    assert model.model_config.get("frozen")


def test_id_name() -> None:
    assert IdName(id="a").name is None
    assert IdName.model_validate({"id": "a", "name": "b", "code": "c"}).code == "c"  # type: ignore[attr-defined]
