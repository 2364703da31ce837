"""aiohttp as the transport of `AsyncKeito`, with its errors told apart as billing needs it."""

import base64
import ssl
from collections.abc import AsyncIterator
from typing import Optional, Union

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

_NEVER_CONNECTED = (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError)


class KeitoAiohttpTransport(AiohttpTransport):
    """httpx-aiohttp without retries of its own, and with exact errors.

    httpx-aiohttp reports a server that hangs up as a failed connection, and aiohttp silently repeats a DELETE on a
    broken connection. Either could bill twice: only keito may decide what is sent again.
    """

    def __init__(self, verify: Union[ssl.SSLContext, bool], proxy: Optional[httpx.Proxy]) -> None:
        super().__init__(verify=verify, proxy=_with_header(proxy))

    def get_client(self) -> aiohttp.ClientSession:
        """The aiohttp session, without cookies and without its hidden retry."""
        session = super().get_client()
        session._retry_connection = False  # pyright: ignore[reportPrivateUsage]
        session._cookie_jar = aiohttp.DummyCookieJar()  # pyright: ignore[reportPrivateUsage]
        return session

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request; whatever fails is an `httpx.TransportError` that says whether it was sent."""
        try:
            response = await super().handle_async_request(request)
        except (httpx.TransportError, aiohttp.ClientError) as error:
            raise _exact(error) from error
        assert isinstance(response.stream, httpx.AsyncByteStream)
        response.stream = _ExactStream(response.stream)
        return response


class _ExactStream(httpx.AsyncByteStream):
    def __init__(self, stream: httpx.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        try:
            async for chunk in self._stream:
                yield chunk
        except (httpx.TransportError, aiohttp.ClientError) as error:
            raise _exact(error) from error

    async def aclose(self) -> None:
        await self._stream.aclose()


def _with_header(proxy: Optional[httpx.Proxy]) -> Optional[httpx.Proxy]:
    """The proxy with its password as a header, since aiohttp gives up its class for passwords.

    aiohttp makes `Proxy-Authorization` of it.
    """
    if proxy is None or proxy.auth is None:
        return proxy
    password = base64.b64encode(":".join(proxy.auth).encode()).decode()
    return httpx.Proxy(proxy.url, headers={"Authorization": f"Basic {password}"})


def _exact(error: Exception) -> httpx.TransportError:
    origin = error.__cause__ if isinstance(error, httpx.TransportError) and error.__cause__ else error
    return _kind(origin)(str(origin) or type(origin).__name__)


def _kind(origin: BaseException) -> type[httpx.TransportError]:
    timed_out = isinstance(origin, (TimeoutError, aiohttp.ServerTimeoutError))
    if isinstance(origin, _NEVER_CONNECTED):
        return httpx.ConnectTimeout if timed_out else httpx.ConnectError
    if timed_out or isinstance(origin, httpx.TimeoutException):
        return httpx.ReadTimeout
    if isinstance(origin, aiohttp.ClientHttpProxyError):  # it refused to connect to the API
        return httpx.ProxyError
    if isinstance(origin, aiohttp.ClientResponseError):
        return httpx.RemoteProtocolError
    return httpx.ReadError
