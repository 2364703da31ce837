"""Answers of Amazon Bedrock's Converse: what was read from the cache, and written to it, is beside the input.

https://docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_TokenUsage.html
An answer of InvokeModel has the shape of the model's own provider.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Optional

from keito.metering.dialects.counts import Counts
from keito.metering.dialects.reading import field, rows, text
from keito.metering.dialects.report import Report, joined
from keito.metering.usage import Usage

_STANDARD = {"default", "standard"}


def converse(answer: object, provider: Optional[str] = None) -> Report:  # noqa: ARG001 - all dialects take it
    """Read an answer of Converse, or the metadata event that ends a stream of it."""
    found = field(answer, "metadata") if field(answer, "usage") is None else answer
    tier = text(field(found, "serviceTier", "type"))
    latency = text(field(found, "performanceConfig", "latency"))
    special = joined(tier if tier not in _STANDARD else None, latency if latency not in _STANDARD else None)
    return Report(
        usage=converse_usage(field(found, "usage")),
        model=text(field(found, "trace", "promptRouter", "invokedModelId")),
        tier=special or tier,
        response_id=text(field(answer, "ResponseMetadata", "RequestId")),
    )


def converse_usage(usage: object) -> Optional[Usage]:
    """Tokens of a Converse `usage`."""
    counts = Counts(usage)
    plain, made = counts.sums(*(field(usage, name) for name in ("inputTokens", "outputTokens", "totalTokens")))
    read = counts.same(*(field(usage, name) for name in ("cacheReadInputTokens", "cacheReadInputTokenCount")))
    lives: dict[Optional[str], int] = {}
    for row in _details(usage):
        life = text(field(row, "ttl"))
        lives[life] = lives.get(life, 0) + counts.whole(field(row, "inputTokens"))
    written = counts.same(
        *(field(usage, name) for name in ("cacheWriteInputTokens", "cacheWriteInputTokenCount"))
    ) or sum(lives.values())
    if written and any(lives.values()):  # what has no lifetime would be taken for the cheapest one
        counts.one_of(written, sum(lives.values()))
    counts.total("totalTokens", plain + read + written + made)
    return counts.usage(
        {f"cache write {life}" for life, count in lives.items() if count and life not in {"5m", "1h"}},
        input_tokens=plain + read + written,
        output_tokens=made,
        cache_read_tokens=read,
        cache_write_tokens=written,
        cache_write_5m_tokens=lives.get("5m", 0),
        cache_write_1h_tokens=lives.get("1h", 0),
    )


def llama_usage(answer: object) -> Optional[Usage]:
    """Tokens of an answer of InvokeModel by one of Meta's models, which counts beside its text.

    https://docs.aws.amazon.com/bedrock/latest/userguide/model-parameters-meta.html
    """
    counts = Counts(answer)
    taken, made = counts.sums(field(answer, "prompt_token_count"), field(answer, "generation_token_count"))
    return counts.usage(input_tokens=taken, output_tokens=made)


def _details(usage: object) -> Sequence[object]:
    return rows(field(usage, "cacheDetails"))
