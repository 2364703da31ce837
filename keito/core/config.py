"""Who asks, and whom: credentials and base URL, checked once when a client is built."""

import ipaddress
import os
import re
from typing import Optional

import httpx

from keito.core.call import API_ROOT
from keito.core.errors import KeitoAuthError, refused

DEFAULT_BASE_URL = "https://app.keito.io"

_VISIBLE_ASCII = re.compile(r"[\x21-\x7e]+\Z")
_JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*\Z")


class Credentials:
    """An API key with its account, or a WorkOS token that names its company itself.

    Raises:
        KeitoAuthError: One is missing, or cannot be carried by an HTTP header. The key is not shown.
    """

    def __init__(self, api_key: Optional[str] = None, account_id: Optional[str] = None) -> None:
        self.api_key = _credential("api_key", "KEITO_API_KEY", api_key)
        # A token's claims name the company; only API keys need the account header.
        needs_account = not _JWT.match(self.api_key)
        self.account_id = _credential("account_id", "KEITO_ACCOUNT_ID", account_id, needs_account)

    def __repr__(self) -> str:
        return f"Credentials(api_key='***', account_id={self.account_id!r})"


def _credential(name: str, variable: str, given: Optional[str], needed: bool = True) -> str:
    value = os.environ.get(variable, "") if given is None else given
    if not value and needed:
        raise _unusable(f"no {name}: pass {name}=... or set {variable}")
    if value and not (isinstance(value, str) and _VISIBLE_ASCII.match(value)):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise _unusable(
            f"the {name} has characters that an HTTP header cannot carry (a space or a line break, perhaps)"
        )
    return value


def _unusable(text: str) -> KeitoAuthError:
    return KeitoAuthError(body={"error": "unauthorized", "error_description": text})


def base_url_of(given: Optional[str] = None) -> httpx.URL:
    """Where the API is: `given`, else `KEITO_BASE_URL`, else the production host; a trailing `/api/v2` is dropped.

    Raises:
        KeitoValidationError: It is no http(s) URL, holds credentials, or would send the key unencrypted to another
            machine (`KEITO_ALLOW_HTTP=1` permits that).
    """
    text = given or os.environ.get("KEITO_BASE_URL") or DEFAULT_BASE_URL
    try:
        url = httpx.URL(text)
        usable = bool(url.host) and (url.port or 0) < 65536
    except (httpx.InvalidURL, TypeError, ValueError):  # ValueError: the host is no valid IDNA
        raise refused("base_url", text, "must be an http or https URL, such as https://app.keito.io") from None
    if url.scheme not in ("http", "https") or not usable or url.query or url.fragment:
        raise refused(
            "base_url", text, "must be an http or https URL such as https://app.keito.io, without query or fragment"
        )
    if url.userinfo:
        raise refused("base_url", "...", "must not hold credentials")
    if url.scheme == "http" and not _is_loopback(url.host) and os.environ.get("KEITO_ALLOW_HTTP") != "1":
        raise refused(
            "base_url", text, "must be https, or the API key would travel unencrypted (KEITO_ALLOW_HTTP=1 allows it)"
        )
    path = url.path.rstrip("/")
    return url.copy_with(path=path.removesuffix(API_ROOT))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
