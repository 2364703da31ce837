"""The usage of CrewAI's `LLMCallCompletedEvent`, where details are inside their sums whoever the provider is.

CrewAI 1.13 and later: OpenAI and Azure have `prompt_tokens`, Anthropic `input_tokens` (its cache already added), Gemini
`prompt_token_count` with thoughts added to `completion_tokens`. Bedrock and LiteLLM hand on their own usage.
"""

from __future__ import annotations

from typing import Optional

from keito.metering.dialects.counts import Counts
from keito.metering.dialects.reading import field
from keito.metering.usage import Usage


def event_usage(usage: object) -> Optional[Usage]:
    """Tokens of an event's `usage`."""
    counts = Counts(usage)
    taken = counts.same(*(field(usage, name) for name in ("prompt_tokens", "prompt_token_count", "input_tokens")))
    made = counts.same(field(usage, "completion_tokens"), field(usage, "output_tokens"))
    reasoning = counts.read("reasoning_tokens")
    total = counts.total("total_tokens", taken + made, taken + made + reasoning)
    return counts.usage(
        input_tokens=taken,
        output_tokens=total - taken,
        cache_read_tokens=counts.read("cached_prompt_tokens"),
        cache_write_tokens=counts.read("cache_creation_tokens"),
        reasoning_tokens=reasoning,
    )
