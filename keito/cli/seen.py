"""The models that agents used and that had no price."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timezone
from typing import Optional, Union

from keito.billing.cost import Gap
from keito.billing.gap_rows import gaps_of
from keito.cli.records import GAPS, body_of, facts_of, walk
from keito.outbox.stores.open_store import open_store
from keito.pricing import PriceTable, RateSet, find_rates


@dataclass(frozen=True)
class SeenModel:
    """A model in an outbox whose calls had no price.

    Attributes:
        provider: Who served it.
        model: Its name.
        tier: The service tier.
        calls: How many calls there were.
        rates: What it costs by now; or why that is still not known.
    """

    provider: Optional[str]
    model: str
    tier: Optional[str]
    calls: int
    rates: Union[RateSet, str]


def unpriced_models(table: Optional[PriceTable]) -> list[SeenModel]:
    """Those in the outbox of the environment, the most used ones first.

    Args:
        table: The user's own prices.

    Raises:
        OutboxError: The outbox cannot be read.
        ValueError: KEITO_OUTBOX_URL is not valid.
    """
    store = open_store()
    try:
        gaps = [gap for record in walk(store) if GAPS in record.body for gap in gaps_of(facts_of(body_of(record)))]
    finally:
        store.close()
    together: dict[tuple[Optional[str], str, Optional[str]], Gap] = {}
    for gap in gaps:
        key = (gap.provider, gap.model, gap.tier)
        known = together.get(key)
        # The price of the newest of them is the one that somebody looks for.
        together[key] = gap if known is None else replace(gap, calls=gap.calls + known.calls)
    models = [_seen(gap, table) for gap in together.values()]
    return sorted(models, key=lambda model: -model.calls)


def _seen(gap: Gap, table: Optional[PriceTable]) -> SeenModel:
    at = gap.hour or datetime.now(timezone.utc)
    rates = find_rates(gap.provider, gap.model, at, gap.tier, table)
    return SeenModel(gap.provider, gap.model, gap.tier, gap.calls, rates)
