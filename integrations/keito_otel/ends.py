"""How a root ended."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Optional

from opentelemetry.trace import StatusCode

from keito.metering import RunStatus
from keito_otel.calls import error_of, is_stop
from keito_otel.nodes import Root

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

_ALWAYS_OK = frozenset({"openinference.instrumentation.openai_agents"})
"""They call each of their roots a success, also one that failed or was cancelled: what ends the code tells."""


def status_of(root: Root, span: ReadableSpan, about: Mapping[str, Any]) -> RunStatus:
    """How a root stands whose span has just ended, in the code that it was around."""
    error = error_of(span, about)
    if error is not None:
        return RunStatus.CANCELLED if is_stop(error) else RunStatus.FAILED
    is_told = root.scope not in _ALWAYS_OK
    if is_told and span.status.status_code is StatusCode.OK:
        return RunStatus.COMPLETED
    return RunStatus.after(_stopped_by(root, notes_errors=is_told))


def _stopped_by(root: Root, *, notes_errors: bool) -> Optional[BaseException]:
    """What has just ended the code in a root: a cancellation, Ctrl-C, or a generator's end.

    OpenTelemetry ends the span while that is on its way, and notes errors only.

    Args:
        root: The root.
        notes_errors: Whether its span would tell of an error.
    """
    on_its_way = sys.exc_info()[1]
    is_noted = notes_errors and isinstance(on_its_way, Exception)
    return None if is_noted or id(on_its_way) == root.handled else on_its_way
