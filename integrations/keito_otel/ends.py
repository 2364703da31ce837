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
"""They call each of their roots a success, also one that was cancelled."""


def status_of(root: Root, span: ReadableSpan, about: Mapping[str, Any]) -> RunStatus:
    """How a root stands whose span has just ended, in the code that it was around."""
    error = error_of(span, about)
    if error is not None:
        return RunStatus.CANCELLED if is_stop(error) else RunStatus.FAILED
    is_ok = span.status.status_code is StatusCode.OK and root.scope not in _ALWAYS_OK
    return RunStatus.COMPLETED if is_ok else RunStatus.after(_stopped_by(root))


def _stopped_by(root: Root) -> Optional[BaseException]:
    """What has just ended the code in a root, if that is no error: a cancellation, Ctrl-C, or a generator's end.

    OpenTelemetry ends the span while that is on its way, and notes errors only.
    """
    on_its_way = sys.exc_info()[1]
    is_noted = on_its_way is None or isinstance(on_its_way, Exception) or id(on_its_way) == root.handled
    return None if is_noted else on_its_way
