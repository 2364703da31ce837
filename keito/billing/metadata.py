"""The metadata of automatic records: the schema of `AgentMetadata`, and what only keito knows under `keito`."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Optional

from keito import __version__
from keito.billing.charge import DOLLARS, exact_text
from keito.billing.cost import RateRow, RunCost
from keito.billing.gap_rows import gap_rows, joined_rows
from keito.billing.model_cost import ModelCost
from keito.metering import AgentRun, OtherUsage, Outcome
from keito.metering.text import readable

_log = logging.getLogger("keito.billing")

SDK = f"keito-python/{__version__}"

_LONGEST_TEXT = 160
"""Bytes, as JSON, of any text that a user chooses: ids, names, triggers."""

_DEEPEST = 24
"""Levels of metadata that are cleaned value by value: more than evidence has. What lies deeper goes as a whole."""


def run_metadata(run: AgentRun, cost: Optional[RunCost] = None) -> dict[str, Any]:
    """Who worked, in which run, and with which models."""
    # `keito.types` brings every model of the API along: loaded when something is billed, not with the handler.
    from keito.types.agent_metadata import AgentMetadata  # noqa: PLC0415

    metadata = AgentMetadata.build(
        agent_id=short(run.agent_id),
        framework=short(run.framework),
        run_id=run.uid,
        parent_run_id=short(run.parent_id),
        trigger=short(run.trigger),
        confidence=run.confidence,
        human_reviewed=run.human_reviewed,
        **model_totals(cost),
    )
    metadata["session_id"] = short(run.session_id)
    if run.trace_id is not None:
        metadata["run"]["trace_id"] = short(run.trace_id)  # from a line of an invoice to what happened
    return {**metadata, **model_rows(cost)}


def model_totals(cost: Optional[RunCost]) -> dict[str, Any]:
    """The totals of all models under the name of the one with the most tokens."""
    models = cost.models if cost is not None else []
    if cost is None or not models:
        return {}
    usage = cost.usage
    return {
        "model_provider": short(models[0].provider),
        "model_name": short(models[0].name),
        "tokens_in": usage.input_tokens,
        "tokens_out": usage.output_tokens,
        "cost_usd": dollars(cost.amounts) if cost.complete else None,
    }


def model_rows(cost: Optional[RunCost]) -> dict[str, Any]:
    """One row for each model, where there are several."""
    models = cost.models if cost is not None else []
    return {"models": [_model_row(row) for row in models]} if len(models) > 1 else {}


def _model_row(model: ModelCost) -> dict[str, Any]:
    row = {
        "provider": short(model.provider),
        "name": short(model.name),
        "calls": model.calls,
        "tokens_in": model.usage.input_tokens,
        "tokens_out": model.usage.output_tokens,
        "cost_usd": None if model.reasons else dollars(model.amounts),
    }
    return {name: value for name, value in row.items() if value is not None}


def dollars(amounts: Mapping[str, Decimal]) -> Optional[Decimal]:
    """The amount, if all of it is in US dollars."""
    return amounts[DOLLARS] if list(amounts) == [DOLLARS] else None


def cost_facts(cost: RunCost) -> dict[str, Any]:
    """How many calls there were, what they cost exactly, and what has no price. The amount is text: it is exact."""
    usage, amounts = cost.usage, cost.amounts
    in_dollars = dollars(amounts)
    facts = {
        "calls": cost.calls,
        "cached_calls": cost.cached,
        "failed_calls": cost.failed,
        "partial_calls": cost.partial,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "reasoning_tokens": usage.reasoning_tokens,
        "cost_usd": None if in_dollars is None else exact_text(in_dollars),
        "costs": {} if in_dollars is not None else {code: exact_text(amount) for code, amount in amounts.items()},
        "usage": [_usage_row(usage) for usage in cost.other.values()],
        "unpriced": _unpriced(cost),
        "gaps": gap_rows(cost.gaps),
    }
    return {name: value for name, value in facts.items() if value}


def _usage_row(usage: OtherUsage) -> dict[str, Any]:
    row = {"name": short(usage.name), "unit": short(usage.unit), "quantity": exact_text(usage.quantity)}
    return row if usage.cost is None else {**row, "cost_usd": exact_text(usage.cost)}


def _unpriced(cost: RunCost) -> list[dict[str, Any]]:
    return [
        {"model": short(model.name), "reason": reason, "calls": count}
        for model in cost.models
        for reason, count in model.reasons.items()
    ]


def rate_row(row: RateRow) -> dict[str, Any]:
    """Which rates were used for which model, and where they come from. Rates are text: they are exact."""
    origin = " ".join(part for part in (row.source, row.table_version) if part)
    rates = {name: exact_text(rate) for name, rate in row.rates.items()}
    shown = {"model": short(row.name), "source": short(origin), **({"rates": rates} if rates else {})}
    return shown if row.currency == DOLLARS else {**shown, "currency": row.currency}


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

    Rows go from the end of the lists in `keito.details`, then of `models`, `keito.usage`, `keito.gaps` (those of one
    model and several hours are added up before), `keito.unpriced` and `keito.pricing`; the rest of `keito.details` goes
    last. `keito.trimmed` names what is no longer whole. The key, the totals and the outcome's fields are never touched:
    `short` and the limits of `Outcome` keep them small enough.

    What no JSON in UTF-8 can carry is replaced before: texts in part, other values by null. The flag `cleaned` says so.
    """
    if _is_small(metadata):
        return metadata  # as nearly always; each look at the size takes its time
    fitted = dict(metadata) if _is_json(metadata) else _cleaned(metadata)
    keito = fitted["keito"] = dict(fitted["keito"])
    details: dict[str, Any] = dict(keito.pop("details", {}))
    if details:
        keito["details"] = details
    lists = [(details, name) for name in reversed(details) if isinstance(details[name], list)]
    holder: dict[str, Any]
    places = (*lists, (fitted, "models"), (keito, "usage"), (keito, "gaps"), (keito, "unpriced"), (keito, "pricing"))
    for holder, name in places:
        if name == "gaps" and not _is_small(fitted) and keito.get(name):
            keito[name] = joined_rows(keito[name])
        if not _is_small(fitted) and holder.get(name):
            keito["trimmed"] = [*keito.get("trimmed", ()), name]
            _trim(fitted, holder, name)
    if details and not _is_small(fitted):
        keito["trimmed"] = [*keito.get("trimmed", ()), "details"]
        del keito["details"]
    return fitted


