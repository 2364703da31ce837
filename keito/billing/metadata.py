"""The metadata of automatic records: the schema of `AgentMetadata`, and what only keito knows under `keito`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Optional

from keito import __version__
from keito.billing.cost import ModelCost, RateRow, RunCost
from keito.metering import AgentRun, Outcome

SDK = f"keito-python/{__version__}"

_LONGEST_TEXT = 160
"""Bytes, as JSON, of any text that a user chooses: ids, names, triggers."""


def run_metadata(run: AgentRun, cost: Optional[RunCost] = None) -> dict[str, Any]:
    """Who worked, in which run, and with which models."""
    # `keito.types` brings every model of the API along: loaded when something is billed, not with the handler.
    from keito.types.agent_metadata import AgentMetadata  # noqa: PLC0415

    model = _totals(cost) if cost is not None and cost.models else {}
    metadata = AgentMetadata.build(
        agent_id=short(run.agent_id),
        framework=short(run.framework),
        run_id=run.uid,
        trigger=short(run.trigger),
        **model,
    )
    metadata["session_id"] = short(run.session_id)
    if cost is not None and len(cost.models) > 1:
        metadata["models"] = [_model_row(row) for row in cost.models]
    return metadata


def _totals(cost: RunCost) -> dict[str, Any]:
    """The run's totals under the name of the model with the most tokens."""
    first, usage = cost.models[0], cost.usage
    return {
        "model_provider": short(first.provider),
        "model_name": short(first.name),
        "tokens_in": usage.input_tokens,
        "tokens_out": usage.output_tokens,
        "cost_usd": cost.amount if cost.complete else None,
    }


def _model_row(model: ModelCost) -> dict[str, Any]:
    row = {
        "provider": short(model.provider),
        "name": short(model.name),
        "calls": model.calls,
        "tokens_in": model.usage.input_tokens,
        "tokens_out": model.usage.output_tokens,
        "cost_usd": None if model.reasons else model.amount,
    }
    return {name: value for name, value in row.items() if value is not None}


def cost_facts(cost: RunCost) -> dict[str, Any]:
    """How many calls there were, what they cost exactly, and what has no price. The amount is text: it is exact."""
    usage = cost.usage
    facts = {
        "calls": sum(model.calls for model in cost.models),
        "cached_calls": cost.cached,
        "failed_calls": cost.failed,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "cost_usd": None if cost.amount is None else _exact(cost.amount),
        "unpriced": _unpriced(cost),
    }
    return {name: value for name, value in facts.items() if value}


def _unpriced(cost: RunCost) -> list[dict[str, Any]]:
    return [
        {"model": short(model.name), "reason": reason, "calls": count}
        for model in cost.models
        for reason, count in model.reasons.items()
    ]


def rate_row(row: RateRow) -> dict[str, Any]:
    """Which rates were used for which model, and where they come from. Rates are text: they are exact."""
    origin = " ".join(part for part in (row.source, row.table_version) if part)
    rates = {name: _exact(rate) for name, rate in row.rates.items()}
    return {"model": short(row.name), "source": origin, **({"rates": rates} if rates else {})}


def _exact(amount: Decimal) -> str:
    return format(amount.normalize(), "f")


def outcome_fields(outcome: Outcome) -> dict[str, Any]:
    """The fields by which Keito knows an outcome."""
    fields = {
        "outcome_type": outcome.type,
        "outcome_quantity": outcome.quantity,
        "outcome_success": True,
        "outcome_unit_price": outcome.unit_price,
        "outcome_evidence": outcome.evidence,
    }
    return {name: value for name, value in fields.items() if value is not None}


def fit(metadata: dict[str, Any]) -> dict[str, Any]:
    """Trim the metadata of a record to what Keito accepts, in a fixed order.

    Rows go from the end of `models`, then of `keito.unpriced`, then of `keito.pricing`; `keito.trimmed` names the
    lists that are no longer whole. The key, the totals and the outcome's fields are never touched: `short` and the
    limits of `Outcome` keep them small enough.
    """
    from keito.types.given import METADATA_LIMIT, encode  # noqa: PLC0415

    keito = dict(metadata["keito"])
    fitted = {**metadata, "keito": keito}
    holder: dict[str, Any]
    for holder, name in ((fitted, "models"), (keito, "unpriced"), (keito, "pricing")):
        if len(encode(fitted)) <= METADATA_LIMIT or not holder.get(name):
            continue
        keito["trimmed"] = [*keito.get("trimmed", ()), name]
        rows = holder[name] = list(holder[name])
        while rows and len(encode(fitted)) > METADATA_LIMIT:
            rows.pop()
    return fitted


def short(text: Optional[str]) -> Optional[str]:
    """`text`, cut where it takes more than 160 bytes as JSON. The same text is always cut the same way."""
    if text is None or (len(text) * 2 <= _LONGEST_TEXT and text.isascii() and text.isprintable()):
        return text  # JSON escapes at most each character of it with a backslash
    cut = readable(text)[:_LONGEST_TEXT]
    while len(json.dumps(cut, ensure_ascii=False).encode()) > _LONGEST_TEXT + 2:
        cut = cut[:-1]
    return cut


def readable(text: str) -> str:
    """`text` with what UTF-8 cannot carry replaced, such as half of a surrogate pair."""
    return text.encode(errors="replace").decode()


def keito_facts(key: str, run: AgentRun, **facts: Any) -> Mapping[str, Any]:
    """The part of the metadata by which a record is found again."""
    given = {name: value for name, value in facts.items() if value}
    return {"key": key, "sdk": SDK, "status": run.status.value, **given}
