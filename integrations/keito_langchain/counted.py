"""The common `usage_metadata`, read quickly. The agent waits for this after each of its model calls."""

from __future__ import annotations

from typing import Any, Optional, cast

from keito.metering import Usage
from keito.metering.dialects.langchain import written
from keito.metering.usage import quick_usage

_WRITES = ("cache_creation", "ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens")
_INPUTS = {"cache_read", "audio", "image", "text", *_WRITES}
_OUTPUTS = {"reasoning", "audio", "image", "text"}
_WHOLE = {int}
_NOTHING: dict[str, Any] = {}


def plain_usage(counted: Any) -> Optional[Usage]:
    """The tokens of a `usage_metadata` in which everything is as documented and adds up, and that names no tier.

    What answers `None` here is left to `keito.metering.dialects.langchain`, which gives the same for all others.
    """
    if type(counted) is not dict:
        return None
    given = cast("dict[str, Any]", counted)
    inputs: Any = given.get("input_token_details", _NOTHING)
    outputs: Any = given.get("output_token_details", _NOTHING)
    if not type(inputs) is type(outputs) is dict:
        return None
    taken: Any = given.get("input_tokens")
    made: Any = given.get("output_tokens")
    total: Any = given.get("total_tokens")
    values = (taken, made, total, *inputs.values(), *outputs.values())
    if {*map(type, values)} != _WHOLE or min(values) < 0 or not total or taken + made != total:
        return None
    if not (_INPUTS.issuperset(inputs) and _OUTPUTS.issuperset(outputs)):
        return None
    five, hour = inputs.get("ephemeral_5m_input_tokens", 0), inputs.get("ephemeral_1h_input_tokens", 0)
    read, kept = inputs.get("cache_read", 0), written(inputs.get("cache_creation", 0), five, hour)
    sound, seen = inputs.get("audio", 0), inputs.get("image", 0)
    thought, spoken, drawn = outputs.get("reasoning", 0), outputs.get("audio", 0), outputs.get("image", 0)
    # What `Usage.problem` would say, where it is known already that nothing is negative.
    if taken < read + kept or taken < sound + seen or made < thought or made < spoken + drawn:
        return None
    return quick_usage(taken, made, read, kept, five, hour, thought, sound, spoken, (), seen, drawn)
