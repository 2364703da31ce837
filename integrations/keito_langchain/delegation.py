"""Models that have another model of LangChain answer: routers, guards, fallbacks of one's own."""

from __future__ import annotations

from functools import reduce
from itertools import chain
from operator import add
from typing import Any, Optional

from langchain_core.outputs import ChatGenerationChunk, GenerationChunk, LLMResult

from keito.metering import LLMCall, NoUsage
from keito.metering.framework_call import FrameworkCall
from keito_langchain.nodes import ModelStart
from keito_langchain.usage import Answer


def tell(start: ModelStart, call: LLMCall) -> None:
    """Let the model calls around one know that it is counted.

    Args:
        start: Its start.
        call: What was counted.
    """
    outer: Optional[FrameworkCall] = start.outer
    while outer is not None:  # handlers of several billings take turns in the chain
        if isinstance(outer, ModelStart) and outer.table is start.table:
            outer.counted_inside(call)
        outer = outer.outer


def calls_inside(start: ModelStart, response: Optional[LLMResult]) -> list[LLMCall]:
    """What other models have counted inside of a call that has ended."""
    is_stream = any(isinstance(one, GenerationChunk | ChatGenerationChunk) for one in chain(*_parts(response)))
    return [*(start.inside or ()), *(() if is_stream else start.beside or ())]


def _parts(response: Optional[LLMResult]) -> Any:
    return () if response is None else response.generations


def is_repetition(call: LLMCall, answer: Answer, inside: list[LLMCall]) -> bool:
    """Whether a call only hands on what the calls inside of it have counted. The innermost ones count.

    A model may ask another one, and then its provider as well: that is told by tokens, or an id, of its own.

    Args:
        call: The outer call.
        answer: What it told itself.
        inside: The calls inside of it.
    """
    if not inside:
        return False
    if answer.response_id is not None:
        return any(one.response_id == answer.response_id for one in inside)
    if call.usage is None:
        return call.no_usage is NoUsage.FAILED or _is_known_unknown(call, answer, inside)
    counted = [one.usage for one in inside if one.usage is not None]
    return bool(counted) and (call.usage in counted or call.usage == reduce(add, counted))


def _is_known_unknown(call: LLMCall, answer: Answer, inside: list[LLMCall]) -> bool:
    """Whether the call, which has no tokens, tells nothing of an answer that the calls inside have not told."""
    uncounted = {one.served_model for one in inside if one.usage is None}
    has_failed_likewise = call.error is None or any(one.error is not None for one in inside)
    return has_failed_likewise and answer.model in {None, *uncounted}
