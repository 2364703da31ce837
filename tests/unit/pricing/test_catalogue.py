"""The names of genai-prices: all that it lists are known, and few that it does not list."""

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keito.pricing import find_rates
from keito.pricing.listed import Catalogue, ListedModel, catalogue
from keito.pricing.snapshots import bases, undated

data_snapshot = pytest.importorskip("genai_prices.data_snapshot")

NOON = datetime(2026, 11, 20, 12, tzinfo=timezone.utc)
LOOSE = {"anthropic", "aws", "azure", "cohere", "deepseek", "google", "mistral", "moonshotai", "openai", "x-ai"}
"""Providers whose models the table finds by parts of their names."""


def literal_names(match: Any) -> "Iterator[str]":
    for part in (*getattr(match, "or_", ()), *getattr(match, "and_", ())):
        yield from literal_names(part)
    if hasattr(match, "equals"):
        yield match.equals


def listed_names() -> "Iterator[tuple[str, str, Any]]":
    """Provider, name and model of every name that the table spells out."""
    providers = catalogue().snapshot.providers
    for provider in providers:
        for model in provider.models:
            for name in {model.id, *literal_names(model.match)}:
                if provider.find_model(name.lower(), all_providers=providers) is model:
                    yield provider.id, name, model


def test_every_listed_name_is_known_as_itself_or_refused() -> None:
    found = [(provider, name, model, catalogue().find(provider, name)) for provider, name, model in listed_names()]
    known = [one for one in found if isinstance(one[3], ListedModel)]
    assert [one[:2] for one in known if one[3].model is not one[2]] == []
    refused = {one[:2] for one in found if isinstance(one[3], str)}
    assert {name for _, name in refused if "ft" not in name} <= {"perplexity/sonar"}  # there is a `sonar`, too
    assert len(known) > 2000


@pytest.mark.parametrize(
    "ending",
    [
        "-99",
        "-x1",
        "-20991231",
        "-2026-02-30",
        "-99999999",
        "-v99",
        "-preview-13-45",
        "-1332",
        "@99990101",
        "-2024-1-1",
    ],
)
def test_nonsense_behind_a_name_is_refused(ending: str) -> None:
    providers = [provider for provider in catalogue().snapshot.providers if provider.id in LOOSE]
    names = {(provider.id, model.id + ending) for provider in providers for model in provider.models}
    assert [name for name in names if not isinstance(find_rates(*name, NOON), str)] == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("amazon.nova-lite-v1:0", True),
        ("amazon.nova-lite-v1", True),
        ("amazon.nova-lite", True),
        ("amazon.nova-lite-v1:0:300k", True),
        ("amazon.nova-lite-v2:0", False),
        ("amazon.nova-lite-v1:02", False),
    ],
)
def test_versions_on_bedrock_are_those_of_the_table(name: str, expected: bool) -> None:
    assert isinstance(find_rates("bedrock", name, NOON), str) is not expected


def test_a_prefix_that_may_mean_two_models_is_refused() -> None:
    listed = {(provider, name) for provider, name, _ in listed_names()}
    ambiguous = ("perplexity", "perplexity/sonar") in listed  # from genai-prices 0.2 on
    assert (find_rates("perplexity", "perplexity/sonar", NOON) == "unknown model") is ambiguous
    assert not isinstance(find_rates("perplexity", "sonar", NOON), str)
    assert not isinstance(find_rates("xai", "x-ai/grok-4.3", NOON), str)


@given(st.text(max_size=20), st.one_of(st.none(), st.text(max_size=10), st.sampled_from(["aws", "google", "openai"])))
def test_any_text_is_looked_up_without_an_error(model: str, provider: "Optional[str]") -> None:
    found = find_rates(provider, model, NOON)
    assert not (isinstance(found, str) and "failed" in found)


@given(st.dates(datetime(2020, 1, 1).date(), datetime(2026, 11, 20).date()), st.booleans())  # noqa: DTZ001
def test_any_past_day_may_be_a_snapshots(day: Any, dashed: bool) -> None:
    name = f"acme-chat-{day:%Y-%m-%d}" if dashed else f"acme-chat-{day:%Y%m%d}"
    assert undated(name) == ("acme-chat", day)
    assert ("acme-chat", day) in list(bases(name, "acme"))


def test_rates_are_worked_out_once_for_each_set_and_not_without_bound() -> None:
    model = catalogue().find("deepseek", "deepseek-chat")
    assert isinstance(model, ListedModel)
    day, night = NOON, NOON + timedelta(hours=8)
    assert model.rates(day, None) is model.rates(day + timedelta(hours=1), "standard")
    assert model.rates(night, None) is not model.rates(day, None)
    for number in range(300):
        model.rates(day, f"tier-{number}")
    assert len(model._known) < 100


def test_a_table_that_the_program_has_set_is_used_at_once_and_named() -> None:
    bundled = data_snapshot.get_snapshot()
    newer = data_snapshot.DataSnapshot(
        providers=[provider for provider in bundled.providers if provider.id != "openai"], from_auto_update=True
    )
    before = find_rates("openai", "o3", NOON)
    assert not isinstance(before, str)
    try:
        data_snapshot.set_custom_snapshot(newer)
        assert find_rates("openai", "o3", NOON) == "unknown model"
        other = find_rates("anthropic", "claude-haiku-4-5", NOON)
        assert not isinstance(other, str)
        assert other.table_version == f"{before.table_version}+{newer.timestamp:%Y%m%dT%H%M%S}"
    finally:
        data_snapshot.set_custom_snapshot(None)
    assert isinstance(catalogue(), Catalogue)
    assert not isinstance(find_rates("openai", "o3", NOON), str)
