"""The tree of errors: how they are built, what they say, and that they travel."""

import copy
import pickle
from typing import Any

import httpx
import pytest

import keito
from keito import (
    KeitoApiError,
    KeitoAuthError,
    KeitoConflictError,
    KeitoConnectionError,
    KeitoError,
    KeitoForbiddenError,
    KeitoNotFoundError,
    KeitoRateLimitError,
    KeitoServerError,
    KeitoTimeoutError,
    KeitoValidationError,
)
from keito.core.errors import describe, error_class, refused

STATUSES = {
    KeitoApiError: None,
    KeitoValidationError: 400,
    KeitoAuthError: 401,
    KeitoForbiddenError: 403,
    KeitoNotFoundError: 404,
    KeitoConflictError: 409,
    KeitoRateLimitError: 429,
    KeitoServerError: 500,
}


def test_the_tree() -> None:
    names = [name for name in keito.__all__ if name.endswith("Error")]
    kinds = {getattr(keito, name) for name in names}
    assert kinds == {*STATUSES, KeitoError, KeitoTimeoutError, KeitoConnectionError}
    assert all(issubclass(kind, KeitoError) for kind in kinds)
    assert all(issubclass(kind, KeitoApiError) for kind in STATUSES)
    assert not issubclass(KeitoTimeoutError, (KeitoApiError, KeitoConnectionError))
    assert not issubclass(KeitoConnectionError, (KeitoApiError, KeitoTimeoutError))
    assert issubclass(KeitoValidationError, ValueError)


@pytest.mark.parametrize("kind", STATUSES)
def test_a_status_of_its_own(kind: "type[KeitoApiError]") -> None:
    error = kind(body={"error": "word", "error_description": "text"})
    assert error.status_code == STATUSES[kind]
    assert str(error) == " ".join(str(part) for part in (STATUSES[kind], "word: text") if part is not None)
    assert kind(status_code=418).status_code == 418


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, KeitoValidationError),
        (422, KeitoValidationError),
        (401, KeitoAuthError),
        (402, KeitoApiError),
        (403, KeitoForbiddenError),
        (404, KeitoNotFoundError),
        (405, KeitoApiError),
        (408, KeitoApiError),
        (409, KeitoConflictError),
        (413, KeitoApiError),
        (429, KeitoRateLimitError),
        (500, KeitoServerError),
        (503, KeitoServerError),
        (599, KeitoServerError),
        (302, KeitoApiError),
    ],
)
def test_the_class_for_a_status(status: int, kind: "type[KeitoApiError]") -> None:
    assert error_class(status) is kind


def test_as_programs_and_their_tests_build_them() -> None:
    auth = KeitoAuthError(body={"error": "unauthorized", "error_description": "Invalid API key"})
    assert str(auth) == "401 unauthorized: Invalid API key"
    assert (auth.status_code, auth.headers, auth.raw_response, auth.request_id) == (401, {}, None, None)
    teapot = KeitoApiError("text", status_code=418)
    assert (str(teapot), teapot.status_code, teapot.body) == ("text: 418", 418, None)
    server = KeitoServerError(body={"error": "internal"})
    assert (server.status_code, str(server)) == (500, "500 internal")
    limit = KeitoRateLimitError(retry_after=30)
    assert (limit.retry_after, limit.status_code, str(limit)) == (30, 429, "429")
    timeout = KeitoTimeoutError("text")
    assert (str(timeout), timeout.status_code, timeout.body, timeout.raw_response) == ("text", None, None, None)
    assert str(KeitoConnectionError("text", sent=False)) == "text"
    assert KeitoConnectionError().sent
    for kind in (*STATUSES, KeitoError, KeitoTimeoutError, KeitoConnectionError):
        assert isinstance(kind(), KeitoError)
        with pytest.raises(kind):
            raise kind


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"error": "word", "error_description": "text", "message": "other"}, ("word", "text")),
        ({"error": "word", "message": "text"}, ("word", "text")),
        ({"error": "word", "error_description": "", "message": "text"}, ("word", "text")),
        ({"error": "word", "error_description": None}, ("word", None)),
        ({"error": {"code": "word", "message": "text", "field": "f"}}, ("word", "text")),
        ({"error": {"code": {"error": "deep"}}}, (None, None)),
        ({"message": "text"}, (None, "text")),
        ({"error": 5, "message": ["a"]}, (None, None)),
        ({}, (None, None)),
        ([1], (None, None)),
        ("text", (None, None)),
        (None, (None, None)),
    ],
)
def test_bodies_of_any_shape(body: Any, expected: Any) -> None:
    found = describe(body)
    assert found == expected or (expected == (None, None) and found[1] is None)


@pytest.mark.parametrize("name", ["X-Request-Id", "x-request-id", "Request-Id"])
def test_the_request_id(name: str) -> None:
    error = KeitoServerError("GET /x", headers={name: "req_1"})
    assert error.request_id == "req_1"
    assert str(error) == "GET /x: 500 (request id req_1)"
    assert KeitoServerError(headers=httpx.Headers({name: "req_2"})).request_id == "req_2"


def examples() -> "list[KeitoError]":
    response = httpx.Response(
        409,
        json={"error": "conflict", "error_description": "text"},
        headers={"X-Request-Id": "r"},
        request=httpx.Request("POST", "https://app.keito.io/api/v2/x"),
    )
    return [
        KeitoError("text"),
        KeitoTimeoutError("text", sent=False),
        KeitoConnectionError("text"),
        KeitoRateLimitError(retry_after=1.5),
        KeitoValidationError(body={"error": "e"}),
        KeitoConflictError(
            "POST /api/v2/x", body=response.json(), headers=response.headers, raw_response=response, retry_after=2
        ),
    ]


def clones(error: KeitoError) -> "list[KeitoError]":
    pickled = [pickle.loads(pickle.dumps(error, protocol)) for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1)]
    return [copy.copy(error), copy.deepcopy(error), *pickled]


@pytest.mark.parametrize("error", examples(), ids=lambda error: type(error).__name__)
def test_they_pickle_and_copy(error: KeitoError) -> None:
    for clone in clones(error):
        assert type(clone) is type(error)
        assert (str(clone), clone.args) == (str(error), error.args)
        assert (clone.status_code, clone.body, clone.headers) == (error.status_code, error.body, error.headers)
        for name in ("sent", "retry_after", "request_id"):
            assert getattr(clone, name, None) == getattr(error, name, None)
        if error.raw_response is not None:
            assert clone.raw_response is not None
            assert clone.raw_response.json() == error.raw_response.json()
            assert clone.raw_response.request.url == error.raw_response.request.url


class Awkward:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")


@pytest.mark.parametrize("value", [Awkward(), 10**6000, "x" * 100_000], ids=["awkward", "huge", "long"])
def test_a_refusal_of_a_value_that_cannot_be_shown(value: Any) -> None:
    error = refused("field", value, "must be something else")
    assert str(error).startswith("400 invalid argument: field: ")
    assert "must be something else" in str(error)
    assert len(str(error)) < 250
