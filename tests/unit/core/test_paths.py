"""Paths and queries, read back by an independent parser of URLs."""

from typing import Any, Optional
from urllib.parse import parse_qs, quote, unquote, urlsplit

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from keito import KeitoValidationError
from keito.core.arguments import path_of, query_of
from keito.core.call import Call
from keito.core.config import Credentials
from keito.core.wire import Wire
from keito.types import Source

text = st.text(st.characters(codec="utf-8"), max_size=40)
segments = text.filter(lambda segment: segment not in ("", ".", ".."))


def url_of(path: str, query: Optional[dict[str, str]] = None) -> str:
    wire = Wire(httpx.URL("https://keito.example/prefix"), Credentials("kto_key", "acc"), 60)
    call: Call[Any] = Call("GET", path, lambda reply: None, query=query or {})
    return str(wire.request(call).url)


@given(segments)
@example("a/b")
@example("%2F")
@example("%")
@example("+")
@example("?#")
@example("...")
@example("\x00\r\n")
def test_an_id_is_always_one_segment(segment: str) -> None:
    parts = urlsplit(url_of(path_of("clients", segment)))
    assert (parts.query, parts.fragment, parts.netloc) == ("", "", "keito.example")
    assert [unquote(part) for part in parts.path.split("/")] == ["", "prefix", "api", "v2", "clients", segment]


@given(segments, segments)
def test_different_ids_are_different_paths(one: str, other: str) -> None:
    assert (path_of("a", one, "b") == path_of("a", other, "b")) == (one == other)


@given(st.builds("{}{}{}".format, text, st.integers(0xD800, 0xDFFF).map(chr), text))
def test_half_a_surrogate_is_refused(value: str) -> None:
    with pytest.raises(KeitoValidationError):
        path_of("clients", value)
    with pytest.raises(KeitoValidationError):
        query_of(project_id=value)


@given(st.dictionaries(st.sampled_from(["project_id", "from", "source", "user_id"]), text.filter(bool), min_size=1))
@example({"project_id": "a&b=c+d e%20#?;/\\"})
def test_a_query_arrives_as_it_was_given(given_query: "dict[str, str]") -> None:
    parts = urlsplit(url_of("/time_entries", query_of(**given_query)))
    assert parts.fragment == ""
    assert parse_qs(parts.query, strict_parsing=True, separator="&") == {k: [v] for k, v in given_query.items()}


@given(st.lists(st.sampled_from([*Source, "robot"]), min_size=1))
def test_a_list_of_sources(sources: "list[Any]") -> None:
    assert query_of(source=sources) == {"source": ",".join(str(getattr(each, "value", each)) for each in sources)}


def test_booleans_and_nothing() -> None:
    assert query_of(a=True, b=False, c=None) == {"a": "true", "b": "false"}


@pytest.mark.parametrize("letter", list("~-_.aZ9"))
def test_plain_letters_stay(letter: str) -> None:
    assert path_of("x" + letter) == f"/x{letter}"


@pytest.mark.parametrize("letter", list("/?#%+ :@!$&'()*,;=[]|^`{}\"<>\\"))
def test_others_are_encoded(letter: str) -> None:
    assert path_of(letter) == "/" + quote(letter, safe="")
    assert url_of(path_of(letter)).endswith("/api/v2/" + quote(letter, safe=""))