def _cleaned(metadata: Mapping[str, Any]) -> dict[str, Any]:
    clean: dict[str, Any] = _clean(metadata)
    keito: dict[str, Any] = clean["keito"]
    keito["flags"] = [*keito.get("flags", ()), "cleaned"]
    _log.warning("Metadata of %s has values that JSON cannot carry; they are replaced", keito["key"])
    return clean


def _clean(value: Any, levels: int = _DEEPEST) -> Any:
    found: Any = value  # which stays of any type
    if isinstance(value, str):
        return readable(value)
    if levels and isinstance(value, Mapping):
        return {readable(name): _clean(item, levels - 1) for name, item in found.items()}
    if levels and isinstance(value, (list, tuple)):
        return [_clean(item, levels - 1) for item in found]
    return value if _is_json(value) else None


def _trim(fitted: Mapping[str, Any], holder: dict[str, Any], name: str) -> None:
    """Keep as many rows of a list as fit. They are looked for by halves: a crew may have thousands."""
    rows = list(holder[name])
    low, high = 0, len(rows) - 1
    while low < high:
        middle = (low + high + 1) // 2
        holder[name] = rows[:middle]
        low, high = (middle, high) if _is_small(fitted) else (low, middle - 1)
    holder[name] = rows[:low]


def _is_small(metadata: Mapping[str, Any]) -> bool:
    from keito.types.given import METADATA_LIMIT  # noqa: PLC0415

    size = _size(metadata)
    return size is not None and size <= METADATA_LIMIT


def _is_json(value: object) -> bool:
    return _size(value) is not None


def _size(value: object) -> Optional[int]:
    """In bytes of JSON; `None` where JSON cannot carry it."""
    from keito.types.given import encode  # noqa: PLC0415

    try:
        return len(encode(value))
    except Exception:  # ValueError; and whatever a value of the program's own class raises
        return None


def short(value: Optional[object]) -> Optional[str]:
    """`value` as text, cut where it takes more than 160 bytes as JSON. The same text is always cut the same way."""
    if value is None:
        return None
    text = readable(value)
    if len(text) * 2 <= _LONGEST_TEXT and text.isascii() and text.isprintable():
        return text  # JSON escapes at most each character of it with a backslash
    cut = text[:_LONGEST_TEXT]
    while len(json.dumps(cut, ensure_ascii=False).encode()) > _LONGEST_TEXT + 2:
        cut = cut[:-1]
    return cut


def keito_facts(key: str, status: Optional[str] = None, **facts: Any) -> dict[str, Any]:
    """The part of the metadata by which a record is found again."""
    given = {name: value for name, value in facts.items() if value}
    return {"key": key, "sdk": SDK, **({"status": status} if status else {}), **given}
