"""How an attempt can fail to get an answer."""

import httpx

from keito.core.retry import Lost
from keito.core.wire import Wire

FAILURES = (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError)
"""What sending can raise; all of it becomes `Lost`."""

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)


def lost(error: Exception, wire: Wire) -> Lost:
    """An attempt that ended with an exception of the network."""
    timed_out = isinstance(error, (httpx.TimeoutException, TimeoutError))
    sent = not isinstance(error, _NOT_SENT)
    what = ("no answer in time from" if sent else "no connection in time to") if timed_out else None
    what = what or ("the connection broke to" if sent else "no connection to")
    # Parsers quote what the server sent, and that may be anything.
    reason = wire.clean(f"{what} {wire.base_url.netloc.decode('ascii')} ({str(error) or type(error).__name__})")
    return Lost(reason, timed_out, sent)


def content_seen(response: httpx.Response) -> bytes:
    """What was read of an answer before it was closed."""
    try:
        return response.content
    except httpx.ResponseNotRead:
        return b""


def closed(what: str = "Keito client") -> Lost:
    """What becomes of a call after its client was closed."""
    return Lost(f"this {what} is closed; create another one", timed_out=False, sent=False, final=True)


def unusable(error: Exception, wire: Wire) -> Lost:
    """What becomes of a call when no connection can even be tried, for lack of a certificate file or a proxy."""
    return Lost(wire.clean(f"no connection can be set up ({error})"), timed_out=False, sent=False, final=True)
