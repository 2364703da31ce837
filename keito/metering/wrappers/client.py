"""Metering of a client object."""

from __future__ import annotations

import inspect
import logging
from typing import Any, Optional, TypeVar

from keito.metering.current import current_run
from keito.metering.dialects.reading import mapping, text
from keito.metering.framework_call import FrameworkCall
from keito.metering.wrappers.adopting import Adopted, adopt
from keito.metering.wrappers.endpoints import ENDPOINTS
from keito.metering.wrappers.guard import failed, never_raises
from keito.metering.wrappers.pending import ClientCall, PendingCall
from keito.metering.wrappers.providers import area_at, provider_at
from keito.metering.wrappers.raw import observe_parser, take, take_async

_Client = TypeVar("_Client")
_log = logging.getLogger("keito.billing")


def meter(client: _Client, *, provider: Optional[str] = None) -> _Client:
    """Record the model calls of `client` into the run in whose context they are made.

        client = meter(openai.OpenAI())
        with billing.run("answer ticket"):
            client.chat.completions.create(...)

    Metered are chats, text completions, responses and embeddings of `openai.OpenAI`, messages of
    `anthropic.Anthropic`, and the same of their asynchronous, Azure, Bedrock and Vertex variants: plain, streamed,
    parsed and raw, and of clients that are derived with `with_options()`. Requests and answers are not changed. A
    call outside of any run is not recorded. Where a budget is to stop the agent, the call that it forbids raises
    `KeitoBudgetExceeded`; nothing else that goes wrong here reaches the caller.

    Not metered: realtime and live sessions, batches, images and speech, and raw answers with an unread body
    (`with_streaming_response`) that nobody parses; these last are recorded as calls whose cost is not known.

    Args:
        client: The client. Metering it twice is the same as once.
        provider: Who answers, such as `openrouter`; by default what the client's base URL says.

    Returns:
        The same object.

    Raises:
        TypeError: It is no such client.
    """
    library = next((name for name in ENDPOINTS if _is_of(client, name)), None)
    request = getattr(client, "request", None)
    if library is None or request is None or not hasattr(client, "base_url"):
        raise TypeError(f"meter() takes a client of openai or anthropic; got {type(client).__qualname__}")
    methods = _AsyncClient if inspect.iscoroutinefunction(request) else _SyncClient
    return adopt(client, methods, _keito_library=library, _keito_provider=provider)


def _is_of(client: object, library: str) -> bool:
    return any(kind.__module__.partition(".")[0] == library for kind in type(client).__mro__)


class _Metered(Adopted):
    """What both colours share. Both libraries send every request through `request`, a public method."""

    _keito_library: str
    _keito_provider: Optional[str]

    def copy(self, *args: Any, **kwargs: Any) -> Any:
        inner = self._keito_inner()
        return adopt(
            inner.copy(*args, **kwargs),
            self._keito_methods,
            _keito_library=self._keito_library,
            _keito_provider=self._keito_provider,
        )

    with_options = copy

    @never_raises
    def _keito_begin(self, options: Any) -> Optional[PendingCall]:
        endpoint = ENDPOINTS.get(self._keito_library, {}).get(str(options.url).partition("?")[0])
        if endpoint is None or options.method.lower() != "post":
            return None
        above = FrameworkCall.current()
        run = (None if above is None else above.run) or current_run()
        if run is None:
            _log.debug("A call of a metered client was made outside of any run and is not recorded")
            return None
        body = mapping(options.json_data)
        provider, area = self._keito_answerer()
        call = PendingCall(run, endpoint, provider, text(body.get("model")), area, above)
        if not body.get("stream"):
            observe_parser(options, call)
        return call

    def _keito_answerer(self) -> tuple[str, Optional[str]]:
        """Who answers, and where, if that changes the rates."""
        client: Any = self
        host = str(client.base_url.host)
        return self._keito_provider or provider_at(host, self._keito_library), area_at(host, self._keito_library)


def _check_budget(call: PendingCall) -> None:
    """Stop the agent where its author asked for it. Below a framework, its integration has checked already."""
    if call.above is not None:
        return
    try:
        call.run.check_budget()
    except Exception as error:
        if any(kind.__name__ == "KeitoBudgetExceeded" for kind in type(error).__mro__):
            raise
        failed("check_budget", error)


class _SyncClient(_Metered):
    def request(self, cast_to: Any, options: Any, *args: Any, **kwargs: Any) -> Any:
        call = self._keito_begin(options)
        inner = self._keito_inner()
        if call is None:
            return inner.request(cast_to, options, *args, **kwargs)
        _check_budget(call)
        try:
            with ClientCall.of(call.run):
                answer = inner.request(cast_to, options, *args, **kwargs)
        except BaseException as error:
            call.failed(error)
            raise
        take(answer, options, call)
        return answer


class _AsyncClient(_Metered):
    async def request(self, cast_to: Any, options: Any, *args: Any, **kwargs: Any) -> Any:
        call = self._keito_begin(options)
        inner = self._keito_inner()
        if call is None:
            return await inner.request(cast_to, options, *args, **kwargs)
        _check_budget(call)
        try:
            with ClientCall.of(call.run):
                answer = await inner.request(cast_to, options, *args, **kwargs)
        except BaseException as error:
            call.failed(error)
            raise
        await take_async(answer, options, call)
        return answer
